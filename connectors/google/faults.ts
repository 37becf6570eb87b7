import { Fault, type FaultKind } from "../contract.ts";
import { isObject, objectsIn, textOf } from "./json.ts";
import { DELEGATION, SCOPES, type Purpose } from "./scopes.ts";

/** Quotas are refused with 403 as well as 429 (Directory API: Limits and Quotas); a used-up day is not among them, waiting does not help it. */
const THROTTLED: ReadonlySet<string> = new Set(["userRateLimitExceeded", "rateLimitExceeded", "quotaExceeded"]);

/** What an answer of the Directory API means, where its reason says more than its status. */
export function faultKindOf({ status, body }: { status: number; body: unknown }): FaultKind | undefined {
  const { reasons, status: name } = errorOf(body);
  if ((status === 403 || status === 429) && (name === "RESOURCE_EXHAUSTED" || reasons.some((reason) => THROTTLED.has(reason))))
    return "throttled";
  // An id that a group has already, or a channel's id that is in use.
  return status === 409 || reasons.includes("duplicate") ? "exists" : undefined;
}

/** The machine-readable parts of an error. */
function errorOf(body: unknown): { reasons: string[]; status: string | undefined } {
  const error = isObject(body) ? body["error"] : undefined;
  if (!isObject(error)) return { reasons: [], status: undefined };
  return { reasons: objectsIn(error["errors"]).flatMap(({ reason }) => textOf(reason) ?? []), status: textOf(error["status"]) };
}

export interface RefusedGrant {
  status: number;
  body: unknown;
  purpose: Purpose;
  administrator: string;
  /** The service account's e-mail address. */
  account: string;
}

/** Why the token endpoint gives no token (RFC 6749 section 5.2), in the words of the console where it is put right. */
export function faultOfGrant({ status, body, purpose, administrator, account }: RefusedGrant): Fault {
  const error = isObject(body) ? textOf(body["error"]) : undefined;
  const said = isObject(body) ? textOf(body["error_description"]) : undefined;
  const words = said === undefined ? (error ?? String(status)) : said.replace(/\s+/g, " ").slice(0, 300);
  const refused = `Google gives ${account} no token (${words}).`;
  if (error === "unauthorized_client" || error === "access_denied" || error === "invalid_scope")
    return new Fault(
      "denied",
      `${refused} In the Admin console, under ${DELEGATION}, add the scope ${SCOPES[purpose]} to the service account's client ID. It may take up to 24 hours to be known everywhere.`,
    );
  if (error === "invalid_grant" && /email|user id|account/i.test(words) && !/jwt/i.test(words))
    return new Fault(
      "denied",
      `${refused} Check that the administrator ${administrator} exists in this organisation and is not suspended.`,
    );
  if (error === "invalid_grant" && /iat|exp|short-lived|timeframe/i.test(words))
    return new Fault("misconfigured", `${refused} Check this machine's clock.`);
  return new Fault(
    "denied",
    `${refused} Check in the Google Cloud console, under IAM & Admin > Service Accounts > Keys, that the service account is enabled and its key still there; give a new key as serviceAccountKey if not.`,
  );
}
