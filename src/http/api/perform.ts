import { reachOf, requirePermission, type Caller, type Reach, type Thing } from "../../access/policy.ts";
import type { OwnPermission } from "../../access/own-permissions.ts";
import type { Context } from "../../context.ts";
import { inTransaction, type Sql } from "../../db/database.ts";
import type { SharedAnswers } from "../../db/shared-answers.ts";
import { requireStanding } from "../../auth/credential-stands.ts";
import { AppError } from "../../errors.ts";
import { askedAnew } from "./asked-anew.ts";
import { isKnown, versionsMatched, versionTag, type AskedVersions } from "./entity-tag.ts";
import { inMemory } from "./from-memory.ts";
import { once, onceApart, type KeptAnswer } from "./idempotency.ts";
import { parsed } from "./problem.ts";
import { requireRecentProof } from "./recent-proof.ts";
import type { ApiCall, ApiOptions, Route } from "./route.ts";
import { isSpecial, type Special } from "./special.ts";
import { sharedReach } from "./shared-reach.ts";
import { refuseTooDeep, refuseUnstorable } from "./storable.ts";

/** A request as the frame sees it, whichever way it came: by HTTP, or as a line of a bulk request. */
export interface ApiRequest {
  /** Where the API was called: `/api/v1`, or `/console/api/v1`. */
  base: string;
  /** Below it, with its values filled in. */
  path: string;
  params: Readonly<Record<string, string>>;
  query: Readonly<Record<string, unknown>>;
  body: unknown;
  ifMatch?: string | undefined;
  ifNoneMatch?: string | undefined;
  accept?: string | undefined;
  lastEventId?: string | undefined;
  idempotencyKey?: string | undefined;
}

export interface Performed {
  ctx: Context;
  /** Null on public routes. */
  caller: Caller | null;
  options: ApiOptions;
  /** Where callers hold permissions, asked once for requests that ask it at the same moment; for each request by itself when absent. */
  reaches?: SharedAnswers<Reach> | undefined;
  /** The transaction to work in; one of its own when absent. */
  sql?: Sql | undefined;
}

export type ApiAnswer = KeptAnswer | { status: number; headers: Readonly<Record<string, string>>; special: Special };

/** One request, from who may call to the answer: permission, input, handler, output. Throws AppError. */
export async function perform(route: Route, { request, ...by }: Performed & { request: ApiRequest }): Promise<ApiAnswer> {
  if (route.body) refuseTooDeep(request.body);
  const ifVersion = route.method === "get" ? null : versionAsked(route, request.ifMatch);
  const { ctx, options, sql: given } = by;
  const run = (sql: Sql) => answered(route, { request, ...by, sql, ifVersion });
  if (given) return run(given);
  if (route.method === "get") return run(options.db.readPool);
  const { db, keyRing } = options;
  const { idempotencyKey: key, method, path, body } = { ...request, method: route.method };
  const keyed =
    route.idempotent && key !== undefined
      ? {
          caller: by.caller?.credential ?? ctx.actor,
          key,
          method,
          path,
          body,
          keyRing,
          allow: (sql: Sql) => stillAllowed(route, { request, ...by, sql }),
        }
      : null;
  if (route.ownTransactions) {
    const performed = () => run(db.pool);
    return keyed ? onceApart(db, ctx, { ...keyed, perform: async () => keepable(await performed()) }) : performed();
  }
  return inTransaction(db, ctx, (work) => {
    const performed = () => run(work.sql);
    return keyed ? once(work, { ...keyed, perform: async () => keepable(await performed()) }) : performed();
  });
}

/** The versions that are asked for; null for any. Throws `precondition_failed`, also where nothing has a version that could be compared. */
function versionAsked({ versioned }: Route, ifMatch: string | undefined): AskedVersions {
  if (versioned === true) return versionsMatched(ifMatch);
  if (ifMatch === undefined || versioned === "own-tags") return null;
  if (versioned === "if-sent" || ifMatch.trim() === "*") return versionsMatched(ifMatch);
  throw new AppError("precondition_failed", "This request compares no version: send it without If-Match.", { field: "If-Match" });
}

/** What a route asks of whoever calls it, before it is told again what it answered: a right may have gone since. Throws as the route does. */
async function stillAllowed(
  route: Route,
  { request, caller, ctx, sql, options }: Performed & { request: ApiRequest; sql: Sql },
): Promise<void> {
  const { access } = route;
  if (route.sensitive) requireRecentProof(caller, { now: ctx.now(), minutes: options.signIn.session.stepUpMinutes });
  if (typeof access !== "object" || caller === null) return;
  // Which thing a handler would have asked about is known to it alone.
  const thing = access.on === "handler" ? ({ anywhere: true } as const) : thingOf(access.on, request.params);
  await requirePermission(sql, { caller, permission: access.permission, at: ctx.now(), thing });
}

/** Whoever calls a public route: to ask who that is, is a mistake. A getter of each call's own would keep it in memory (see LazyContext). */
const NOBODY = new Proxy<Caller>(
  { actor: "system", credential: "none", personId: null, permissions: [], unitIds: [] },
  {
    get() {
      throw new Error("a public route has no caller");
    },
  },
);

