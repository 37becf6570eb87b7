import { loadConnection, type LoadedConnection } from "../../connections/open.ts";
import type { AttributeObject } from "../../../connectors/contract.ts";
import { inTransaction, type Work } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { AppError } from "../../errors.ts";
import { noteHeldRequest, syncOne, touchedBy } from "../../sync/one.ts";
import { isDeadlock } from "../../sync/request/contention.ts";
import { lockWhereSteering } from "../../sync/request/keep-administrator.ts";
import type { Proof } from "../../sync/request/look.ts";
import type { Call, ScimDoorOptions } from "./call.ts";
import { viewOf } from "./call-view.ts";
import { coerceResource } from "./coerce.ts";
import { sameJson, type JsonObject } from "./json.ts";
import { PROFILES } from "./dialects/profiles/index.ts";
import { knownChange, knownMembers } from "./known-members.ts";
import { guardMembers } from "./member-guard.ts";
import { refuseImmutable, withActive, withImmutable } from "./mutability.ts";
import { applyPatch } from "./patch/apply.ts";
import { memberChange, memberIds, type MemberChange } from "./patch/members.ts";
import { readOperations } from "./patch/operations.ts";
import { replacedBy, withOthersAttributes } from "./person-client.ts";
import { requireVersion, type Preconditions } from "./preconditions.ts";
import type { Found } from "./read.ts";
import type { WritableType } from "./resource-type.ts";
import { refuseSameGroup } from "./same-group.ts";
import { isUuid, parameters } from "./view.ts";
import { changeMembersOfGroup, changeUserAtOnce, createUserAtOnce, type NotAtOnce } from "./write-at-once.ts";

/** One write, told apart from how it came. */
export interface WriteOptions {
  type: WritableType;
  call: Call;
}

export interface ChangeOptions extends WriteOptions {
  id: string;
  preconditions: Preconditions;
}

type CreateOptions = WriteOptions & { body: JsonObject };
type BodyOptions = ChangeOptions & { body: JsonObject };

export interface Written {
  id: string;
  created: boolean;
  /** What a read would answer, where that is known without one. */
  found?: Found;
  /** The weak entity tag afterwards, where that is known without a read. */
  etag?: string;
}

/** By one statement, for a client that may only be remembered: then the statement's look proves it. */
interface AtOnceOptions {
  proof?: Proof | undefined;
}

/** Takes in a new resource. Throws `invalid`; `conflict` when its name is taken; `held` when a guard trips. */
export async function createResource(door: ScimDoorOptions, options: CreateOptions): Promise<Written> {
  const made = await createAtOnce(door, options);
  if (typeof made !== "string") return made;
  const { type, call, body } = options;
  const { resource, members: named = [] } = split({ type, call }, coerceResource(type.schema, body));
  const members = await knownMembers(door, { call, ids: named });
  return write(door, call, async (work, connection) => {
    if (type.kind === "group") await refuseSameGroup(work.sql, { connectionId: connection.id, group: resource });
    const record = type.kind === "group" ? { resource, members: { set: members } } : { resource: { active: true, ...resource } };
    return await syncOne(work, {
      connection,
      keyRing: door.keyRing,
      record: { kind: type.kind, ...record, resource: outbound(record.resource) },
    });
  });
}

/** The same as far as one statement does it. Throws `invalid`. */
export async function createAtOnce(
  door: ScimDoorOptions,
  { type, call, body, proof }: CreateOptions & AtOnceOptions,
): Promise<Written | NotAtOnce> {
  if (type.kind !== "user") return "general";
  const resource = coerceResource(type.schema, body);
  withOthersAttributes(call, { id: undefined, before: {}, after: resource });
  return createUserAtOnce(door, { call, proof, schema: type.schema, resource: { active: true, ...resource } });
}

/** Puts a resource in another's place. Members stay as they are when they are not in the body at all. Throws as createResource does, and `not_found`. */
export function replaceResource(door: ScimDoorOptions, options: BodyOptions): Promise<Written> {
  return changeResource(door, { ...options, asked: replacement(options) });
}

/** The same as far as one statement does it. Throws `invalid`, `precondition_failed` and `held`. */
export function replaceAtOnce(door: ScimDoorOptions, options: BodyOptions & AtOnceOptions): Promise<Written | NotAtOnce> {
  return changeAtOnce(door, { ...options, asked: replacement(options) });
}

/** Carries out a PATCH: all of it or nothing; one that changes nothing leaves the version alone. Throws as replaceResource does. */
export function patchResource(door: ScimDoorOptions, options: BodyOptions): Promise<Written> {
  return changeResource(door, { ...options, asked: patching(options) });
}

