import { isUtf8 } from "node:buffer";
import { setMaxListeners } from "node:events";
import { json, raw, Router, type ErrorRequestHandler, type Request, type RequestHandler, type Response } from "express";
import type { Reach } from "../../access/policy.ts";
import { createContext } from "../../context.ts";
import { createSharedAnswers, type SharedAnswers } from "../../db/shared-answers.ts";
import { passingFailure } from "../../db/failures.ts";
import { AppError, messageOf } from "../../errors.ts";
import { requestIdOf } from "../middleware/request-id.ts";
import { callerAuthentication, type Authenticate } from "./authenticate.ts";
import { cutOffTold } from "./cut-off.ts";
import { perform } from "./perform.ts";
import { problemOf } from "./problem.ts";
import type { ApiOptions, Route } from "./route.ts";
import { send } from "./send.ts";
import { createWatching, type Watching } from "./watching.ts";

/** The administration API: `/api/v1`. Every route goes through `perform`, and nothing else answers here. */
export function createApi(options: ApiOptions & { routes: readonly Route[] }): Router {
  const router = Router({ caseSensitive: true });
  router.use((_request, response, next) => {
    response.setHeader("Cache-Control", "no-store");
    next();
  });
  const authenticate = options.authenticate ?? callerAuthentication(options);
  const watching = createWatching();
  // Each answer that is followed listens until it is over; Node takes more than ten for a leak, and says so.
  if (options.stopping) setMaxListeners(0, options.stopping);
  const reaches = createSharedAnswers<Reach>();
  for (const route of literalFirst(options.routes))
    router[route.method](
      expressPath(route.path),
      ...bodyOf(route, options),
      handlerOf(route, { options, authenticate, watching, reaches }),
    );
  const paths = new Map<string, Set<string>>();
  for (const { path, method } of literalFirst(options.routes)) paths.set(path, (paths.get(path) ?? new Set()).add(method.toUpperCase()));
  for (const [path, methods] of paths) router.all(expressPath(path), wrongMethod([...methods]));
  router.use((request) => {
    throw new AppError("not_found", `There is nothing at ${request.baseUrl}${request.path}; /api/docs lists what there is.`);
  });
  router.use(failed(options));
  return router;
}

/** `/units/tree` goes before `/units/{id}`, wherever they are defined. */
function literalFirst(routes: readonly Route[]): Route[] {
  const key = ({ path }: Route) => path.replaceAll(/\{\w+\}/g, "\uffff");
  return routes.toSorted((first, second) => (key(first) < key(second) ? -1 : key(first) > key(second) ? 1 : 0));
}

/** `/people/{id}` as Express writes it. */
export function expressPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ":$1");
}

function handlerOf(route: Route, by: Answering): RequestHandler {
  return async (request, response) => {
    try {
      await answer(route, { ...by, request, response });
    } catch (error) {
      throw cutOffTold(error, route);
    }
  };
}

interface Answering {
  options: ApiOptions;
  authenticate: Authenticate;
  watching: Watching;
  reaches: SharedAnswers<Reach>;
}

async function answer(
  route: Route,
  { options, authenticate, watching, reaches, request, response }: Answering & { request: Request; response: Response },
): Promise<void> {
  const inTime = route.fromMemory ? soon : atLeisure;
  const caller = route.access === "public" ? null : await inTime(authenticate(request, { fromMemory: route.fromMemory ?? false }));
  const ended = route.sends === "text/event-stream" ? endOf(response, options) : undefined;
  if (ended && caller) watching.begin(caller.credential, ended);
  const ctx = createContext({
    actor: caller?.actor ?? "system",
    log: options.log,
    now: options.now,
    correlationId: requestIdOf(response),
    network: options.network,
    ...(ended ? { signal: ended } : {}),
  });
  const performing = perform(route, {
    ctx,
    caller,
    options,
    reaches,
    request: {
      base: request.baseUrl,
      path: request.path,
      params: Object.fromEntries(Object.entries(request.params).map(([name, value]) => [name, String(value)])),
      query: request.query,
      body: bodyAsGiven(route, request),
      ifMatch: request.headers["if-match"],
      ifNoneMatch: request.headers["if-none-match"],
      accept: request.headers["accept"],
      lastEventId: single(request.headers["last-event-id"]),
      idempotencyKey: single(request.headers["idempotency-key"]),
    },
  });
  await send(response, { answer: await inTime(performing), ended });
}

/** For what is answered from memory, and asks the database only when that is not in step: longer than the first reading is waited for. */
const FROM_MEMORY_WITHIN_MS = 8000;

const atLeisure = <T>(work: Promise<T>): Promise<T> => work;

