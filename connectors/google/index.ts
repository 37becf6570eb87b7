import type { Connector } from "../contract.ts";
import { checkGoogle } from "./check.ts";
import { googleSettings, type GoogleSettings } from "./config.ts";
import { openGoogleSource } from "./read.ts";
import { keepChannels, receiveNotification } from "./watch.ts";
import { openGoogleWriteBack } from "./write.ts";

/** Google Workspace, by the Directory API of the Admin SDK. */
export const google: Connector<GoogleSettings> = {
  name: "google",
  title: "Google Workspace",
  settings: googleSettings,
  secretFields: ["serviceAccountKey", "proxy.password"],
  destinations: ["apiUrl", "tokenUrl", "ca", "proxy.url"],
  openSource: openGoogleSource,
  openWriteBack: openGoogleWriteBack,
  check: checkGoogle,
  hooks: { receive: receiveNotification, keep: keepChannels },
  recordedAt: "http",
  scopeOf: ({ customer, domain, kinds, userQuery, groupQuery }) => ({
    customer,
    domain: domain ?? null,
    kinds,
    userQuery: userQuery ?? null,
    groupQuery: groupQuery ?? null,
  }),
};