/** The same as far as one statement does it. Throws as replaceAtOnce does. */
export function patchAtOnce(door: ScimDoorOptions, options: BodyOptions & AtOnceOptions): Promise<Written | NotAtOnce> {
  return changeAtOnce(door, { ...options, asked: patching(options) });
}

/** What a request makes of a resource. */
interface Asked {
  /** The whole resource afterwards, from what it is. */
  next(held: JsonObject): JsonObject;
  change: MemberChange | undefined;
  /** Nothing but members changes. */
  membersAlone: boolean;
}

function replacement({ type, call, body, id }: BodyOptions): Asked {
  const { resource, members } = split({ type, call }, coerceResource(replacedBy(call, type.schema), body));
  const cleared = type.kind === "group" && Object.keys(body).some((name) => name.toLowerCase() === "members");
  return {
    change: members ? { set: members } : cleared ? { set: [] } : undefined,
    membersAlone: false,
    next(held) {
      const after = withImmutable(type.schema, { before: held, after: withActive(type.schema, { before: held, after: resource }) });
      refuseImmutable(type.schema, { before: held, after });
      return type.kind === "user" ? withOthersAttributes(call, { id, before: held, after }) : after;
    },
  };
}

function patching({ type, call, body, id }: BodyOptions): Asked {
  const operations = readOperations(type.schema, body);
  const isMembers = (name: string | undefined) => type.kind === "group" && name === "members";
  const onMembers = operations.filter(({ path }) => isMembers(path.attribute?.name));
  const others = operations.filter(({ path }) => !isMembers(path.attribute?.name));
  const { createsAbsent } = PROFILES[call.dialect];
  return {
    change: memberChange({
      operations: onMembers,
      replace: call.settings.replaceMembers,
      unknown: call.settings.unknownMembers,
    }),
    membersAlone: others.length === 0,
    next(held) {
      const patched = applyPatch(held, { schema: type.schema, operations: others, createsAbsent });
      const after = withActive(type.schema, { before: held, after: patched });
      return type.kind === "user" ? withOthersAttributes(call, { id, before: held, after }) : after;
    },
  };
}

type Asking = ChangeOptions & { asked: Asked };

async function changeAtOnce(
  door: ScimDoorOptions,
  { type, call, id, preconditions, asked: { next, change, membersAlone }, proof }: Asking & AtOnceOptions,
): Promise<Written | NotAtOnce> {
  if (type.kind === "user")
    return noted(door, call, () => changeUserAtOnce(door, { call, proof, id, schema: type.schema, preconditions, next }));
  if (!change || !("add" in change) || change.typed || !membersAlone) return "general";
  // Who is not there for a client that sees only its own is looked up when it is proved.
  if (proof && call.visibility === "own") return "general";
  return changeMembersOfGroup(door, { call, proof, id, preconditions, change });
}

async function changeResource(door: ScimDoorOptions, options: Asking): Promise<Written> {
  const { type, call, id, preconditions, asked } = options;
  const { next } = asked;
  const change = asked.change && (await knownChange(door, { call, groupId: id, change: asked.change }));
  const written = await changeAtOnce(door, { ...options, asked: { ...asked, change } });
  if (typeof written !== "string") return written;
  return write(door, call, async (work, connection) => {
    await awaitAdministrators(work, { type, id, members: change });
    const { document: held, etag } = await lockedDocument(work, { type, call, id, preconditions });
    const resource = next(held);
    if (!change && sameJson(held, resource)) return { id, created: false, etag };
    const made = await changed(work, { connection, keyRing: door.keyRing, type, id, resource, members: change });
    // Before anybody else may change it: a later version would vouch for what this client has not seen.
    const after = await versionNow(work, { type, call, id });
    return after === undefined ? made : { ...made, etag: after };
  });
}

/** Takes a client's account away. Throws `not_found`; `held` when too many go at once. */
export async function deleteResource(door: ScimDoorOptions, { type, call, id, preconditions }: ChangeOptions): Promise<void> {
  await write(door, call, async (work, connection) => {
    await awaitAdministrators(work, { type, id, members: undefined });
    await lockedDocument(work, { type, call, id, preconditions });
    return await syncOne(work, { connection, keyRing: door.keyRing, record: { kind: type.kind, id, resource: {}, deleted: true } });
  });
}

interface Changed {
  connection: LoadedConnection;
  keyRing: KeyRing;
  type: WritableType;
  id: string;
  resource: JsonObject;
  members: MemberChange | undefined;
}

