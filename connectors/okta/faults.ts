import { z } from "zod";
import { Fault, type FaultKind } from "../contract.ts";
import { parseRetryAfter, type HttpAnswer } from "../kit/http.ts";
import { untilReset } from "./rate-limits.ts";

/** Okta's error object, as far as it says something to people. */
const errorBody = z.object({
  errorCode: z.string().optional(),
  errorSummary: z.string().optional(),
  errorId: z.string().optional(),
  errorCauses: z.array(z.object({ errorSummary: z.string().optional() })).optional(),
  /** The token endpoint speaks OAuth (RFC 6749 section 5.2). */
  error: z.string().optional(),
  error_description: z.string().optional(),
});

const KINDS: Readonly<Record<number, FaultKind>> = { 401: "denied", 403: "denied", 404: "gone", 410: "gone", 429: "throttled" };
const MAX_DETAIL = 500;

/** What Okta says went wrong, as the caller's reaction; `what` was asked: "the listing of users". */
export function faultOfAnswer(
  answer: HttpAnswer,
  { what, signIn, now }: { what: string; signIn: "service app" | "API token"; now: Date },
): Fault {
  const { status, headers, body } = answer;
  const parsed = errorBody.safeParse(body);
  const said = parsed.success ? parsed.data : {};
  const kind = KINDS[status] ?? (status >= 500 ? "transient" : "rejected");
  const wait = status === 429 ? untilReset(headers, now) : undefined;
  const retryAfterMs = wait ?? (status === 429 || status === 503 ? parseRetryAfter(headers["retry-after"], now) : undefined);
  const advice = adviceFor({ status, signIn, scope: missingScope(headers["www-authenticate"]), error: said.error });
  const message = `Okta answered ${status} to ${what}${detailOf(said)}.${advice === undefined ? "" : ` ${advice}`}`;
  return new Fault(kind, message, { ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
}

function detailOf({ errorCode, errorSummary, errorCauses = [], errorId, error, error_description }: z.output<typeof errorBody>): string {
  const causes = errorCauses.flatMap((cause) => cause.errorSummary ?? []);
  const words = [errorSummary, ...causes, error_description ?? error].filter((part) => part !== undefined && part !== "");
  if (words.length === 0) return errorCode === undefined ? "" : `: ${errorCode}`;
  const text = words.join("; ").replace(/\s+/g, " ").replace(/\.$/, "").slice(0, MAX_DETAIL);
  const marks = [errorCode, errorId].filter((mark) => mark !== undefined).join(", ");
  return `: ${text}${marks === "" ? "" : ` (${marks})`}`;
}

/** The scopes that an answer asks for (RFC 6750 section 3). */
export function missingScope(challenge: string | string[] | undefined): string | undefined {
  const text = (Array.isArray(challenge) ? challenge.join(", ") : challenge) ?? "";
  if (!/error="?insufficient_scope/.test(text)) return undefined;
  return /scope="([^"]{1,500})"/.exec(text)?.[1] ?? "";
}

const TOKEN_ENDED =
  "The API token may have been revoked, unused for 30 days, or made by somebody who was deactivated since: make a new one under Security > API > Tokens.";
const ROLE =
  "The scope is granted, the admin role is not: in the Admin Console, Applications > Applications > the app > Admin roles > Edit assignments, assign a role that may do this.";
const TOKEN_ROLE =
  "The API token may do what its maker may: under Security > Administrators, give that admin a role that may do this, or make the token as another admin.";

function adviceFor({
  status,
  signIn,
  scope,
  error,
}: {
  status: number;
  signIn: "service app" | "API token";
  scope: string | undefined;
  error: string | undefined;
}): string | undefined {
  if (error !== undefined) return adviceForSignIn(error);
  if (scope !== undefined)
    return `Grant the scope ${scope || "that it needs"}: in the Admin Console, Applications > Applications > the app > Okta API Scopes > Grant.`;
  if (status === 401) return signIn === "API token" ? TOKEN_ENDED : "The access token was not accepted; another is asked for next time.";
  if (status === 403) return signIn === "API token" ? TOKEN_ROLE : ROLE;
  return undefined;
}

function adviceForSignIn(error: string): string | undefined {
  if (error === "invalid_dpop_proof" || error === "use_dpop_nonce")
    return 'In the Admin Console, Applications > Applications > the app > General > General Settings, clear "Require Demonstrating Proof of Possession (DPoP) header in token requests".';
  if (error === "invalid_client")
    return "Check clientId, that the app's General tab has this key's public half under Public Keys (keyId names it there), that the app is active, and this machine's clock.";
  if (error === "invalid_scope" || error === "consent_required" || error === "access_denied")
    return "Grant the scopes: in the Admin Console, Applications > Applications > the app > Okta API Scopes > Grant.";
  return undefined;
}
