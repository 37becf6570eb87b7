import { randomBytes, randomUUID } from "node:crypto";
import type { Server } from "node:http";
import express from "express4";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

/** A resource as this application keeps it. */
export interface StoredResource {
  id: string;
  meta: { created: string; lastModified: string };
  [attribute: string]: unknown;
}

/** One thing that happened to a user, in order: what a test or an onlooker can prove an outcome with. */
export interface HistoryEntry {
  at: Date;
  change: "created" | "updated" | "deleted";
  active: boolean | undefined;
}

/** A SCIM 2.0 application that somebody else wrote (scimmy, scimmy-routers), in memory, with levers for trouble. */
export interface Downstream {
  /** The SCIM base, ending in /scim. */
  url: string;
  token: string;
  users(): StoredResource[];
  groups(): StoredResource[];
  history(userId: string): readonly HistoryEntry[];
  /** Requests that arrived, by `METHOD /path` with ids left out. */
  requests(): Readonly<Record<string, number>>;
  requestCount(): number;
  /** The next `count` requests (of `method` only, when given) answer `status` and do nothing. */
  failNext(count: number, failure: { status: number; method?: string; retryAfter?: string; detail?: string }): void;
  /** Every request of `method` waits so long before it is answered; the work is done first, so that a caller may die in between. */
  delayAnswers(milliseconds: number, method?: string): void;
  /** Changes a stored user behind Rollcall's back. */
  tamper(userId: string, attributes: Readonly<Record<string, unknown>>): void;
  tamperGroup(groupId: string, attributes: Readonly<Record<string, unknown>>): void;
  /** Puts a user there that Rollcall knows nothing of, under the given id where there is one. */
  seedUser(attributes: Readonly<Record<string, unknown>>): StoredResource;
  forget(userId: string): void;
  forgetGroup(groupId: string): void;
  stop(): Promise<void>;
}

interface Store {
  users: Map<string, StoredResource>;
  groups: Map<string, StoredResource>;
  history: Map<string, HistoryEntry[]>;
}

interface Failure {
  status: number;
  method?: string;
  retryAfter?: string;
  detail?: string;
}

interface Handled {
  id?: string;
  filter?: Filter;
}

/** scimmy's: a list of alternatives, each attribute with its comparison. */
interface Filter extends ReadonlyArray<Readonly<Record<string, unknown>>> {
  match(values: unknown[]): unknown[];
}

/** scimmy's handlers are one for the process: each request brings its own store as context. */
function declareResources(): void {
  if (SCIMMY.Resources.declared(SCIMMY.Resources.User)) return;
  SCIMMY.Resources.declare(SCIMMY.Resources.User)
    .extend(SCIMMY.Schemas.EnterpriseUser, false)
    .ingress((resource, data, store) => writeUser(store as Store, resource as Handled, data))
    .egress((resource, store) => read((store as Store).users, resource as Handled) as never)
    .degress((resource, store) => remove({ store: store as Store, resource: resource as Handled, kind: "users" }));
  SCIMMY.Resources.declare(SCIMMY.Resources.Group)
    .ingress((resource, data, store) => write((store as Store).groups, resource as Handled, plain(data)) as never)
    .egress((resource, store) => read((store as Store).groups, resource as Handled) as never)
    .degress((resource, store) => remove({ store: store as Store, resource: resource as Handled, kind: "groups" }));
}

function plain(data: unknown): Record<string, unknown> {
  return JSON.parse(JSON.stringify(data)) as Record<string, unknown>;
}

function writeUser(store: Store, resource: Handled, data: unknown): never {
  const attributes = plain(data);
  const userName = String(attributes["userName"]).toLowerCase();
  for (const other of store.users.values()) {
    if (other.id !== resource.id && String(other["userName"]).toLowerCase() === userName) {
      throw new SCIMMY.Types.Error(409, "uniqueness", `userName ${String(attributes["userName"])} is taken`);
    }
  }
  const known = resource.id !== undefined;
  const stored = write(store.users, resource, { active: true, ...attributes });
  note(store, stored, known ? "updated" : "created");
  return stored as never;
}

function write(resources: Map<string, StoredResource>, resource: Handled, attributes: Record<string, unknown>): StoredResource {
  const existing = resource.id === undefined ? undefined : resources.get(resource.id);
  if (resource.id !== undefined && !existing) throw new SCIMMY.Types.Error(404, "", `Resource ${resource.id} not found`);
  const now = new Date().toISOString();
  const id = resource.id ?? randomUUID();
  const stored: StoredResource = { ...attributes, id, meta: { created: existing?.meta.created ?? now, lastModified: now } };
  resources.set(id, stored);
  return stored;
}

function read(resources: Map<string, StoredResource>, { id, filter }: Handled): StoredResource | StoredResource[] {
  if (id !== undefined) {
    const found = resources.get(id);
    if (!found) throw new SCIMMY.Types.Error(404, "", `Resource ${id} not found`);
    return found;
  }
  const all = [...resources.values()];
  return filter ? (filter.match(candidates(all, filter)) as StoredResource[]) : all;
}