/** What this comes to, or `unavailable` when a database that says nothing has been waited for long enough. */
function soon<T>(work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new AppError("unavailable", "The database does not answer. Try again soon.", { retryAfter: 1 })),
      FROM_MEMORY_WITHIN_MS,
    );
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Aborts when the caller goes away, or the server does: who follows something goes on elsewhere, and keeps no server from stopping. Only answers that go on until then need it: making and aborting one costs as much as a small answer. */
function endOf(response: Response, { stopping }: ApiOptions): AbortSignal {
  const ended = new AbortController();
  response.once("close", () => ended.abort());
  stopping?.addEventListener("abort", () => ended.abort(), { once: true, signal: ended.signal });
  if (stopping?.aborted) ended.abort();
  return ended.signal;
}

/** Bodies are read after nobody knows whom yet, so they are small; uploads have their own limit. */
function bodyOf(route: Route, { bodyLimit }: ApiOptions): RequestHandler[] {
  if (route.upload) return [raw({ type: [...route.upload.types], limit: route.upload.mostBytes, inflate: false })];
  return route.body ? [json({ limit: bodyLimit, strict: true, verify: requireUtf8 })] : [];
}

/** JSON is UTF-8 (RFC 8259 section 8.1). Read as such, a name in another encoding would be kept with its letters gone. */
function requireUtf8(_request: unknown, _response: unknown, body: Buffer, encoding: string): void {
  if (/^utf-?8$/i.test(encoding) && !isUtf8(body))
    throw Object.assign(new AppError("invalid", "The body is not UTF-8, which JSON is written in.", { field: "body" }), { status: 422 });
}

function bodyAsGiven(route: Route, request: Request): unknown {
  const body: unknown = request.body;
  if ((route.body || route.upload) && body === undefined && hasBody(request))
    throw new AppError("unsupported_type", untaken(route, request), { field: "Content-Type" });
  if (route.upload && !Buffer.isBuffer(body)) throw new AppError("invalid", "The body is missing.", { field: "body" });
  return body;
}

function untaken({ upload }: Route, { headers }: Request): string {
  const given = (headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return upload?.refused?.[given] ?? `This route takes ${(upload?.types ?? ["application/json"]).join(", ")}.`;
}

function hasBody({ headers }: Request): boolean {
  return Number(headers["content-length"] ?? 0) > 0 || headers["transfer-encoding"] !== undefined;
}

/** Node joins what comes several times, but for the type. */
function single(value: string | string[] | undefined): string | undefined {
  return typeof value === "object" ? value.join(", ") : value;
}

function wrongMethod(methods: readonly string[]): RequestHandler {
  return (request, response) => {
    response.set("Allow", methods.join(", ")).status(405);
    const problem = problemOf(
      new AppError("invalid", `${request.method} is not offered here; there is ${methods.join(", ")}.`),
      requestIdOf(response),
    );
    response.type("application/problem+json").send(JSON.stringify({ ...problem, status: 405 }));
  };
}

function failed({ log }: ApiOptions): ErrorRequestHandler {
  return (error: unknown, _request, response: Response, next) => {
    if (response.headersSent) return next(error);
    const known = asAppError(error);
    const requestId = requestIdOf(response);
    const problem = problemOf(known, requestId);
    if (problem.status >= 500 && problem.code === "internal")
      log.error({ err: error, correlationId: requestId }, "a request to the API failed");
    if (known instanceof AppError && known.code === "unauthenticated") response.set("WWW-Authenticate", 'Bearer realm="Rollcall"');
    if (known instanceof AppError && known.retryAfter !== undefined) response.set("Retry-After", String(Math.ceil(known.retryAfter)));
    response.status(problem.status).type("application/problem+json").send(JSON.stringify(problem));
  };
}

/** What Express and PostgreSQL throw, in our words. */
function asAppError(error: unknown): unknown {
  if (error instanceof AppError || typeof error !== "object" || error === null) return error;
  const { status, code } = error as { status?: unknown; code?: unknown };
  if (status === 413) return new AppError("too_large", "The body is larger than this route takes.", { field: "body", cause: error });
  if (typeof status === "number" && status >= 400 && status < 500)
    return new AppError("invalid", `The request can't be read: ${messageOf(error)}`, { field: "body", cause: error });
  // RFC 3629 text that PostgreSQL has no word for (U+0000), and two changes that met.
  if (code === "22021" || code === "22P05")
    return new AppError("invalid", "The request holds text that can't be stored (U+0000).", { cause: error });
  // What a cursor or a time may hold, and the database can't compare with.
  if (typeof code === "string" && OUT_OF_RANGE.has(code))
    return new AppError("invalid", "The request holds a number, a time or a cursor that is out of range.", { cause: error });
  return passingFailure(error) ?? error;
}

/** Numbers, times and other texts that are none of their type, or too large for it. */
const OUT_OF_RANGE: ReadonlySet<string> = new Set(["22003", "22007", "22008", "22P02"]);
