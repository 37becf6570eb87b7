import type { AppError, ErrorCode } from "../../errors.ts";
import type { Say } from "./texts.ts";

/** Whose sentence is in the reader's language already. */
const SAID_ALREADY: ReadonlySet<string> = new Set(["federation", "passkey"]);

/** What a refusal is about, by its field. */
const BY_FIELD: ReadonlyMap<string, string> = new Map([
  ["csrf", "old_form"],
  ["cookies", "no_cookies"],
  ["origin", "other_site"],
  ["sign_in", "begin_again"],
  ["session", "begin_again"],
  ["oidc", "begin_again"],
  ["saml", "begin_again"],
  ["proof", "no_proof"],
  ["sessions", "too_many_sessions"],
  ["person", "not_now"],
  ["factor", "factors_full"],
  ["kind", "other_kind"],
]);

/** What a refusal of each kind comes to where nothing more is known. */
const BY_CODE: Readonly<Record<ErrorCode, string>> = {
  invalid: "invalid",
  not_found: "not_found",
  conflict: "conflict",
  precondition_failed: "conflict",
  unauthenticated: "begin_again",
  forbidden: "forbidden",
  too_large: "too_large",
  unsupported_type: "invalid",
  not_acceptable: "invalid",
  rate_limited: "too_many",
  held: "not_now",
  busy: "unavailable",
  unavailable: "unavailable",
  misconfigured: "internal",
  internal: "internal",
};

/** The fields count for what is refused as things are, not for what was typed wrongly or is not there. */
const FIELD_COUNTS: ReadonlySet<ErrorCode> = new Set(["forbidden", "conflict", "unauthenticated", "precondition_failed"]);

/** Which text of the pages says why something was refused: a key. Pure. */
export function refusalKey({ code, field }: Pick<AppError, "code" | "field">): string {
  const byField = field !== undefined && FIELD_COUNTS.has(code) ? BY_FIELD.get(field) : undefined;
  return `pages.error.${byField ?? BY_CODE[code]}`;
}

/** Why something was refused, in the reader's language. What others made of it in English is for logs and programs. Pure. */
export function refusalText(error: AppError, say: Say): string {
  if (error.field !== undefined && SAID_ALREADY.has(error.field)) return error.message;
  return say(refusalKey(error), { minutes: Math.max(1, Math.ceil((error.retryAfter ?? 60) / 60)) });
}
