import type { AttributeObject } from "../../../connectors/contract.ts";
import { TOKEN_STAMP } from "../../auth/tokens.ts";
import { createSharedAnswers, type SharedAnswers } from "../../db/shared-answers.ts";
import { addMembersAtOnce, changeMembersAtOnce, type ChangedMembers } from "../../sync/request/change-members.ts";
import { changePerson } from "../../sync/request/change-person.ts";
import { requestConnections, type RequestConnections } from "../../sync/request/connection.ts";
import type { Gathering } from "../../sync/request/gathering.ts";
import type { GuardCounts, CountedLately } from "../../sync/request/guard.ts";
import { findGroupStanding } from "../../sync/request/group-standing.ts";
import type { Looks, Proof } from "../../sync/request/look.ts";
import { takeInPerson, type LatelySeen } from "../../sync/request/new-person.ts";
import { findStanding } from "../../sync/request/standing.ts";
import { changesStore, type ChangeRecord, type StoredChange } from "../../sync/request/store-change.ts";
import { newPeopleStore, type NewPersonRecord } from "../../sync/request/store-new-person.ts";
import type { Call, ScimDoorOptions } from "./call.ts";
import { sameJson, type JsonObject } from "./json.ts";
import { requireVersion, type Preconditions } from "./preconditions.ts";
import { standing as keptBack } from "./projection.ts";
import type { ResourceSchema } from "./schema.ts";
import { userAnswer } from "./user-answer.ts";
import { isUuid } from "./view.ts";
import type { Written } from "./write.ts";

/** What a door keeps from request to request: connections as they were last seen, and the statements that requests share. */
interface AtOnce {
  connections: RequestConnections;
  looks: Looks;
  newPeople: Gathering<NewPersonRecord, boolean>;
  /** Who followed new people and members when that was looked at last. */
  followed: LatelySeen;
  changes: Gathering<ChangeRecord, StoredChange | undefined>;
  /** What guards count. */
  counts: SharedAnswers<GuardCounts>;
  lately: Map<number, CountedLately>;
}

// A door's own, and gone with it.
const keptFor = new WeakMap<ScimDoorOptions, AtOnce>();

function atOnce(door: ScimDoorOptions): AtOnce {
  const { requestPool, keyedReads } = door.db;
  const kept = keptFor.get(door) ?? {
    connections: requestConnections(door.keyRing),
    looks: { reads: keyedReads, stampOf: TOKEN_STAMP },
    newPeople: newPeopleStore(requestPool, TOKEN_STAMP),
    followed: {},
    changes: changesStore(requestPool),
    counts: createSharedAnswers<GuardCounts>(),
    lately: new Map(),
  };
  keptFor.set(door, kept);
  return kept;
}

/** `general`: it can't be done by one statement; `unproven`: a remembered client is not what it was. Nothing was written, either way. */
export type NotAtOnce = "general" | "unproven";

/** Takes in a new user by one statement. */
export async function createUserAtOnce(
  door: ScimDoorOptions,
  { call, proof, schema, resource }: { call: Call; proof?: Proof | undefined; schema: ResourceSchema; resource: JsonObject },
): Promise<Written | NotAtOnce> {
  const { connections, looks, newPeople, followed } = atOnce(door);
  const made = await takeInPerson({
    ctx: call.ctx,
    sql: door.db.requestPool,
    looks,
    store: newPeople,
    connections,
    lately: followed,
    connectionId: call.connection.id,
    resource: resource as AttributeObject,
    proof,
  });
  if (typeof made === "string") return made;
  const { id, at } = made;
  // Somebody new is in no group, and is what the client said.
  const known = { id, active: true, createdAt: at, modifiedAt: at, version: 1, accountVersion: 1, groups: [] };
  return { id, created: true, found: userAnswer({ call, schema, resource }, known) };
}

const MOST_LOOKS = 3;

export interface UserChange {
  call: Call;
  /** Of a client that is only remembered: the first look proves it. */
  proof?: Proof | undefined;
  id: string;
  schema: ResourceSchema;
  preconditions: Preconditions;
  /** The whole resource afterwards, from what the client's record is now. May be asked more than once. */
  next(held: JsonObject): JsonObject;
}