async function changed(work: Work, { connection, keyRing, type, id, resource, members }: Changed): Promise<Written> {
  if (members && "set" in members) await guardMembers(work, { connection, groupId: id, keep: members.set });
  return await syncOne(work, {
    connection,
    keyRing,
    record: { kind: type.kind, id, resource: outbound(resource), ...(members ? { members } : {}) },
  });
}

/** A group's members go another way than its attributes. */
function split({ type, call }: WriteOptions, whole: JsonObject): { resource: JsonObject; members: string[] | undefined } {
  if (type.kind !== "group") return { resource: whole, members: undefined };
  const { members, ...resource } = whole;
  return { resource, members: members === undefined ? undefined : memberIds(members, { unknown: call.settings.unknownMembers }) };
}

/** Administrators are locked before people and groups. */
async function awaitAdministrators(work: Work, { type, id, members }: Pick<Changed, "type" | "id" | "members">): Promise<void> {
  if (isUuid(id)) await lockWhereSteering(work, touchedBy({ kind: type.kind, ...(members ? { members } : {}) }, id));
}

/** What this client's record is made of, its row locked first and then read, so that nobody's change in between is lost. Throws `not_found`; `precondition_failed` when it has moved on. */
async function lockedDocument(
  { sql }: Work,
  { type, call, id, preconditions }: ChangeOptions,
): Promise<{ document: JsonObject; etag: string }> {
  if (!isUuid(id)) throw notFound(type, id);
  const given = parameters();
  // The whole record, whoever asks: what is kept back from them stays in it.
  const view = viewOf({ ...call, reader: undefined }, { type, parameters: given });
  await sql.query(`select 1 from ${view.table} where ${view.id} = $1::uuid for update`, [id]);
  const { rows } = await sql.query<{ document: JsonObject; version: string; active: boolean | null }>(
    `select ${view.document} as document, ${view.version} as version, ${view.columns.get("active")?.sql ?? "null"} as active
     from ${view.table} ${view.joins} where ${view.id} = ${given.add(id)}::uuid and ${view.visible}`,
    given.values,
  );
  const row = rows[0];
  if (!row) throw notFound(type, id);
  requireVersion(preconditions, { type: type.schema.type, id, version: row.version });
  return { document: withStatus(row), etag: row.version };
}

/** The entity tag as this transaction leaves it; undefined for what the client no longer sees. */
async function versionNow({ sql }: Work, { type, call, id }: Omit<ChangeOptions, "preconditions">): Promise<string | undefined> {
  const given = parameters();
  const view = viewOf({ ...call, reader: undefined }, { type, parameters: given });
  const { rows } = await sql.query<{ version: string }>(
    `select ${view.version} as version from ${view.table} ${view.joins} where ${view.id} = ${given.add(id)}::uuid and ${view.visible}`,
    given.values,
  );
  return rows[0]?.version;
}

function notFound(type: WritableType, id: string): AppError {
  return new AppError("not_found", `There is no ${type.schema.type} ${id} here.`);
}

/**
 * Somebody of whom the client never said so is active as long as we show it. Whom others block is left unsaid:
 * a client that changes a title must not be made to say "inactive" too.
 */
function withStatus({ document, active }: { document: JsonObject; active: boolean | null }): JsonObject {
  return document["active"] === undefined && active === true ? { ...document, active } : document;
}

const MOST_TRIES = 3;

/** One request, one transaction. A deadlock with a sync is nobody's fault: the request is run again. */
function write(door: ScimDoorOptions, call: Call, work: (work: Work, connection: LoadedConnection) => Promise<Written>): Promise<Written> {
  return noted(door, call, async () => {
    for (let tried = 1; ; tried += 1) {
      try {
        return await inTransaction(door.db, call.ctx, async (transaction) =>
          work(transaction, await loadConnection(transaction.sql, door.keyRing, call.connection.id)),
        );
      } catch (error) {
        if (!isDeadlock(error) || tried === MOST_TRIES) throw error;
      }
    }
  });
}

/** What a guard held is recorded by itself: nothing else of the request is kept. */
async function noted<T>(door: ScimDoorOptions, call: Call, attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (error instanceof AppError && error.code === "held")
      await inTransaction(door.db, call.ctx, (transaction) => noteHeldRequest(transaction, { connection: call.connection, error }));
    throw error;
  }
}

/** The same JSON under the name that the pipeline has for it. */
function outbound(resource: JsonObject): AttributeObject {
  return resource as AttributeObject;
}
