import { Agent, request as send, type Dispatcher } from "undici";
import { Fault, type FaultKind } from "../contract.ts";

/** How a system is reached. The credential goes to its own origin only: redirects are refused, never followed. */
export interface HttpOptions {
  /** What sentences call it: "the SCIM application at https://…". */
  system: string;
  baseUrl: string;
  /** Headers with the credential; asked per call, so that a token can be renewed. */
  credential: () => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;
  /** PEM of the CA that signed the server's certificate, where the system's own store has it not. */
  ca?: string;
  timeoutMs: number;
  /** Most bytes of an answer. */
  maxBytes?: number;
  /** What an error means in this system's own words, where they say more than the status. */
  faultOf?: (answer: { status: number; body: unknown }) => FaultKind | undefined;
  signal: AbortSignal;
  now: () => Date;
}

export interface HttpRequest {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Below the base URL, beginning with a slash; parts from data must be encoded. */
  path: string;
  query?: Readonly<Record<string, string | number | undefined>>;
  /** JSON; URLSearchParams are sent as a form. */
  body?: unknown;
  contentType?: string;
  headers?: Readonly<Record<string, string>>;
  /** Statuses outside 2xx that the caller handles itself. */
  expect?: readonly number[];
}

export interface HttpAnswer {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Parsed JSON; undefined when the answer had no body. */
  body: unknown;
}

export interface HttpClient {
  /** Throws a Fault for everything but 2xx and what the caller expects. */
  request(request: HttpRequest): Promise<HttpAnswer>;
  close(): Promise<void>;
}

const DEFAULT_MAX_BYTES = 32 * 1024 * 1024;
const MAX_DETAIL = 500;
const FORM = "application/x-www-form-urlencoded";

/** A JSON client over one connection pool: TLS verified, a time-out on every call, answers limited in size. */
export function openHttp(options: HttpOptions): HttpClient {
  const { baseUrl, ca, timeoutMs, signal, now, system } = options;
  const base = new URL(baseUrl);
  const agent = new Agent({
    connect: { timeout: timeoutMs, ...(ca === undefined ? {} : { ca }) },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });

  return {
    async request({ method, path, query = {}, body, contentType = "application/json", headers: own = {}, expect = [] }) {
      const url = new URL(base.href.replace(/\/+$/, "") + path);
      for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
      const credential = await options.credential();
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      const call = {
        system,
        host: base.host,
        timeoutMs,
        maxBytes: options.maxBytes ?? DEFAULT_MAX_BYTES,
        secrets: Object.values(credential).flatMap(secretParts),
        faultOf: options.faultOf,
      };
      let answer: Dispatcher.ResponseData;
      let text: string;
      try {
        answer = await send(url, {
          method,
          dispatcher: agent,
          signal: deadline,
          headers: {
            accept: "application/scim+json, application/json",
            ...own,
            ...credential,
            ...(body === undefined ? {} : { "content-type": body instanceof URLSearchParams ? FORM : contentType }),
          },
          ...(body === undefined ? {} : { body: body instanceof URLSearchParams ? body.toString() : JSON.stringify(body) }),
        });
        text = await readLimited(answer.body, call);
      } catch (error) {
        throw faultOfFailure(error, { ...call, stopped: signal.aborted, late: deadline.aborted });
      }
      const { statusCode: status, headers } = answer;
      if (status >= 300 && status < 400) throw redirected(headers["location"], call);
      if ((status < 200 || status >= 300) && !expect.includes(status)) throw faultOfStatus({ status, headers, text, now: now(), call });
      return { status, headers, body: parse({ text, status, call }) };
    },
    close: () => agent.close(),
  };
}

interface Call {
  system: string;
  host: string;
  timeoutMs: number;
  maxBytes: number;
  secrets: readonly string[];
  faultOf: HttpOptions["faultOf"];
}

/** The whole header, and its last word: `Bearer abc` must not come back as `abc` either. */
function secretParts(header: string): string[] {
  return [header, header.split(" ").at(-1) ?? header].filter((part) => part.length >= 4);
}

async function readLimited(body: Dispatcher.ResponseData["body"], { maxBytes, system }: Call): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    const bytes = Buffer.from(chunk as Uint8Array);
    size += bytes.length;
    if (size > maxBytes) {
      body.destroy();
      throw new Fault("rejected", `${system} answered with more than ${maxBytes} bytes. Ask for smaller pages (pageSize).`);
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parse({ text, status, call }: { text: string; status: number; call: Call }): unknown {
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    // An error page that the caller expects by its status is no JSON's fault.
    if (status >= 300) return undefined;
    throw new Fault(
      "misconfigured",
      `${call.system} answered ${status} with something that is not JSON. Check that the URL is that of its API, not of a page.`,
      { cause },
    );
  }
}

