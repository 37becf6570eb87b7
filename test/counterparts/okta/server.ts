import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { openClock, type Clock } from "./clock.ts";
import { OktaError } from "./errors.ts";
import { openFaultInjection, sendTruncated, type FaultInjection, type FaultName } from "./faults.ts";
import { openOrg, type OktaOrg } from "./org.ts";
import { endpointOf, openLimits, tooMany, type Limits } from "./rate-limits.ts";
import { ROUTES, type ApiAnswer, type ApiRequest } from "./routes.ts";
import { openSignIn, type SignIn } from "./sign-in.ts";

/** An Okta org that remembers, served over HTTP on loopback; what it answers is what Okta's published reference says. */
export interface FakeOkta {
  url: string;
  org: OktaOrg;
  clock: Clock;
  signIn: SignIn;
  faults: FaultInjection;
  limits: Limits;
  /** Every request that came, as `METHOD /path?query`. */
  requests: string[];
  /** Holds an answer back until it comes to its end. */
  hold: (request: string) => Promise<void>;
  close(): Promise<void>;
}

export async function openFakeOkta(clock: Clock = openClock()): Promise<FakeOkta> {
  const fake: FakeOkta = {
    ...{ url: "", org: openOrg(clock), clock, signIn: openSignIn(clock), faults: openFaultInjection(), limits: openLimits(clock) },
    requests: [],
    hold: async () => undefined,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const server = createServer((request, response) => {
    void serve(fake, request, response).catch((error: unknown) => {
      response.statusCode = 500;
      response.end(error instanceof Error ? (error.stack ?? error.message) : String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  fake.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return fake;
}

async function serve(fake: FakeOkta, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = "GET" } = request;
  const url = new URL(request.url ?? "/", fake.url);
  const text = await bodyOf(request);
  const line = `${method} ${url.pathname}${url.search}`;
  fake.requests.push(line);
  await fake.hold(line);
  response.sendDate = false;
  response.setHeader("date", fake.clock.peek().toUTCString());
  response.setHeader("x-okta-request-id", `Zq${fake.requests.length}`);
  const fault = fake.faults.take(line);
  if (fault === "reset") {
    request.socket.destroy();
    return;
  }
  try {
    if (url.pathname === "/.well-known/okta-organization")
      return send(response, 200, { id: fake.org.id, pipeline: "idx", _links: { organization: { href: fake.url } } });
    if (method === "POST" && url.pathname === "/oauth2/v1/token") {
      refuse(fault);
      const { status, body } = await fake.signIn.token(new URLSearchParams(text), `${fake.url}/oauth2/v1/token`);
      return send(response, status, body);
    }
    const limits = fake.limits.count(endpointOf(method, url.pathname));
    for (const [name, value] of Object.entries(limits)) response.setHeader(name, value);
    refuse(fault, limits);
    const lean = (request.headers["content-type"] ?? "").includes("omitCredentials");
    const call: ApiRequest = { method, path: url.pathname, query: url.searchParams, body: jsonIn(text), base: fake.url, lean };
    const answer = route(fake, call, request.headers.authorization);
    if (fault === "lost-answer") {
      request.socket.destroy();
      return;
    }
    sendAnswer(response, { answer, url, fault });
  } catch (error) {
    if (!(error instanceof OktaError)) throw error;
    for (const name of ["x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset"])
      if (fault === "throttled-bare") response.removeHeader(name);
    for (const [name, value] of Object.entries(error.headers)) response.setHeader(name, value);
    send(response, error.status, error.body());
  }
}

function refuse(fault: FaultName | undefined, limits: Record<string, string> = {}): void {
  if (fault === "gone") throw new OktaError(410, "E0000008", "The requested path was not found");
  if (fault === "throttled") throw tooMany({ ...limits, "x-rate-limit-remaining": "0" });
  if (fault === "throttled-bare") throw tooMany({});
  if (fault === "forbidden") throw new OktaError(403, "E0000006", "You do not have permission to perform the requested action");
  if (fault === "unauthorised") throw new OktaError(401, "E0000011", "Invalid token provided");
  if (fault === "broken") throw new OktaError(500, "E0000009", "Internal Server Error");
  if (fault === "unavailable") throw new OktaError(503, "E0000010", "Service is in read only mode");
}

function route(fake: FakeOkta, request: ApiRequest, authorization: string | undefined): ApiAnswer {
  for (const { method, path, scopes, answer } of ROUTES) {
    const match = path.exec(request.path);
    if (method !== request.method || !match) continue;
    fake.signIn.authorise(authorization, scopes);
    return answer(fake.org, request, match.slice(1).map(decodeURIComponent), fake.signIn);
  }
  fake.signIn.authorise(authorization, []);
  throw new OktaError(404, "E0000022", "The endpoint does not support the provided HTTP method");
}

function sendAnswer(response: ServerResponse, { answer, url, fault }: { answer: ApiAnswer; url: URL; fault: FaultName | undefined }): void {
  const { status, page } = answer;
  let { body } = answer;
  if (page) {
    const links = [`<${url.href}>; rel="self"`];
    const next = new URL(url.href);
    next.searchParams.set("after", page.after ?? "");
    if (fault === "empty-page") {
      // Nothing this time; the same position is asked for once more under another address.
      body = [];
      next.searchParams.set("after", url.searchParams.get("after") ?? Buffer.from("at:").toString("base64url"));
      next.searchParams.set("again", "1");
    }
    if (fault === "repeated-page") {
      if (url.searchParams.has("after")) next.searchParams.set("after", url.searchParams.get("after") ?? "");
      else next.searchParams.delete("after");
      next.searchParams.set("again", "1");
    }
    if (fault === "foreign-next") next.host = "evil.example:1";
    const more = page.after !== undefined || ["empty-page", "repeated-page", "foreign-next"].includes(fault ?? "");
    if (more && fault !== "no-next") links.push(`<${next.href}>; rel="next"`);
    if (fault !== "no-links") response.setHeader("link", links);
  }
  if (fault === "no-list") body = { unexpected: true };
  if (fault === "truncated") {
    response.statusCode = status;
    response.setHeader("content-type", "application/json");
    sendTruncated(response, JSON.stringify(body));
    return;
  }
  send(response, status, body);
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.statusCode = status;
  if (body === undefined) {
    response.end();
    return;
  }
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(body));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks).toString("utf8");
}

function jsonIn(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new OktaError(400, "E0000003", "The request body was not well-formed.");
  }
}
