import type { Connector } from "../contract.ts";
import { checkEntra } from "./check.ts";
import { entraSettings, type EntraSettings } from "./config.ts";
import { receiveNotifications } from "./notifications.ts";
import { openEntraSource } from "./read.ts";
import { keepSubscriptions } from "./subscriptions.ts";
import { openEntraWriteBack } from "./write.ts";

/** Microsoft Entra ID, through Microsoft Graph v1.0. */
export const entra: Connector<EntraSettings> = {
  name: "entra",
  title: "Microsoft Entra ID",
  settings: entraSettings,
  secretFields: ["clientSecret", "privateKey", "proxy.password"],
  destinations: ["graphUrl", "loginUrl", "ca", "proxy.url"],
  openSource: openEntraSource,
  openWriteBack: openEntraWriteBack,
  check: checkEntra,
  hooks: { receive: receiveNotifications, keep: keepSubscriptions },
  recordedAt: "http",
  scopeOf: ({ tenant, graphUrl, groups, units }) => ({ tenant, graphUrl, groups, units: units ?? null }),
};
