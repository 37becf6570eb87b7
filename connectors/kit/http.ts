import type { Dispatcher } from "undici";
import { Fault, type Conversation, type FaultKind, type Network, type WireAnswer } from "../contract.ts";
import { openDispatcher } from "./dispatcher.ts";
import { faultOfFailure, faultOfStatus, redirected, type Call } from "./http-faults.ts";
import { isSecretName, secretParts } from "./secret-names.ts";
import { send } from "./send.ts";
import type { ProxySettings } from "./settings.ts";

export { faultKindOf } from "./http-faults.ts";
export { parseRetryAfter } from "./retry-after.ts";

/** How a system is reached. The credential goes to its own origin only: redirects are refused, never followed. */
export interface HttpOptions {
  /** What sentences call it: "the SCIM application at https://…". */
  system: string;
  baseUrl: string;
  /** Headers with the credential; asked per call, so that a token can be renewed. */
  credential: () => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;
  /** PEM of the CA that signed the server's certificate, where the system's own store has it not. */
  ca?: string;
  /** The connection's own proxy, instead of the operator's. */
  proxy?: ProxySettings;
  /** What may be reached: OpenOptions.network. Absent = public addresses only. */
  network?: Network;
  /** OpenOptions.conversation, so that a run can be recorded and replayed. */
  conversation?: Conversation;
  /** Longest wait for one whole answer. */
  timeoutMs: number;
  /** Most bytes of an answer; 32 MiB when absent. */
  maxBytes?: number;
  /** What an error means in this system's own words, where they say more than the status. */
  faultOf?: (answer: { status: number; body: unknown; method: HttpRequest["method"] }) => FaultKind | undefined;
  /** The status of an error that stands in the body of an answer with 2xx; undefined when there is none. */
  errorIn?: (body: unknown) => number | undefined;
  signal: AbortSignal;
  now: () => Date;
}

export interface HttpRequest {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /**
   * Below the base URL, beginning with a slash; parts from data must be encoded. Or a whole URL that the system gave (a next
   * link): one of another origin is refused.
   */
  path: string;
  query?: Readonly<Record<string, string | number | undefined>>;
  /** JSON; URLSearchParams are sent as a form. */
  body?: unknown;
  contentType?: string;
  headers?: Readonly<Record<string, string>>;
  /** Statuses outside 2xx that the caller handles itself. */
  expect?: readonly number[];
  /** A success in plain text is one without a body: some say no more than OK to a change. */
  mayBeText?: boolean;
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
const FORM = "application/x-www-form-urlencoded";

/** A JSON client over one connection pool: addresses guarded, TLS verified, a time-out on every call, answers limited in size. */
export function openHttp(options: HttpOptions): HttpClient {
  const { baseUrl, timeoutMs, maxBytes = DEFAULT_MAX_BYTES, signal, now, system, faultOf, conversation } = options;
  const base = new URL(baseUrl);
  let opened: Dispatcher | undefined;
  const dispatcher = () => (opened ??= openDispatcher({ ...options, url: base }));

  return {
    async request({ method, path, query = {}, body, contentType = "application/json", headers: own = {}, expect = [], mayBeText = false }) {
      const url = urlOf(path, { base, system });
      for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
      const credential = await options.credential();
      const secrets = [...Object.values(credential).flatMap(secretParts), ...secretsOfForm(body)];
      const call: Call = { system, host: base.host, timeoutMs, secrets, faultOf: faultOf && ((answer) => faultOf({ ...answer, method })) };
      const text = body === undefined ? undefined : body instanceof URLSearchParams ? body.toString() : JSON.stringify(body);
      const headers = {
        accept: "application/scim+json, application/json",
        ...own,
        ...credential,
        ...(body === undefined ? {} : { "content-type": body instanceof URLSearchParams ? FORM : contentType }),
      };
      const exchange = async (): Promise<WireAnswer> => {
        const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
        try {
          return await send({ dispatcher: dispatcher(), url, method, headers, body: text, maxBytes, system, signal: deadline });
        } catch (error) {
          throw faultOfFailure(error, { ...call, stopped: signal.aborted, late: deadline.aborted });
        }
      };
      const answer = await (conversation ? conversation.exchange({ method, url: url.href, body: text }, exchange) : exchange());
      if (answer.status >= 300 && answer.status < 400) throw redirected(answer.headers["location"], call);
      const isWell = answer.status >= 200 && answer.status < 300;
      const parsed = isWell && !(mayBeText && isPlainText(answer)) ? parse(answer, call) : undefined;
      const status = (isWell ? options.errorIn?.(parsed) : undefined) ?? answer.status;
      if ((status < 200 || status >= 300) && !expect.includes(status)) throw faultOfStatus({ ...answer, status, now: now(), call });
      return { status, headers: answer.headers, body: isWell ? parsed : parse(answer, call) };
    },
    close: async () => opened?.close(),
  };
}

/** The credential goes with every request, so that no answer of the system may lead it elsewhere. */
function urlOf(path: string, { base, system }: { base: URL; system: string }): URL {
  if (path.startsWith("/")) return new URL(base.href.replace(/\/+$/, "") + path);
  if (URL.canParse(path)) {
    const url = new URL(path);
    if (url.origin === base.origin && url.username === "" && url.password === "") return url;
    throw new Fault(
      "misconfigured",
      `${system} leads on to ${url.origin}. The credential is not sent there: set the URL to the address that it gives itself.`,
    );
  }
  throw new Fault("rejected", `${system} leads on to something that is no address.`);
}

function secretsOfForm(body: unknown): string[] {
  if (!(body instanceof URLSearchParams)) return [];
  return [...body].flatMap(([name, value]) => (isSecretName(name) ? secretParts(value) : []));
}

function isPlainText({ headers }: WireAnswer): boolean {
  return /^text\/plain\b/i.test(String(headers["content-type"] ?? ""));
}

function parse({ text, status, headers }: WireAnswer, { system }: Call): unknown {
  if (text.trim() === "") return undefined;
  const coding = String(headers["content-encoding"] ?? "identity");
  if (status < 300 && coding !== "identity")
    throw new Fault(
      "misconfigured",
      `${system} answered compressed (${coding.slice(0, 40)}), which was not asked for. Have whatever stands between pass answers on as they are.`,
    );
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    // An error page that the caller expects by its status is no JSON's fault.
    if (status >= 300) return undefined;
    // A proxy or a server that gives up in the middle may still end its answer in good form.
    if (/^\s*[[{]/.test(text))
      throw new Fault("transient", `${system} answered ${status} with JSON that is broken off or damaged.`, { cause });
    throw new Fault(
      "misconfigured",
      `${system} answered ${status} with something that is not JSON. Check that the URL is that of its API, not of a page.`,
      { cause },
    );
  }
}
