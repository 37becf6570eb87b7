import { raw, Router, type Request, type RequestHandler, type Response } from "express";
import type { Logger } from "pino";
import type { HookAnswer, HookCall } from "../../../connectors/contract.ts";
import { withoutPort } from "../../auth/network.ts";
import { createHookReceiver } from "../../connections/hooks/receive.ts";
import { createContext } from "../../context.ts";
import type { Database } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { requestIdOf } from "../middleware/request-id.ts";
import { createTokenBuckets } from "../middleware/token-buckets.ts";
import { parsedBody } from "./body.ts";

export interface HooksDoorOptions {
  db: Database;
  keyRing: KeyRing;
  log: Logger;
  now: () => Date;
  /** Most calls of one address. */
  limit?: { perSecond: number; burst: number };
}

const MOST_BYTES = 512 * 1024;
/** Systems send in bursts, and come again with what was not taken. */
const LIMIT = { perSecond: 50, burst: 2000 };
/** Microsoft Graph and Okta wait for three seconds, body and answer together. */
const ANSWERED_WITHIN_MS = 2500;

/** Where connected systems call when something changed there: a hint that starts a run, never data. */
export function createHooksDoor({ db, keyRing, log, now, limit = LIMIT }: HooksDoorOptions): Router {
  const router = Router();
  const buckets = createTokenBuckets({ now });
  const receiver = createHookReceiver({ db, keyRing });
  const limited: RequestHandler = (request, response, next) => {
    const wait = buckets.take(withoutPort(request.ip ?? ""), limit);
    if (wait === undefined) return next();
    response.set("Retry-After", String(Math.max(1, Math.ceil(wait))));
    refuse(response, { status: 429, error: "rate_limited", message: "Too many calls come from this address." });
  };
  const receive: RequestHandler = async (request, response) => {
    const { connection } = request.params;
    const ctx = createContext({ actor: "system", log, now, correlationId: requestIdOf(response) });
    const answer = await receiver.receive(ctx, { connection: String(connection), call: callOf(request) });
    if (!response.headersSent) send(response, answer);
  };
  router.all("/:connection", limited, methods, deadline, raw({ type: () => true, limit: MOST_BYTES, inflate: false }), receive);
  return router;
}

const methods: RequestHandler = (request, response, next) => {
  if (request.method === "GET" || request.method === "POST") return next();
  response.set("Allow", "GET, POST");
  refuse(response, { status: 405, error: "invalid", message: "Notifications come by POST." });
};

/** Who is too slow, or comes while we are, is asked to come again. */
const deadline: RequestHandler = (_request, response, next) => {
  const timer = setTimeout(() => {
    if (response.headersSent) return;
    response.set({ "Retry-After": "5", Connection: "close" });
    refuse(response, { status: 503, error: "unavailable", message: "This took too long. Send it again." });
  }, ANSWERED_WITHIN_MS);
  response.once("close", () => clearTimeout(timer));
  next();
};

function callOf(request: Request): HookCall {
  const query = Object.entries(request.query).map(([name, value]) => [name, Array.isArray(value) ? value.at(-1) : value] as const);
  return {
    method: request.method === "GET" ? "GET" : "POST",
    query: Object.fromEntries(query.flatMap(([name, value]) => (typeof value === "string" ? [[name, value]] : []))),
    headers: request.headers,
    body: parsedBody(request.body),
  };
}

function send(response: Response, answer: HookAnswer | "refused"): void {
  if (answer === "refused")
    return refuse(response, {
      status: 403,
      error: "forbidden",
      message: "No connection here takes this call: check the address, the secret, and that notifications are enabled.",
    });
  const { status, text, body } = answer;
  response.status(status).set("Cache-Control", "no-store");
  if (text !== undefined) response.type("text/plain").send(text);
  else if (body !== undefined) response.json(body);
  else response.end();
}

function refuse(response: Response, { status, error, message }: { status: number; error: string; message: string }): void {
  response.status(status).set("Cache-Control", "no-store").json({ error, message });
}