/** A real application has an index of its logins; scimmy's filter would look at every user for each request. */
function candidates(all: StoredResource[], filter: Filter): StoredResource[] {
  const [only, ...others] = filter;
  const comparison = others.length === 0 ? only?.["userName"] : undefined;
  if (!Array.isArray(comparison) || comparison[0] !== "eq") return all;
  const wanted = String(comparison[1]).toLowerCase();
  return all.filter(({ userName }) => String(userName).toLowerCase() === wanted);
}

function remove({ store, resource, kind }: { store: Store; resource: Handled; kind: "users" | "groups" }): void {
  const found = resource.id === undefined ? undefined : store[kind].get(resource.id);
  if (!found) throw new SCIMMY.Types.Error(404, "", `Resource ${resource.id ?? ""} not found`);
  store[kind].delete(found.id);
  if (kind === "users") note(store, found, "deleted");
}

function note(store: Store, user: StoredResource, change: HistoryEntry["change"]): void {
  const entries = store.history.get(user.id) ?? [];
  entries.push({ at: new Date(), change, active: typeof user["active"] === "boolean" ? user["active"] : undefined });
  store.history.set(user.id, entries);
}

/** Starts the application on 127.0.0.1; a free port when none is given. */
export async function startDownstream({
  port = 0,
  token = randomBytes(24).toString("hex"),
}: { port?: number; token?: string } = {}): Promise<Downstream> {
  declareResources();
  const store: Store = { users: new Map(), groups: new Map(), history: new Map() };
  const counts: Record<string, number> = {};
  const failures: Failure[] = [];
  const delays = new Map<string, number>();

  const app = express();
  app.disable("x-powered-by");
  app.use((request, response, next) => {
    const name = `${request.method} ${request.path.replace(/\/(Users|Groups)\/[^/]+/, "/$1/:id")}`;
    counts[name] = (counts[name] ?? 0) + 1;
    const at = failures.findIndex((failure) => failure.method === undefined || failure.method === request.method);
    const [failure] = at < 0 ? [] : failures.splice(at, 1);
    if (failure) {
      if (failure.retryAfter) response.setHeader("retry-after", failure.retryAfter);
      response.status(failure.status).type("application/scim+json");
      response.send(
        JSON.stringify({
          schemas: ["urn:ietf:params:scim:api:messages:2.0:Error"],
          status: String(failure.status),
          detail: failure.detail ?? `Failing on purpose with ${failure.status}`,
        }),
      );
      return;
    }
    const wait = delays.get(request.method) ?? delays.get("*") ?? 0;
    if (wait > 0) {
      const end = response.end.bind(response) as (...parts: unknown[]) => typeof response;
      response.end = ((...parts: unknown[]) => {
        setTimeout(() => end(...parts), wait).unref();
        return response;
      }) as typeof response.end;
    }
    next();
  });
  SCIMMY.Config.set("authenticationSchemes", []);
  app.use(
    "/scim",
    new SCIMMYRouters({
      type: "bearer",
      handler: (request) => {
        if (request.header("authorization") !== `Bearer ${token}`) throw new Error("The bearer token is not known here");
        return "rollcall";
      },
      context: () => store,
    }),
  );
  const server = await new Promise<Server>((resolve, reject) => {
    const listening: Server = app.listen(port, "127.0.0.1", () => resolve(listening));
    listening.once("error", reject);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The downstream application has no port");

  return {
    url: `http://127.0.0.1:${address.port}/scim`,
    token,
    users: () => structuredClone([...store.users.values()]),
    groups: () => structuredClone([...store.groups.values()]),
    history: (userId) => store.history.get(userId) ?? [],
    requests: () => ({ ...counts }),
    requestCount: () => Object.values(counts).reduce((sum, count) => sum + count, 0),
    failNext: (count, failure) => {
      for (let left = count; left > 0; left--) failures.push(failure);
    },
    delayAnswers: (milliseconds, method = "*") => delays.set(method, milliseconds),
    tamper: (userId, attributes) => {
      const user = store.users.get(userId);
      if (!user) throw new Error(`There is no user ${userId}`);
      store.users.set(userId, { ...user, ...attributes });
    },
    tamperGroup: (groupId, attributes) => {
      const group = store.groups.get(groupId);
      if (!group) throw new Error(`There is no group ${groupId}`);
      store.groups.set(groupId, { ...group, ...attributes });
    },
    seedUser: (attributes) => {
      const { id } = attributes;
      const stored = write(store.users, {}, { active: true, ...attributes });
      if (typeof id === "string") {
        store.users.delete(stored.id);
        store.users.set(id, Object.assign(stored, { id }));
      }
      note(store, stored, "created");
      return stored;
    },
    forget: (userId) => void store.users.delete(userId),
    forgetGroup: (groupId) => void store.groups.delete(groupId),
    stop: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
        server.closeAllConnections();
      }),
  };
}
