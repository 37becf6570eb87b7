import type { Connector } from "../contract.ts";
import { checkOkta } from "./check.ts";
import { oktaSettings, type OktaSettings } from "./config.ts";
import { receiveEventHook } from "./event-hook.ts";
import { openOktaSource } from "./read.ts";
import { openOktaWriteBack } from "./write.ts";

/** An Okta org, by its management API. */
export const okta: Connector<OktaSettings> = {
  name: "okta",
  title: "Okta",
  settings: oktaSettings,
  secretFields: ["privateKey", "apiToken", "eventHookSecret", "proxy.password"],
  destinations: ["url", "ca", "proxy.url"],
  openSource: openOktaSource,
  openWriteBack: openOktaWriteBack,
  check: checkOkta,
  hooks: { secretField: "eventHookSecret", receive: receiveEventHook },
  recordedAt: "http",
  scopeOf: ({ url, groups }) => ({ url, groups: groups.types }),
};
