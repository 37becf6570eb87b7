import { setTimeout as wait } from "node:timers/promises";
import { Fault, type OpenOptions } from "../contract.ts";
import { openHttp, type HttpAnswer, type HttpRequest } from "../kit/http.ts";
import { withRetry } from "../kit/retry.ts";
import type { EntraSettings } from "./config.ts";
import { codeOf, faultKindOfGraph } from "./faults.ts";
import { isObject, type WireObject } from "./json.ts";
import { pathOfLink } from "./links.ts";
import { grantedBy, howToGrant, isGranted, PERMISSIONS, type Permission } from "./permissions.ts";
import { openTokens } from "./token.ts";

export interface GraphRequest extends Pick<HttpRequest, "method" | "path" | "query" | "headers" | "body"> {
  /** The permission without which Microsoft Graph refuses this. */
  needs: Permission;
  /** Whom alone it changes: what is refused of one says nothing about the others, where the permission is granted. */
  alone?: string;
  /** Statuses outside 2xx that the caller handles itself. */
  expect?: readonly number[];
}

/** Microsoft Graph over HTTP: credential, waits and faults, nothing of what we want there. */
export interface GraphClient {
  readonly settings: EntraSettings;
  /** Tries again what fails in passing: every call that is made through it must be safe to repeat. */
  call(request: GraphRequest): Promise<HttpAnswer>;
  /** Follows a nextLink or deltaLink. */
  follow(link: string, options: Pick<GraphRequest, "needs" | "headers">): Promise<HttpAnswer>;
  /** The access token as it is, for looking at what it was granted. */
  token(): Promise<string>;
  /** Waits, unless the run is stopped. */
  pause(delayMs: number): Promise<void>;
  close(): Promise<void>;
}

/** From this share of the limit on, Microsoft Graph tells how near it is. */
const NEAR = 0.8;
const LONGEST_PAUSE_MS = 5000;

export function openClient(options: OpenOptions<EntraSettings>): GraphClient {
  const { settings, signal, now, log, network, conversation } = options;
  const tokens = openTokens(options);
  let token = "";
  /** Of the application's limit, as the last answer told it; 1 is all of it. */
  let used = 0;
  const http = openHttp({
    system: "Microsoft Graph",
    baseUrl: settings.graphUrl,
    credential: () => ({ authorization: `Bearer ${token}` }),
    ca: settings.ca,
    proxy: settings.proxy,
    network,
    conversation,
    timeoutMs: settings.timeoutMs,
    faultOf: faultKindOfGraph,
    signal,
    now,
  });
  const pause = (delayMs: number) => wait(delayMs, undefined, { signal });

  const once = async ({ needs, alone, expect = [], headers, ...request }: GraphRequest): Promise<HttpAnswer> => {
    if (used >= NEAR) {
      const delayMs = Math.min(LONGEST_PAUSE_MS, Math.round((used - NEAR + 0.1) * settings.retry.firstDelayMs));
      used = 0;
      await pause(delayMs);
    }
    for (let renewed = false; ; renewed = true) {
      token = await tokens.get();
      const sent = token;
      const answer = await http.request({ ...request, headers: { accept: "application/json", ...headers }, expect: [...expect, 401, 403] });
      used = usedOf(answer);
      if (answer.status === 403) {
        if (alone === undefined || renewed)
          throw refused(answer.body, { needs, ...(alone !== undefined && isGranted(needs, grantedBy(sent) ?? []) ? { alone } : {}) });
        // What the application was granted, or lost, since its token was made stands only in the next one.
        tokens.forget(sent);
        continue;
      }
      if (answer.status !== 401) return answer;
      // A token may be revoked before its time.
      tokens.forget(sent);
      if (renewed)
        throw new Fault(
          "denied",
          `Microsoft Graph does not take the access token (${codeOf(answer.body) ?? 401}). Check graphUrl and loginUrl: both must be of one cloud.`,
        );
    }
  };

  const call = (request: GraphRequest) =>
    withRetry(() => once(request), {
      signal,
      ...settings.retry,
      onRetry: (fault, { attempt, delayMs }) =>
        log.info({ kind: fault.kind, attempt, delayMs, method: request.method }, "entra: asked again after a wait"),
    });

  return {
    settings,
    call,
    follow: (link, { needs, headers }) => call({ method: "GET", path: pathOfLink(link, settings.graphUrl), needs, headers }),
    async token() {
      token = await tokens.get();
      return token;
    },
    pause,
    async close() {
      await Promise.all([http.close(), tokens.close()]);
    },
  };
}

/** `x-ms-throttle-limit-percentage`, sent from 0.8 on. */
function usedOf({ headers }: HttpAnswer): number {
  const share = Number(headers["x-ms-throttle-limit-percentage"]);
  return share >= NEAR ? share : 0;
}

function refused(body: unknown, { needs, alone }: Pick<GraphRequest, "needs" | "alone">): Fault {
  const code = codeOf(body) ?? "403";
  if (alone !== undefined)
    return new Fault(
      "rejected",
      `Microsoft Graph refuses ${PERMISSIONS[needs]} for ${alone} (${code}), though ${needs} is granted: who has an administrator's role, and a group that roles may be assigned to, can be changed only by who has a higher one. Make the change in the Entra admin centre, or give the application such a role there (Roles & admins).`,
    );
  return new Fault(
    "denied",
    `Microsoft Graph refuses ${PERMISSIONS[needs]} (${code}): the application lacks ${needs}. ${howToGrant(needs)}`,
  );
}

/** The objects of a collection's page. Throws `misconfigured` for what is no page. */
export function valueOf(body: unknown): { page: WireObject; value: readonly unknown[] } {
  if (!isObject(body) || !Array.isArray(body["value"]))
    throw new Fault("misconfigured", "Microsoft Graph answered with something that is no page of a collection. Check graphUrl.");
  return { page: body, value: body["value"] as readonly unknown[] };
}
