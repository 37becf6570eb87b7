import type { AttributeObject, SourceRecord } from "../../connectors/contract.ts";
import type { Touching } from "../access/last-administrator.ts";
import { recordEvent } from "../audit/record.ts";
import type { LoadedConnection } from "../connections/open.ts";
import type { Work } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { AppError } from "../errors.ts";
import { applyBatch } from "./apply/batch.ts";
import { requestSource, type Batch } from "./apply/source.ts";
import { changeMembers, type MemberChange } from "./apply/request-members.ts";
import { decidingFor } from "./begin.ts";
import { fingerprint } from "./fingerprint.ts";
import { knownAccounts, UNVOUCHED } from "./known.ts";
import { unvouchedFor } from "./match.ts";
import { itemRows } from "./plan.ts";
import { leavingOf, takesNobodysAccess, type Item } from "./records.ts";
import { refuseGuarded } from "./request/guard.ts";
import { keepingSteered } from "./request/keep-administrator.ts";
import { decideRecords, newId } from "./stage.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export interface OneRecord {
  kind: "user" | "group";
  /** The resource's id, which is the person's or group's; absent for a new one. */
  id?: string;
  /** A SCIM resource, validated and normalised, without id and meta. */
  resource: AttributeObject;
  /** Members by our ids. `set` is the whole list. */
  members?: MemberChange;
  deleted?: true;
}

export interface OneOptions {
  connection: LoadedConnection;
  keyRing: KeyRing;
  record: OneRecord;
  /** Refuse when the resource is no longer at this version. */
  ifVersion?: number;
}

export interface OneResult {
  id: string;
  created: boolean;
  version: number;
}

/**
 * Takes one record (a SCIM request, a just-in-time sign-in) through the same stages as a sync, in the caller's own
 * transaction, under row locks, without run or plan. Throws `conflict` (uniqueness), `not_found`,
 * `precondition_failed`, `invalid`, and `held` when a guard trips: then the caller rolls back, and nothing was changed.
 */
export async function syncOne(work: Work, options: OneOptions): Promise<OneResult> {
  const { connection, record } = options;
  const found = record.id === undefined ? undefined : await findSubject(work, { kind: record.kind, id: record.id });
  if (options.ifVersion !== undefined && found?.version !== options.ifVersion) {
    throw new AppError("precondition_failed", `The ${record.kind} ${record.id ?? ""} is at another version now; read it again.`);
  }
  const item = await decideOne(work, options, found);
  const subjectId = item?.subjectId ?? found?.id;
  if (subjectId == null) throw new AppError("not_found", `There is no ${record.kind} ${record.id ?? ""}.`);
  const batch: Batch = {
    work,
    connection: { id: connection.id, name: connection.name, mappingVersion: connection.mappingVersion },
    source: requestSource({ kind: record.kind, rows: itemRows(item ? [item] : []) }),
  };
  await keepingSteered(work, { connection, ...touchedBy(record, subjectId) }, async () => {
    if (item) {
      const leaving = leavingOf(item);
      if (leaving) await refuseGuarded(work.sql, { ctx: work.ctx, connection, action: leaving, rest: takesNobodysAccess(item) });
      await applyBatch(batch);
    }
    if (record.kind === "group" && record.members && !record.deleted)
      await changeMembers(batch, { groupId: subjectId, change: record.members });
  });
  return {
    id: subjectId,
    created: found === undefined && item?.action === "create",
    version: await versionOf(work, { kind: record.kind, id: subjectId }),
  };
}

/** Whose rights a request may change: the person's own, or those of whoever is in the group or comes into it. Pure. */
export function touchedBy({ kind, members }: Pick<OneRecord, "kind" | "members">, subjectId: string): Touching {
  if (kind === "user") return { personIds: [subjectId] };
  const coming = members === undefined ? [] : "set" in members ? members.set : members.add;
  return { personIds: coming.filter((id) => UUID.test(id)), groupId: subjectId };
}

interface Subject {
  id: string;
  version: number;
  /** The connection that masters it; null = local. */
  originId: number | null;
  displayName: string | null;
}

const FIND: Readonly<Record<OneRecord["kind"], string>> = {
  user: `select id, version, origin_id as "originId", display_name as "displayName" from people where id = $1 and state <> 'deleted' for update`,
  group: `select id, version, origin_id as "originId", display_name::text as "displayName" from groups where id = $1 and deleted_at is null for update`,
};

async function findSubject({ sql }: Work, { kind, id }: { kind: OneRecord["kind"]; id: string }): Promise<Subject> {
  const { rows } = UUID.test(id) ? await sql.query<Subject>(FIND[kind], [id]) : { rows: [] };
  const [subject] = rows;
  if (!subject) throw new AppError("not_found", `There is no ${kind} ${id}.`);
  return subject;
}

