import type { AttributeObject } from "../../connectors/contract.ts";
import type { LoadedConnection } from "../connections/open.ts";
import type { Sql, Work } from "../db/database.ts";
import { contentHash } from "./canonical.ts";
import { storeDecisions, type Decision } from "./decision.ts";
import { nextState, type DeliveredState, type DesiredState, type ProjectionState, type Standing } from "./desired.ts";
import { membersHash, wantedMembers } from "./group-members.ts";

interface DirtyGroup {
  id: number;
  version: number;
  group_id: string;
  native_id: string | null;
  desired_state: DesiredState;
  desired_hash: string | null;
  delivered_state: DeliveredState | null;
  delivered_hash: string | null;
  state: ProjectionState;
  last_error: string | null;
  display_name: string;
  deleted: boolean;
}

const DIRTY_GROUPS = `
  select p.id, p.version, p.group_id, p.native_id, p.desired_state, encode(p.desired_hash, 'hex') as desired_hash,
    p.delivered_state, encode(p.delivered_hash, 'hex') as delivered_hash, p.state, p.last_error,
    g.display_name::text as display_name, g.deleted_at is not null as deleted
  from projections p join groups g on g.id = p.group_id
  where p.connection_id = $1 and p.kind = 'group' and p.dirty_at is not null and p.id > $2
  order by p.id limit $3`;

const PAGE = 50;

/** Works off dirty groups: those that the policy names, with the members that have an account there. Returns how many. */
export async function projectGroups(
  transaction: <T>(work: (work: Work) => Promise<T>) => Promise<T>,
  { connection }: { connection: LoadedConnection },
): Promise<number> {
  let count = 0;
  for (let after = 0; ;) {
    const from = after;
    const last = await transaction(async (work) => {
      const { rows } = await work.sql.query<DirtyGroup>(DIRTY_GROUPS, [connection.id, from, PAGE]);
      const decisions: Decision[] = [];
      for (const row of rows) decisions.push(await decide(work.sql, { row, connection }));
      await storeDecisions(work, decisions);
      count += rows.length;
      return rows.at(-1)?.id;
    });
    if (last === undefined) return count;
    after = last;
  }
}

async function decide(sql: Sql, { row, connection }: { row: DirtyGroup; connection: LoadedConnection }): Promise<Decision> {
  const members = await wantedMembers(sql, { connectionId: connection.id, groupId: row.group_id });
  const kept = isKept(row, { connection, members: members.length });
  const perhapsThere = row.native_id !== null || row.delivered_state === "attempted";
  const gone: DesiredState = connection.policy.provision?.leave === "delete" ? "removed" : "disabled";
  const state: DesiredState = kept ? "present" : perhapsThere ? gone : "absent";
  const desired = kept ? groupResource(row) : null;
  const desiredHash = desired === null ? null : groupHash(desired, members);
  const hash = desiredHash?.toString("hex") ?? null;
  const standing: Standing = {
    nativeId: row.native_id,
    deliveredState: row.delivered_state,
    deliveredHash: row.delivered_hash,
    removeAfter: null,
    desiredState: row.desired_state,
    desiredHash: row.desired_hash,
    state: row.state,
    lastError: row.last_error,
  };
  const next = nextState(standing, { state, hash });
  return {
    id: row.id,
    version: row.version,
    desiredState: state,
    desired,
    desiredHash,
    removeAfter: null,
    state: next.state,
    wake: next.wake,
    lastError: next.state === row.state ? row.last_error : null,
    changed: row.desired_state !== state || (kept && row.desired_hash !== hash),
  };
}

function isKept(
  { deleted, display_name: name }: DirtyGroup,
  { connection, members }: { connection: LoadedConnection; members: number },
): boolean {
  const groups = connection.policy.provision?.groups ?? [];
  if (deleted) return false;
  return groups === "all" ? members > 0 : groups.some((kept) => kept.toLowerCase() === name.toLowerCase());
}

function groupResource({ group_id: id, display_name: displayName }: DirtyGroup): AttributeObject {
  return { displayName, externalId: id };
}

/** Names a group's content: its attributes and who is in it. */
export function groupHash(attributes: AttributeObject, members: readonly string[]): Buffer {
  return contentHash({ attributes, members: membersHash(members) });
}