function redirected(location: string | string[] | undefined, { system, host }: Call): Fault {
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

function faultOfStatus({
  status,
  headers,
  text,
  now,
  call,
}: {
  status: number;
  headers: HttpAnswer["headers"];
  text: string;
  now: Date;
  call: Call;
}): Fault {
  const retryAfterMs = parseRetryAfter(headers["retry-after"], now) ?? (status === 429 ? untilReset(headers, now) : undefined);
  const kind = call.faultOf?.({ status, body: jsonOrNothing(text) }) ?? faultKindOf(status, retryAfterMs !== undefined);
  const detail = withoutSecrets(detailOf(text), call.secrets);
  const advice = kind === "denied" ? " Check the credential and what it may do." : "";
  return new Fault(kind, `${call.system} answered ${status}${detail ? `: ${detail}` : ""}.${advice}`.replace(/\.\.$/, "."), {
    retryAfterMs,
  });
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
function detailOf(text: string): string {
  const body = jsonOrNothing(text);
  if (typeof body !== "object" || body === null) return "";
  const fields = body as Record<string, unknown>;
  const inner =
    typeof fields["error"] === "object" && fields["error"] !== null
      ? (fields["error"] as Record<string, unknown>)["message"]
      : fields["error"];
  const said = fields["detail"] ?? fields["error_description"] ?? fields["errorSummary"] ?? fields["message"] ?? inner;
  return typeof said === "string" ? said.replace(/\s+/g, " ").slice(0, MAX_DETAIL) : "";
}

function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((clean, secret) => clean.replaceAll(secret, "[redacted]"), text);
}

/** Retry-After (RFC 9110 section 10.2.3), as seconds or a date, in milliseconds from now. */
export function parseRetryAfter(value: string | string[] | undefined, now: Date): number | undefined {
  const text = (Array.isArray(value) ? value[0] : value)?.trim();
  if (text === undefined || text === "") return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1000);
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now.getTime());
}

/** More seconds than anybody waits for a limit: then the number is a moment, in seconds since 1970. */
const A_MOMENT = 1_000_000_000;

/** When a limit is lifted, from those who say it in another header than Retry-After: in seconds, or as a moment. */
function untilReset(headers: HttpAnswer["headers"], now: Date): number | undefined {
  const given = headers["ratelimit-reset"] ?? headers["x-ratelimit-reset"] ?? headers["x-rate-limit-reset"];
  const seconds = Number((Array.isArray(given) ? given[0] : given)?.trim() || Number.NaN);
  if (!(seconds >= 0)) return undefined;
  return seconds < A_MOMENT ? Math.ceil(seconds * 1000) : Math.max(0, seconds * 1000 - now.getTime());
}

const CERTIFICATE_PROBLEMS: ReadonlySet<string> = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
]);

function faultOfFailure(error: unknown, { system, host, timeoutMs, stopped, late }: Call & { stopped: boolean; late: boolean }): Fault {
  if (error instanceof Fault) return error;
  const code = codeOf(error);
  if (stopped) return new Fault("transient", `The call to ${system} was stopped.`, { cause: error });
  if (CERTIFICATE_PROBLEMS.has(code))
    return new Fault("misconfigured", `${system} shows a certificate of an unknown CA (${code}). Give that CA as \`ca\`.`, {
      cause: error,
    });
  if (code === "CERT_HAS_EXPIRED") return new Fault("misconfigured", `The certificate of ${system} has expired.`, { cause: error });
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return new Fault("misconfigured", `The certificate of ${system} is not for ${host}.`, { cause: error });
  if (code === "ENOTFOUND")
    return new Fault("transient", `${system} can't be reached: there is no host ${host}. Check the URL and the name server.`, {
      cause: error,
    });
  if (code === "ECONNREFUSED")
    return new Fault("transient", `${system} can't be reached: ${host} refuses the connection. Check that it runs and the port.`, {
      cause: error,
    });
  if (late || code.includes("TIMEOUT")) return new Fault("transient", `${system} did not answer within ${timeoutMs} ms.`, { cause: error });
  return new Fault("transient", `The connection to ${system} broke${code ? ` (${code})` : ""}.`, { cause: error });
}

function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return "";
  const { code, cause, name } = error as { code?: unknown; cause?: unknown; name?: unknown };
  if (typeof code === "string") return code;
  return codeOf(cause) || (typeof name === "string" ? name : "");
}
