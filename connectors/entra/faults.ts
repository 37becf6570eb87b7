import type { FaultKind } from "../contract.ts";
import { isObject } from "./json.ts";

/** Whose state Microsoft Graph no longer has: only a full read will do. */
const LOST_STATE: ReadonlySet<string> = new Set([
  "syncstatenotfound",
  "syncstateinvalid",
  "syncstateexpired",
  "resyncrequired",
  "resyncchangesapplydifferences",
  "resyncchangesuploaddifferences",
  "directory_expiredpagetoken",
  "request_expiredpagetoken",
  "invalidcursor",
]);

const BUSY: ReadonlySet<string> = new Set([
  "toomanyrequests",
  "activitylimitreached",
  "serviceunavailable",
  "request_throttledtemporarily",
]);

/** `error.code` of an answer. */
export function codeOf(body: unknown): string | undefined {
  const error = isObject(body) ? body["error"] : undefined;
  const code = isObject(error) ? error["code"] : undefined;
  return typeof code === "string" && /^[\w.-]{1,80}$/.test(code) ? code : undefined;
}

/** What an error means where Microsoft Graph's own code says more than the status. */
export function faultKindOfGraph({ status, body }: { status: number; body: unknown }): FaultKind | undefined {
  const code = codeOf(body)?.toLowerCase() ?? "";
  if (LOST_STATE.has(code) || (status === 410 && code !== "request_resourcenotfound")) return "expired";
  if (status === 429 || BUSY.has(code)) return "throttled";
  // Writes that meet each other; both may well succeed a little later.
  if (status === 409 || status === 412 || status === 423) return "transient";
  return undefined;
}
