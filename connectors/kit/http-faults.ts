import { Fault, type FaultKind, type WireAnswer } from "../contract.ts";
import { parseRetryAfter, untilReset } from "./retry-after.ts";
import { withoutSecrets } from "./secret-names.ts";

/** What the sentences about one call need. */
export interface Call {
  system: string;
  host: string;
  timeoutMs: number;
  /** Taken out of whatever the system says. */
  secrets: readonly string[];
  faultOf?: ((answer: { status: number; body: unknown }) => FaultKind | undefined) | undefined;
}

/** A redirect is refused, never followed. */
export function redirected(location: string | string[] | undefined, { system, host }: Call): Fault {
  const to =
    typeof location === "string" && URL.canParse(location, `https://${host}`)
      ? new URL(location, `https://${host}`).origin
      : "another address";
  return new Fault("misconfigured", `${system} redirects to ${to}. The credential is not sent there: set the URL to the final address.`);
}

const KINDS: Readonly<Record<number, FaultKind>> = {
  401: "denied",
  403: "denied",
  404: "gone",
  408: "transient",
  409: "exists",
  410: "gone",
  425: "transient",
  429: "throttled",
  501: "misconfigured",
};

/** What a status asks of the caller. */
export function faultKindOf(status: number, retryAfter: boolean): FaultKind {
  if (status === 503 && retryAfter) return "throttled";
  return KINDS[status] ?? (status >= 500 ? "transient" : "rejected");
}

/** An error status as what it asks of the caller, in the system's own words where it has any. */
export function faultOfStatus({
  status,
  headers,
  text,
  now,
  call,
}: {
  status: number;
  headers: WireAnswer["headers"];
  text: string;
  now: Date;
  call: Call;
}): Fault {
  const detail = detailOf(text, call.secrets);
  // What a system's own connector makes of its answer counts, and so does how long it waits then.
  const known = call.faultOf?.({ status, body: jsonOrNothing(text) });
  const isLimited = known === undefined && status === 403 && tellsOfLimit(headers, detail);
  const retryAfterMs =
    parseRetryAfter(headers["retry-after"], now) ??
    (status === 429 || isLimited ? untilReset(headers, now) : undefined) ??
    (isLimited ? UNTOLD_LIMIT_MS : undefined);
  const kind = known ?? (isLimited ? "throttled" : faultKindOf(status, retryAfterMs !== undefined));
  const advice = kind === "denied" ? " Check the credential and what it may do." : "";
  return new Fault(kind, `${call.system} answered ${status}${detail ? `: ${detail}` : ""}.${advice}`.replace(/\.\.$/, "."), {
    retryAfterMs,
  });
}

/** As GitHub asks of those whom it does not tell how long to wait. */
const UNTOLD_LIMIT_MS = 60_000;

/**
 * Whether a 403 tells that there were too many requests, as GitHub says it of all its limits: taken for a refusal of the credential it
 * would stop everybody's changes until an administrator came.
 */
function tellsOfLimit(headers: WireAnswer["headers"], detail: string): boolean {
  const left = headers["x-ratelimit-remaining"] ?? headers["ratelimit-remaining"];
  return headers["retry-after"] !== undefined || left === "0" || /\brate limit/i.test(detail);
}

function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // A page for people, of no use in a sentence.
    return undefined;
  }
}

/** The system's own words: RFC 7644 `detail`, OAuth's `error_description`, or a message. */
function detailOf(text: string, secrets: readonly string[]): string {
  const body = jsonOrNothing(text);
  if (typeof body !== "object" || body === null) return "";
  const fields = body as Record<string, unknown>;
  const inner =
    typeof fields["error"] === "object" && fields["error"] !== null
      ? (fields["error"] as Record<string, unknown>)["message"]
      : fields["error"];
  const said = fields["detail"] ?? fields["error_description"] ?? fields["errorSummary"] ?? fields["message"] ?? inner;
  // Cut short only afterwards: half a secret would not be found.
  return typeof said === "string" ? withoutSecrets(said, secrets).replace(/\s+/g, " ").slice(0, MAX_DETAIL) : "";
}

const MAX_DETAIL = 500;

const CERTIFICATE_PROBLEMS: ReadonlySet<string> = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
]);

/** What went wrong before there was an answer. */
export function faultOfFailure(
  error: unknown,
  { system, host, timeoutMs, stopped, late }: Call & { stopped: boolean; late: boolean },
): Fault {
  if (error instanceof Fault) return error;
  const code = codeOf(error);
  const within = system.replace(/^The /, "the ");
  if (stopped) return new Fault("transient", `The call to ${within} was stopped.`, { cause: error });
  if (CERTIFICATE_PROBLEMS.has(code))
    return new Fault("misconfigured", `${system} shows a certificate of an unknown CA (${code}). Give that CA as \`ca\`.`, {
      cause: error,
    });
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID")
    return new Fault(
      "misconfigured",
      `The certificate of ${within} ${code === "CERT_HAS_EXPIRED" ? "has expired" : "is not valid yet"}. Have it renewed there, and check this machine's clock.`,
      { cause: error },
    );
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return new Fault(
      "misconfigured",
      `The certificate of ${within} is not for ${host}. Set the URL to a name that it is for, or have one made for this name.`,
      { cause: error },
    );
  if (code === "ADDRESS_REFUSED")
    return new Fault("misconfigured", `${system} is not connected to: ${messageOf(error)}.`, { cause: error });
  if (code === "UND_ERR_ABORTED" && /Proxy response/.test(messageOf(error)))
    return new Fault("misconfigured", `The proxy refuses to lead to ${within} (${messageOf(error)}). Check the proxy and its user.`, {
      cause: error,
    });
  if (code.startsWith("ERR_SSL") || code === "EPROTO")
    return new Fault(
      "misconfigured",
      `${system} does not speak TLS as asked (${code}). Check the URL: its port, and whether it is http or https.`,
      {
        cause: error,
      },
    );
  if (code === "ENOTFOUND")
    return new Fault("transient", `${system} can't be reached: there is no host ${host}. Check the URL and the name server.`, {
      cause: error,
    });
  if (code === "ECONNREFUSED")
    return new Fault("transient", `${system} can't be reached: ${host} refuses the connection. Check that it runs and the port.`, {
      cause: error,
    });
  if (code === "UND_ERR_INVALID_ARG")
    return new Fault(
      "misconfigured",
      `Nothing was sent to ${within}: the credential holds a line break, or a letter that no header may hold. Enter it again, without what was copied along with it.`,
    );
  if (late || code.includes("TIMEOUT")) return new Fault("transient", `${system} did not answer within ${timeoutMs} ms.`, { cause: error });
  return new Fault("transient", `The connection to ${within} broke${code ? ` (${code})` : ""}.`, { cause: error });
}

function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return "";
  const { code, cause, name } = error as { code?: unknown; cause?: unknown; name?: unknown };
  if (typeof code === "string") return code;
  return codeOf(cause) || (typeof name === "string" ? name : "");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