/** Match, map, decide. Undefined when the resource says what it said before. */
async function decideOne(work: Work, { connection, keyRing, record }: OneOptions, found: Subject | undefined): Promise<Item | undefined> {
  const seenAt = work.ctx.now();
  // A new person's id is made here, because the account that a SCIM client holds is named by it.
  const nativeId = found?.id ?? newId(seenAt);
  const source: SourceRecord = {
    kind: record.kind,
    nativeId,
    reference: nativeId,
    attributes: record.resource,
    ...(record.deleted ? { deleted: true } : {}),
  };
  const hash = fingerprint(source).toString("hex");
  if (found && record.kind === "user") await adopt(work, { connection, personId: found.id });
  if (found && !record.deleted && (await saysTheSame(work, { connection, record, nativeId, hash }))) return undefined;
  const { items, problems } = await decideRecords(work.sql, {
    deciding: await decidingFor(work.sql, connection),
    changed: [{ record: source, hash }],
    seenAt,
    lock: true,
    sealing: { ctx: work.ctx, keyRing },
  });
  const [item] = items;
  const [problem] = problems;
  if (!item && problem)
    throw new AppError(problem.code === "conflict" ? "conflict" : "invalid", problem.message, {
      scimType: problem.code === "conflict" ? "uniqueness" : "invalidValue",
    });
  if (record.kind === "group" && found) return ownedGroup({ connection, found, item, record });
  if (!item || found) return item;
  return settleNew(work, { connection, record, item, nativeId });
}

async function saysTheSame(
  { sql }: Work,
  { connection, record, nativeId, hash }: { connection: LoadedConnection; record: OneRecord; nativeId: string; hash: string },
): Promise<boolean> {
  const known = (await knownAccounts(sql, { connectionId: connection.id, kind: record.kind, nativeIds: [nativeId] })).get(nativeId);
  return (
    known !== undefined &&
    known.situation === "linked" &&
    !known.gone &&
    known.hash === hash &&
    known.mappingVersion === connection.mappingVersion
  );
}

/**
 * A client that writes to a person whom another origin made becomes one more origin of that person: the id says whom it means. It has the
 * id from a search, though: whom it would not be matched with (see matchAccount), it does not come by so either. Throws `conflict`.
 */
async function adopt({ ctx, sql }: Work, { connection, personId }: { connection: LoadedConnection; personId: string }): Promise<void> {
  const { rows } = await sql.query<{ unvouched: string[] | null }>(
    `insert into accounts (connection_id, kind, native_id, reference, attributes, hash, mapping_version, situation, person_id, linked_by, linked_at, first_seen_at, changed_at)
     values ($1, 'user', $2, $2, '{}', '', $3, 'linked', $2::text::uuid, 'match', $4, $4, $4) on conflict (connection_id, kind, native_id) do nothing
     returning (select ${UNVOUCHED} from people p where p.id = $2::text::uuid) as unvouched`,
    [connection.id, personId, connection.mappingVersion, ctx.now()],
  );
  const keys = rows[0]?.unvouched ?? [];
  if (keys.length > 0) throw unvouchedFor({ personId, keys });
}

/**
 * A group has one origin: a client may put members into another's group, and take its own out, but not rename or delete it. A name that
 * comes along with members is passed over, like what can only be read in a PUT: whoever is to go must not stay for it.
 */
function ownedGroup({
  connection,
  found,
  item,
  record,
}: {
  connection: LoadedConnection;
  found: Subject;
  item: Item | undefined;
  record: OneRecord;
}): Item | undefined {
  const foreign = found.originId !== null && found.originId !== connection.id;
  if (foreign && record.deleted) throw elsewhere(found, "deleted");
  // As it was shown to the client: its own mapping makes nothing of this group.
  if (foreign && !record.members && record.resource["displayName"] !== found.displayName) throw elsewhere(found, "renamed");
  if (!item || !foreign) return item && { ...item, action: item.action === "create" ? "link" : item.action, subjectId: found.id };
  return undefined;
}

function elsewhere({ id }: Subject, done: "deleted" | "renamed"): AppError {
  return new AppError("forbidden", `The group ${id} belongs to another origin; it is ${done} there.`);
}

function called({ resource: { userName } }: OneRecord): string {
  return typeof userName === "string" ? `The user whose userName is \`${userName.slice(0, 100)}\`` : "This resource";
}

/** A new record may turn out to be somebody already known: then the account is named after that person. */
async function settleNew(
  work: Work,
  { connection, record, item, nativeId }: Pick<OneOptions, "connection" | "record"> & { item: Item; nativeId: string },
): Promise<Item> {
  if (item.action === "dispute")
    throw new AppError("conflict", `${called(record)} is neither somebody new nor joined to anybody who is here: ${item.reason}.`, {
      scimType: "uniqueness",
    });
  if (item.action === "ignore")
    throw new AppError("invalid", `The connection ${connection.name} does not take this resource in: ${item.reason}.`, {
      scimType: "invalidValue",
    });
  if (item.action === "create") return { ...item, subjectId: nativeId };
  const personId = item.subjectId ?? nativeId;
  const known = (await knownAccounts(work.sql, { connectionId: connection.id, kind: item.kind, nativeIds: [personId], lock: true })).get(
    personId,
  );
  return { ...item, nativeId: personId, reference: personId, accountId: known?.id ?? null, accountVersion: known?.version ?? null };
}

/** Tells somebody that a request was held, in a transaction of its own: the request's own is rolled back. */
export async function noteHeldRequest(
  work: Work,
  { connection, error }: { connection: { id: number; name: string }; error: AppError },
): Promise<void> {
  await recordEvent(work, {
    name: "request.held",
    subjectType: "connection",
    subjectId: connection.name,
    reason: error.message,
    data: { guard: error.field ?? "window" },
  });
}

async function versionOf({ sql }: Work, { kind, id }: { kind: OneRecord["kind"]; id: string }): Promise<number> {
  const { rows } = await sql.query<{ version: number }>(`select version from ${kind === "user" ? "people" : "groups"} where id = $1`, [id]);
  return rows[0]?.version ?? 0;
}
