import { setTimeout as wait } from "node:timers/promises";
import type { OpenOptions } from "../contract.ts";
import { openHttp, type HttpAnswer, type HttpRequest } from "../kit/http.ts";
import { withRetry } from "../kit/retry.ts";
import { openAccessTokens, type AccessTokens } from "./access-token.ts";
import type { OktaSettings } from "./config.ts";
import { faultOfAnswer } from "./faults.ts";
import { endpointOf, openRateLimits } from "./rate-limits.ts";

export type OktaOptions = OpenOptions<OktaSettings> & {
  /** Waits that a test does not want to sit through. */
  sleep?: (delayMs: number, signal: AbortSignal) => Promise<void>;
};

/** Scopes of Okta's management API. */
export const SCOPES = {
  read: ["okta.users.read", "okta.groups.read"],
  write: ["okta.users.manage", "okta.groups.manage"],
} as const;

export interface OktaRequest extends Pick<HttpRequest, "method" | "path" | "query" | "body"> {
  /** What is asked, for the sentence of a fault: "the listing of users". */
  what: string;
}

/** Okta's management API: signs in, keeps below the rate limits, tries again. Everything it throws is a Fault, or the signal's reason. */
export interface OktaClient {
  readonly origin: string;
  /** Everything that is asked may be asked twice: callers look before they change anything. */
  call(request: OktaRequest): Promise<HttpAnswer>;
  /** Scopes that Okta granted; undefined for an API token, and where Okta does not say. */
  grantedScopes(): Promise<readonly string[] | undefined>;
  close(): Promise<void>;
}

/** Statuses that Okta explains in its own words. */
const EXPLAINED = [400, 401, 403, 404, 410, 429];
/** Leaves the credentials out of answers, which nobody needs and Okta must look up. */
const LEAN = "application/json; okta-response=omitCredentials,omitCredentialsLinks";
const MAX_BYTES = 64 * 1024 * 1024;

export function openClient(options: OktaOptions, { scopes }: { scopes: readonly string[] }): OktaClient {
  const { settings, signal, now, log, network, conversation } = options;
  const sleep = options.sleep ?? ((delayMs, abort) => wait(delayMs, undefined, { signal: abort }));
  const { origin } = new URL(settings.url);
  const { ca, proxy, timeoutMs } = settings;
  const shared = {
    ...{ system: `Okta at ${origin}`, baseUrl: origin, timeoutMs, maxBytes: MAX_BYTES, signal, now },
    ...(ca === undefined ? {} : { ca }),
    ...(proxy === undefined ? {} : { proxy }),
    ...(network === undefined ? {} : { network }),
    ...(conversation === undefined ? {} : { conversation }),
  };
  const signInHttp = openHttp({ ...shared, credential: () => ({}) });
  const tokens: AccessTokens | undefined =
    settings.apiToken === undefined ? openAccessTokens({ settings, http: signInHttp, scopes, now }) : undefined;
  const http = openHttp({
    ...shared,
    credential: async () =>
      tokens ? { authorization: `Bearer ${await tokens.current()}` } : { authorization: `SSWS ${settings.apiToken ?? ""}` },
  });
  const limits = openRateLimits({
    share: settings.rateLimitShare,
    now,
    async pause(endpoint, waitMs) {
      log.debug({ endpoint, waitMs }, "okta: our share of the rate limit is used up until the next window");
      await sleep(waitMs, signal);
    },
  });
  const signIn = tokens ? "service app" : "API token";

  const send = async ({ what, ...request }: OktaRequest): Promise<HttpAnswer> => {
    const asking = () => http.request({ ...request, headers: { "content-type": LEAN }, expect: EXPLAINED });
    const token = await tokens?.current();
    const endpoint = endpointOf(request.method, request.path);
    let answer: HttpAnswer | undefined;
    await limits.enter(endpoint);
    try {
      answer = await asking();
      if (answer.status === 401 && tokens && token !== undefined) {
        // Revoked, or ended on its way: with a new one it is told whether the app itself is still let in.
        tokens.forget(token);
        answer = await asking();
      }
    } finally {
      limits.leave(endpoint, answer?.headers);
    }
    if (answer.status < 300) return answer;
    throw faultOfAnswer(answer, { what, signIn, now: now() });
  };

  return {
    origin,
    call: (request) =>
      withRetry(() => send(request), {
        signal,
        sleep,
        onRetry: (fault, next) => log.warn({ ...next, fault: fault.message }, "okta: asked again"),
      }),
    grantedScopes: async () => tokens?.scopes(),
    close: async () => {
      await Promise.all([http.close(), signInHttp.close()]);
    },
  };
}