async function answered(route: Route, by: Performed & { request: ApiRequest; sql: Sql; ifVersion: AskedVersions }): Promise<ApiAnswer> {
  const { request, caller, ctx, sql, options, ifVersion } = by;
  refuseUnstorable(request.params);
  refuseUnstorable(request.query);
  const params = route.params ? parsed(route.params, request.params, { what: "path" }) : undefined;
  const asked = new Set<string>();
  // A read is of one moment: where its caller holds a permission is asked once.
  const held = new Map<string, Reach>();
  const together = route.method === "get" && sql === options.db.readPool ? by.reaches : undefined;
  const reachNow = (permission: OwnPermission) =>
    together
      ? sharedReach(sql, { reaches: together, caller: known(), permission, now: ctx.now })
      : reachOf(sql, { caller: known(), permission, at: ctx.now() });
  const known = (): Caller => {
    if (caller === null) throw new Error(`${route.path} is public: it has no caller`);
    return caller;
  };
  const call: ApiCall = {
    ctx,
    sql,
    options,
    base: request.base,
    ifVersion,
    ifMatch: request.ifMatch,
    ifNoneMatch: request.ifNoneMatch,
    accept: request.accept,
    lastEventId: request.lastEventId,
    caller: caller ?? NOBODY,
    async reach(permission) {
      asked.add(permission);
      const reach = held.get(permission) ?? (await reachNow(permission));
      if (route.method === "get") held.set(permission, reach);
      return reach;
    },
    inMemory(permission) {
      asked.add(permission);
      return inMemory(sql, { snapshot: options.accessSnapshot, caller: known(), permission, at: ctx.now() });
    },
    async require(permission, thing) {
      asked.add(permission);
      const asking = { reach: held.get(permission) ?? (await reachNow(permission)), thing };
      const reach = await requirePermission(sql, { caller: known(), permission, at: ctx.now(), ...asking });
      if (route.method === "get") held.set(permission, reach);
      return reach;
    },
    async requireStanding() {
      const { credential } = known();
      await requireStanding(sql, { credential, now: ctx.now(), idleMinutes: options.signIn.session.idleMinutes });
    },
  };
  const { access } = route;
  if (route.sensitive) requireRecentProof(caller, { now: ctx.now(), minutes: options.signIn.session.stepUpMinutes });
  if (typeof access === "object" && access.on !== "handler")
    await (route.fromMemory ? call.inMemory(access.permission) : call.require(access.permission, thingOf(access.on, params)));
  const query = route.query ? parsed(route.query, request.query, { what: "query" }) : undefined;
  if (!route.query && Object.keys(request.query).length > 0)
    throw new AppError("invalid", `${Object.keys(request.query)[0]}: this route has no query parameters.`, { field: "query" });
  const body = route.body ? parsed(route.body, request.body, { what: "body" }) : request.body;
  if (route.body) refuseUnstorable(request.body);
  const result = await route.handler(call, { params, query, body });
  if (typeof access === "object" && !asked.has(access.permission))
    throw new Error(`${route.method} ${route.path} did not ask for ${access.permission}`);
  if (!isSpecial(result)) return shaped(route, { result, request });
  const ask = async () => {
    // Where the caller held it when the stream began says nothing of now.
    held.clear();
    await call.requireStanding();
    if (typeof access === "object" && access.on !== "handler") await call.require(access.permission, thingOf(access.on, params));
  };
  const special =
    result.special === "events"
      ? { ...result, events: (signal: AbortSignal) => askedAnew({ events: result.events, signal, ask }) }
      : result;
  return { status: route.status ?? 200, headers: {}, special };
}

/** Only what the schema names goes out. */
function shaped(route: Route, { result, request }: { result: unknown; request: ApiRequest }): KeptAnswer {
  if (!route.answer) return { status: route.status ?? 204, headers: {}, body: undefined };
  const body = route.answer.parse(result);
  const headers: Record<string, string> = {};
  const { version, id } = body as { version?: unknown; id?: unknown };
  if (typeof version === "number") headers["ETag"] = versionTag(version, body);
  if (route.status === 201 && (typeof id === "string" || typeof id === "number"))
    headers["Location"] = `${request.base}${request.path.replace(/\/$/, "")}/${encodeURIComponent(id)}`;
  if (route.method === "get" && headers["ETag"] !== undefined && isKnown(request.ifNoneMatch, headers["ETag"]))
    return { status: 304, headers, body: undefined };
  return { status: route.status ?? 200, headers, body };
}

type Place = Exclude<Extract<Route["access"], object>["on"], "handler">;

function thingOf(on: Place, params: unknown): Thing {
  if (on === "organisation") return { organisation: true };
  if (on === "anywhere") return { anywhere: true };
  const value = (name: string) => String((params as Readonly<Record<string, unknown>>)[name]);
  return "unit" in on ? { unitId: value(on.unit) } : { personId: value(on.person) };
}

function keepable(answer: ApiAnswer): KeptAnswer {
  if ("special" in answer) throw new Error("a route that takes an Idempotency-Key answers with JSON");
  return answer;
}
