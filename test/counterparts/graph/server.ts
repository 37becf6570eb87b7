import { createServer as createHttp, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { failure, type Answer, type Asked } from "./answer.ts";
import { createDeltaQueries } from "./delta.ts";
import { createDirectory, type Directory } from "./directory.ts";
import { createFaults, type FaultKind, type Faults } from "./faults.ts";
import { routeOf } from "./routes.ts";
import { createSignIn, type Application, type SignIn } from "./sign-in.ts";
import { createSubscriptions, type Subscriptions } from "./subscriptions.ts";
import { createTenant, type Properties, type Tenant } from "./tenant.ts";

export interface GraphOptions {
  /** PEM; without them plain HTTP. */
  tls?: { key: string; cert: string };
  pageSize?: number;
  membersPerPage?: number;
  tokenSeconds?: number;
  certificate?: string;
  granted?: readonly string[];
  now?: () => Date;
  /** Where an address of the outside world is served here; notifications go there. */
  route?: (address: string) => string;
}

/** Microsoft Graph and its sign-in service on loopback, over one tenant in memory. */
export interface Graph {
  origin: string;
  graphUrl: string;
  tenantId: string;
  application: Application;
  tenant: Tenant;
  directory: Directory;
  faults: Faults;
  signIn: SignIn;
  subscriptions: Subscriptions;
  /** Every request so far: `GET /users/delta`. */
  asked: string[];
  expireTokens(): void;
  close(): Promise<void>;
}

export const ALL_PERMISSIONS = [
  "User.Read.All",
  "GroupMember.Read.All",
  "AdministrativeUnit.Read.All",
  "User.EnableDisableAccount.All",
  "User.RevokeSessions.All",
  "GroupMember.ReadWrite.All",
];

const VERSION = "/v1.0";
const MAX_BATCH = 20;

export async function startGraph(options: GraphOptions = {}): Promise<Graph> {
  const { tls, pageSize = 100, membersPerPage = 20, tokenSeconds = 3599, now = () => new Date() } = options;
  let origin = "";
  const base = () => origin + VERSION;
  const tenantId = "6f1d5d3a-8f7e-4b52-9a0c-3c5d2b1e4f60";
  const tenant = createTenant(now);
  const application: Application = {
    clientId: "0b9f6f0e-7c1d-4a55-b6cf-2e8f1f3a9d11",
    clientSecret: "the-secret-of-the-application",
    ...(options.certificate === undefined ? {} : { certificate: options.certificate }),
    granted: new Set(options.granted ?? ALL_PERMISSIONS),
  };
  const faults = createFaults();
  const signIn = createSignIn({ tenantId, application, base: () => origin, now, tokenSeconds });
  const directory = createDirectory(tenant, { base, now, pageSize });
  const deltas = createDeltaQueries(tenant, { base, pageSize, membersPerPage });
  const subscriptions = createSubscriptions({ now, route: options.route });
  const asked: string[] = [];

  const answerOne = async (request: Asked, authorization: string | undefined, fault: FaultKind | undefined): Promise<Answer> => {
    const granted = signIn.granted(authorization);
    if (!granted || fault === "unauthorised")
      return failure(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.");
    const early = EARLY[fault ?? "slow"];
    if (early) return early();
    const route = routeOf(request, { directory, deltas, subscriptions, fault });
    if (!route) return failure(400, "BadRequest", `Resource not found for the segment '${request.path}'.`);
    if (fault === "denied" || !route.allowedBy.some((permission) => granted.has(permission)))
      return failure(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.");
    return route.answer();
  };

  const answerBatch = async (request: Asked, authorization: string | undefined, fault: FaultKind | undefined): Promise<Answer> => {
    if (!signIn.granted(authorization)) return failure(401, "InvalidAuthenticationToken", "Access token is empty.");
    const early = EARLY[fault ?? "slow"];
    if (early) return early();
    const requests = request.body["requests"] as readonly { id: string; method: string; url: string }[];
    if (requests.length > MAX_BATCH)
      return failure(400, "MaximumValueExceeded", `Number of batch request steps exceeds the maximum value of ${MAX_BATCH}.`);
    const responses = requests.map(async ({ id, method, url }, index) => {
      const { pathname, searchParams } = new URL(`http://batch${url}`);
      const one = { method, path: pathname, query: searchParams, headers: {}, body: {} };
      const inner = fault === "throttled in the batch" && index % 2 === 0 ? "throttled" : faults.next(method, pathname);
      const { status, headers = {}, body } = await answerOne(one, authorization, inner);
      return { id, status, headers: { "Content-Type": "application/json", ...headers }, body };
    });
    // Answers of a batch come in any order.
    return { status: 200, body: { responses: (await Promise.all(responses)).toReversed() } };
  };

  const handle = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(message.url ?? "/", origin);
    const text = await textOf(message);
    const { authorization } = message.headers;
    if (!url.pathname.startsWith(`${VERSION}/`)) return send(response, await signIn.answer(url.pathname, new URLSearchParams(text)));
    const path = url.pathname.slice(VERSION.length);
    const method = message.method ?? "GET";
    asked.push(`${method} ${path}`);
    const fault = faults.next(method, path);
    if (fault === "reset") return void message.socket.destroy();
    const headers = message.headers as Record<string, string | undefined>;
    const request: Asked = { method, path, query: url.searchParams, headers, body: text === "" ? {} : (JSON.parse(text) as Properties) };
    const answer = await (path === "/$batch" ? answerBatch : answerOne)(request, authorization, fault);
    if (fault === "reset after the work") return void message.socket.destroy();
    if (fault === "no link" && typeof answer.body === "object") delete answer.body["@odata.nextLink"];
    if (fault === "circle" && typeof answer.body === "object") answer.body["@odata.nextLink"] = url.href;
    if (fault === "slow") await wait(SLOW_MS, undefined, { ref: false });
    if (fault === "near the limit")
      answer.headers = {
        ...answer.headers,
        "x-ms-throttle-limit-percentage": "0.9",
        "x-ms-throttle-scope": "Tenant_Application/ReadWrite",
      };
    return send(response, answer, fault === "truncated");
  };
  const listener = (message: IncomingMessage, response: ServerResponse) => {
    handle(message, response).catch((error: unknown) => send(response, failure(500, "InternalServerError", String(error))));
  };
  const server = tls ? createHttps(tls, listener) : createHttp(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `${tls ? "https" : "http"}://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    origin,
    graphUrl: base(),
    tenantId,
    application,
    tenant,
    directory,
    faults,
    signIn,
    subscriptions,
    asked,
    expireTokens: () => deltas.expireTokens(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Longer than anybody waits. */
const SLOW_MS = 60_000;

/** Faults that answer before anything is looked at. */
const EARLY: Partial<Record<FaultKind, () => Answer>> = {
  throttled: () =>
    failure(429, "TooManyRequests", "Too many requests", { "retry-after": "0", "x-ms-throttle-information": "CPULimitExceeded" }),
  "throttled without Retry-After": () =>
    failure(
      429,
      "Request_ThrottledTemporarily",
      "Your request is throttled temporarily. Please try after the value specified in the Retry-After header.",
    ),
  "server error": () => failure(500, "InternalServerError", "The server encountered an internal error."),
  "not found": () =>
    failure(404, "Request_ResourceNotFound", "Resource does not exist or one of its queried reference-property objects are not present."),
  unavailable: () => failure(503, "ServiceUnavailable", "The service is unavailable.", { "retry-after": "0" }),
};

function send(response: ServerResponse, { status, headers = {}, body }: Answer, truncated = false): void {
  const text = body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body);
  response.writeHead(status, {
    ...(text === ""
      ? {}
      : { "content-type": "application/json;odata.metadata=minimal;charset=utf-8", "content-length": String(Buffer.byteLength(text)) }),
    ...headers,
  });
  if (!truncated) return void response.end(text);
  response.write(text.slice(0, Math.floor(text.length / 2)), () => response.destroy());
}

async function textOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
