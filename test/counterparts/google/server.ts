import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { GoogleError } from "./errors.ts";
import { PAGE_FAULTS, refusalOf, sendBroken, type Called, type FaultName, type Injected } from "./faults.ts";
import { openDelegation, type Delegation } from "./grants.ts";
import { partial } from "./partial.ts";
import { answer } from "./routes.ts";
import { openOrganisation, type Organisation } from "./state.ts";

export interface GoogleFake {
  url: string;
  tokenUrl: string;
  /** The administrator in whose name the service account may ask. */
  administrator: string;
  organisation: Organisation;
  delegation: Delegation;
  /** Calls of the Directory API, in order. */
  calls: Called[];
  inject(fault: Injected): void;
  /** The faults that have struck, in order. */
  struck: FaultName[];
  /** Sees every answer of the Directory API before it goes out, with the method and path that it is for. */
  onAnswer: (call: Called, body: unknown) => void;
  stop(): Promise<void>;
}

export interface GoogleFakeOptions {
  now?: () => Date;
  /** How long a slow answer takes. */
  slowMs?: number;
}

/** A stateful stand-in of Google's Directory API and token endpoint, served on loopback. */
export async function startGoogle({ now = () => new Date(), slowMs = 3000 }: GoogleFakeOptions = {}): Promise<GoogleFake> {
  const organisation = openOrganisation({ now });
  const administrator = organisation.addUser({ email: "admin@lab.test", isAdmin: true }).primaryEmail;
  const delegation = openDelegation({
    now,
    isUser: (email) => [...organisation.users.values()].some((user) => user.primaryEmail === email && !user.suspended),
  });
  const injected: (Injected & { left: number })[] = [];
  let serial = 1;

  const strike = (call: Called): FaultName | undefined => {
    const found = injected.find(({ when, left }) => left > 0 && (when === undefined || when(call)));
    if (found === undefined) return undefined;
    found.left -= 1;
    fake.struck.push(found.fault);
    return found.fault;
  };

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => send(response, 500, { error: { code: 500, message: String(error), errors: [] } }));
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://fake");
    const text = await bodyOf(request);
    if (url.pathname === "/token" && request.method === "POST") {
      const { status, body } = await delegation.grant(new URLSearchParams(text), fake.tokenUrl);
      return send(response, status, body);
    }
    const call: Called = { method: request.method ?? "GET", path: url.pathname, query: url.searchParams };
    fake.calls.push(call);
    const fault = strike(call);
    try {
      const scopes = delegation.scopesOf((request.headers.authorization ?? "").replace(/^Bearer /, ""));
      if (scopes === undefined) throw new GoogleError(401, "authError", "Request had invalid authentication credentials.");
      const refusal = refusalOf(fault);
      if (refusal !== undefined) throw refusal;
      // Whatever else is struck is not done.
      if (fault === "reset") return void sendBroken(response, fault, "", slowMs);
      const body = answer(organisation, {
        ...call,
        body: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>),
        scopes,
        fault: fault !== undefined && PAGE_FAULTS.has(fault) ? fault : undefined,
        serial: serial++,
      });
      fake.onAnswer(call, body);
      const answered = body === undefined ? undefined : partial(body, url.searchParams.get("fields"));
      if (sendBroken(response, fault, JSON.stringify(answered ?? {}), slowMs)) return;
      send(response, answered === undefined ? 204 : 200, answered);
    } catch (error) {
      if (!(error instanceof GoogleError)) throw error;
      send(response, error.status, error.body(), error.retryAfter === undefined ? {} : { "retry-after": error.retryAfter });
    }
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const fake: GoogleFake = {
    url,
    tokenUrl: `${url}/token`,
    administrator,
    organisation,
    delegation,
    calls: [],
    struck: [],
    inject: (fault) => void injected.push({ ...fault, left: fault.times ?? 1 }),
    onAnswer: () => undefined,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return fake;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { ...(body === undefined ? {} : { "content-type": "application/json; charset=UTF-8" }), ...headers });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}