/**
 * Changes a user by a look and one statement. Throws `precondition_failed`, what `next` throws, and `held`, none of which before the
 * client is proved.
 */
export async function changeUserAtOnce(door: ScimDoorOptions, change: UserChange): Promise<Written | NotAtOnce> {
  const { call, proof, id, schema, preconditions, next } = change;
  if (!isUuid(id)) return "general";
  const sql = door.db.requestPool;
  const { connections, looks, changes, counts, lately } = atOnce(door);
  for (let tried = 0; tried < MOST_LOOKS; tried += 1) {
    const standing = await findStanding(looks, { connectionId: call.connection.id, id, proof });
    if (standing === "unproven") return standing;
    if (!standing || standing.shared || standing.conditions) return "general";
    const { account, person } = standing;
    requireVersion(preconditions, { type: "User", id, version: `W/"${person.version}.${account.version}"` });
    const held = account.attributes as JsonObject;
    const shown = held["active"] === undefined && standing.active ? { ...held, active: true } : held;
    const resource = next(shown);
    if (sameJson(shown, resource)) return { id, created: false };
    const known = await connections(sql, standing.connection);
    const outcome = await changePerson({
      ctx: call.ctx,
      sql,
      counts,
      lately,
      store: changes,
      keyRing: door.keyRing,
      known,
      standing,
      resource: resource as AttributeObject,
    });
    if (outcome === "general") return "general";
    if (outcome === "moved") continue;
    // What is kept back from this client, or from every answer, only a read leaves out.
    if (call.visibility === "own" || call.reader || keptBack(schema)) return { id, created: false };
    const { at: modifiedAt, ...after } = outcome;
    return { id, created: false, found: userAnswer({ call, schema, resource }, { ...after, id: person.id, modifiedAt }) };
  }
  // Too many at once, or an administrator who leaves: the general way waits for its turn.
  return "general";
}

export interface MembersAtOnce {
  call: Call;
  /** Of a client that is only remembered: the first look proves it. */
  proof?: Proof | undefined;
  id: string;
  preconditions: Preconditions;
  change: { add: readonly string[]; remove: readonly string[] };
}

/** Changes a group's members by one statement, after a look where that is needed. Throws `precondition_failed`, but not before the client is proved. */
export async function changeMembersOfGroup(door: ScimDoorOptions, options: MembersAtOnce): Promise<Written | NotAtOnce> {
  const { call, proof, id, preconditions, change } = options;
  if (!isUuid(id)) return "general";
  const sql = door.db.requestPool;
  const { looks, followed } = atOnce(door);
  const written = ({ version, accountVersion }: ChangedMembers) => ({ id, created: false, etag: `W/"${version}.${accountVersion}"` });
  const told = { ctx: call.ctx, sql, connectionName: call.connection.name };
  const { followers } = followed;
  const onlyAdds = change.remove.length === 0 && change.add.length > 0;
  if (followers && onlyAdds && preconditions.ifMatch === undefined && preconditions.ifNoneMatch === undefined) {
    const group = { connectionId: call.connection.id, groupId: id.toLowerCase() };
    const outcome = await addMembersAtOnce({ ...told, ...group, add: change.add, followers, stampOf: looks.stampOf, proof });
    if (outcome === "general") return outcome;
    if (outcome !== "moved") return written(outcome);
  }
  for (let tried = 0; tried < MOST_LOOKS; tried += 1) {
    const standing = await findGroupStanding(looks, { connectionId: call.connection.id, id, proof });
    if (standing === "unproven") return standing;
    if (!standing) return "general";
    const { account, receivers, conditions } = standing;
    followed.followers = { receivers, conditions };
    requireVersion(preconditions, { type: "Group", id, version: `W/"${standing.version}.${account.version}"` });
    const outcome = await changeMembersAtOnce({ ...told, standing, change });
    if (outcome === "general") return outcome;
    if (outcome !== "moved") return written(outcome);
  }
  return "general";
}
