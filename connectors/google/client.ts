import { Fault, type OpenOptions } from "../contract.ts";
import { openHttp, type HttpAnswer, type HttpClient, type HttpRequest } from "../kit/http.ts";
import { withRetry } from "../kit/retry.ts";
import type { GoogleSettings } from "./config.ts";
import { faultKindOf } from "./faults.ts";
import { isObject } from "./json.ts";
import type { Purpose } from "./scopes.ts";
import { openTokens } from "./token.ts";

const DIRECTORY = "/admin/directory/v1";
const FIRST_DELAY_MS = 500;

export interface Call extends HttpRequest {
  purpose: Purpose;
  /** Must not be made twice: tried again only when Google says that it did nothing. */
  once?: boolean;
}

/** The Directory API over HTTP: tokens, waiting, nothing of what is read there. Everything it throws is a Fault, or the signal's reason. */
export interface GoogleClient {
  settings: GoogleSettings;
  signal: AbortSignal;
  now: () => Date;
  /** `path` is below /admin/directory/v1, or a whole one that begins with /admin/directory_v1. */
  call(call: Call): Promise<HttpAnswer>;
  /** A GET whose answer is an object of this `kind`; anything else is no answer of the Directory API. */
  read(call: Omit<Call, "method"> & { kind: string }): Promise<Readonly<Record<string, unknown>>>;
  close(): Promise<void>;
}

export function openGoogle(options: OpenOptions<GoogleSettings>): GoogleClient {
  const { settings, signal, now, log } = options;
  const tokens = openTokens(options);
  const clients = new Map<Purpose, HttpClient>();
  const system = "Google's Directory API";

  // One client a purpose: the kit asks a credential without knowing what for.
  const clientFor = (purpose: Purpose): HttpClient => {
    const known = clients.get(purpose);
    if (known !== undefined) return known;
    const opened = openHttp({
      ...options,
      system,
      baseUrl: settings.apiUrl,
      credential: async () => ({ authorization: `Bearer ${await tokens.tokenFor(purpose)}` }),
      ca: settings.ca,
      proxy: settings.proxy,
      timeoutMs: settings.timeoutMs,
      faultOf: faultKindOf,
    });
    clients.set(purpose, opened);
    return opened;
  };

  const send = async ({ purpose, path, expect = [], ...request }: Call): Promise<HttpAnswer> => {
    const whole = { ...request, path: path.startsWith("/admin/") ? path : `${DIRECTORY}${path}` };
    const answer = await clientFor(purpose).request({ ...whole, expect: [...expect, 401] });
    if (answer.status !== 401) return answer;
    // A token may be ended before its time: another one is asked for, once.
    tokens.forget(purpose);
    return clientFor(purpose).request({ ...whole, expect });
  };

  const client: GoogleClient = {
    settings,
    signal,
    now,
    call: ({ once = false, ...call }) =>
      withRetry(() => send(call), {
        signal,
        attempts: settings.attempts,
        firstDelayMs: FIRST_DELAY_MS,
        ...(once ? { kinds: ["throttled"] as const } : {}),
        onRetry: (fault, next) => log.warn({ fault: fault.message, ...next }, "google: trying again"),
      }),
    async read({ kind, ...call }) {
      const { body } = await client.call({ ...call, method: "GET" });
      if (isObject(body) && body["kind"] === kind) return body;
      throw new Fault("transient", `${system} answered ${call.path} with something that is no ${kind}. Check apiUrl if it goes on.`);
    },
    async close() {
      await Promise.all([tokens.close(), ...[...clients.values()].map((each) => each.close())]);
    },
  };
  return client;
}

/** What names the organisation, or the one domain, in a listing. */
export function customerOf({ customer, domain }: GoogleSettings): Readonly<Record<string, string>> {
  return domain === undefined ? { customer } : { domain };
}
