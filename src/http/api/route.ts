import type { Logger } from "pino";
import type { z } from "zod";
import type { Config } from "../../config.ts";
import type { Context } from "../../context.ts";
import type { Database, Sql, Work } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import type { OwnPermission } from "../../access/own-permissions.ts";
import type { Caller, Reach, Thing } from "../../access/policy.ts";
import type { AccessSnapshot } from "../../access/snapshot/snapshot.ts";
import type { Turns } from "../../auth/passwords/turns.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";
import type { Authenticate } from "./authenticate.ts";
import type { AskedVersions } from "./entity-tag.ts";
import type { InMemory } from "./from-memory.ts";
import type { Special } from "./special.ts";

/** What the administration API is wired with. */
export interface ApiOptions {
  db: Database;
  keyRing: KeyRing;
  log: Logger;
  now: () => Date;
  /** Who calls; by bearer token when absent. */
  authenticate?: Authenticate;
  /** Effective access in memory, for other systems' questions. */
  accessSnapshot: AccessSnapshot;
  /** What connections may reach. */
  network?: Config["outbound"] | undefined;
  /** Folders of this server that connections may be pointed to. */
  connectionFolders: readonly string[];
  /** How people sign in. */
  signIn: SignInSettings;
  /** The turns of all who have a password hashed or looked at: each takes memory and a thread for itself. */
  turns: Turns;
  /** The turns of previews: each holds a connection and the people that it compares, and keeps the process busy for seconds. */
  previewTurns: Turns;
  /** Where people's browsers reach this server, without a slash at the end. */
  baseUrl: string;
  /** Where systems outside reach this server; absent where nobody said so. */
  publicUrl?: string | undefined;
  /** Largest JSON body, in bytes. */
  bodyLimit: number;
  /** Aborts when the server is about to stop. */
  stopping?: AbortSignal | undefined;
}

/**
 * Who may call a route. All but `public` need a valid credential.
 * - `signed-in`: whoever comes with one; what is shown is the caller's own.
 * - `on` a thing: the frame asks before the handler runs. `unit` and `person` name the path's parameter that says which.
 * - `anywhere`: whoever holds the permission somewhere (people on themselves included); the handler narrows what it reads with `reach`.
 * - `handler`: what it is asked for stands in the body. The handler calls `require` or `reach`; an answer without that is not sent.
 */
export type Access =
  | "public"
  | "signed-in"
  | { permission: OwnPermission; on: "organisation" | "anywhere" | "handler" | { unit: string } | { person: string } };

/** What a handler works with. `sql` is a transaction's connection for changes, and reads only for GET. */
export interface ApiCall extends Work {
  ctx: Context;
  sql: Sql;
  caller: Caller;
  options: ApiOptions;
  /** Where the API was called: `/api/v1`, or `/console/api/v1`. */
  base: string;
  /** Where the caller holds the permission; for narrowing lists. */
  reach(permission: OwnPermission): Promise<Reach>;
  /** As `require` anywhere, with what this node has in memory, right within a second; on routes that are `fromMemory`. */
  inMemory(permission: OwnPermission): Promise<InMemory>;
  /** Refuses what the caller may not do. Throws `forbidden`, or `not_found` for what the caller may not even know of. */
  require(permission: OwnPermission, thing: Thing): Promise<Reach>;
  /** For answers that go on for long: refuses a credential that has ended since the request came. Throws `unauthenticated`. */
  requireStanding(): Promise<void>;
  /** The versions that If-Match names; null for `*`. Only on routes that are `versioned`. */
  ifVersion: AskedVersions;
  /** The headers of the same names, for what has tags of its own. */
  ifMatch: string | undefined;
  ifNoneMatch: string | undefined;
  accept: string | undefined;
  /** The last server-sent event that the caller has seen (Last-Event-ID). */
  lastEventId: string | undefined;
}

/** Bytes as they are sent, instead of JSON. */
export interface UploadOptions {
  /** Media types that are taken; `image/*` for a family. */
  types: readonly string[];
  mostBytes: number;
  /** What is said of types that are sent often and not taken; of all others what is. */
  refused?: Readonly<Record<string, string>>;
}

export type Method = "get" | "post" | "put" | "patch" | "delete";

/** One route: everything that the frame, the OpenAPI document and the test of who may call need to know of it. */
export interface RouteDefinition<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, A extends z.ZodType> {
  method: Method;
  /** Below /api/v1, parameters in braces: `/people/{id}`. */
  path: string;
  /** One line, for whoever reads the list of routes. */
  summary: string;
  description?: string;
  /** The noun that it stands under in the documentation. */
  tag: string;
  access: Access;
  params?: P;
  query?: Q;
  body?: B;
  /** A body as somebody might send it, for the documentation. */
  example?: z.input<B>;
  upload?: UploadOptions;
  /** 200 when absent; 204 when there is no answer. */
  status?: 200 | 201 | 202 | 204;
  answer?: A;
  /** The media type of an answer that is not JSON: `text/csv`, `text/event-stream`, `image/webp`. */
  sends?: string;
  /**
   * GET: the answer's `version` is its entity tag. Changes: `true`: If-Match is needed, and the handler refuses another version; `if-sent`:
   * the same where it is sent, for what must not wait for a reading; `own-tags`: the handler compares If-Match with tags of its own.
   * Everything else refuses an If-Match that it would have to pass over.
   */
  versioned?: true | "if-sent" | "own-tags";
  /** Takes an Idempotency-Key: sent again with the same one, a create answers what it answered and creates nothing. */
  idempotent?: true;
  /** Somebody who is signed in must have proven lately that it is them. */
  sensitive?: true;
  /**
   * What it locks beside the rows that it changes: `administrators` where the last one's rights may end, `rules` (and administrators)
   * where a rule is saved. A bulk request takes it before its first operation.
   */
  locks?: "administrators" | "rules";
  /** Runs outside of one transaction, because it makes its own or talks to others: `sql` is the pool. */
  ownTransactions?: true;
  /**
   * Answered from memory as of an instant at most a second ago, or not at all: who calls, and may, is found there, too, while the node is
   * in step, and else asked of the database. Only for `anywhere`.
   */
  fromMemory?: true;
  handler(call: ApiCall, input: { params: z.output<P>; query: z.output<Q>; body: z.output<B> }): Promise<z.input<A> | Special>;
}

/** A route whose input types are forgotten: what the frame handles. */
export type Route = Omit<RouteDefinition<z.ZodType, z.ZodType, z.ZodType, z.ZodType>, "handler"> & {
  handler(call: ApiCall, input: { params: unknown; query: unknown; body: unknown }): Promise<unknown>;
};

/** Defines a route; the handler's input has the types of its schemas. */
export function route<
  P extends z.ZodType = z.ZodUndefined,
  Q extends z.ZodType = z.ZodUndefined,
  B extends z.ZodType = z.ZodUndefined,
  A extends z.ZodType = z.ZodUndefined,
>(definition: RouteDefinition<P, Q, B, A>): Route {
  // The frame parses with the same schemas before it calls the handler.
  return definition as unknown as Route;
}
