import type { Sql } from "../../db/database.ts";
import { UNVOUCHED } from "../../sync/known.ts";
import type { Call, ScimDoorOptions } from "./call.ts";
import { refuseUnseenMembers } from "./own-members.ts";
import type { MemberChange, MemberType } from "./patch/members.ts";
import { isUuid } from "./view.ts";

interface MembersQuestion {
  call: Call;
  ids: string[];
  /** Whoever is in it stays; absent for a new one. */
  groupId?: string | undefined;
}

/** The ids of those members whom this client may name, where the connection's `unknownMembers` passes others over; else all, or `invalid`. */
export async function knownMembers(door: ScimDoorOptions, { call, ids, groupId }: MembersQuestion): Promise<string[]> {
  if (call.settings.unknownMembers === "refuse" || ids.length === 0) {
    await refuseUnseenMembers(door.db.pool, { call, ids });
    return ids;
  }
  const known = await readKnown(door.db.pool, { call, ids, groupId });
  if (known.length < ids.length)
    door.quirks.note({
      connectionId: call.connection.id,
      dialect: call.dialect,
      quirk: "member-unknown",
      attribute: "members",
      sample: "",
    });
  return known;
}

/** A change of members without those who are not here, or not what they were to be removed as. Throws as knownMembers does. */
export async function knownChange(
  door: ScimDoorOptions,
  { call, groupId, change }: { call: Call; groupId: string; change: MemberChange },
): Promise<MemberChange> {
  const { typed = NOBODY } = change;
  const goes = typed.size > 0 ? await ofTheirType(door.db.pool, typed) : new Set<string>();
  const staying = async (ids: string[]) => (await knownMembers(door, { call, groupId, ids })).filter((id) => !goes.has(id));
  if ("set" in change) return { set: await staying(change.set) };
  return { add: await staying(change.add), remove: change.remove.filter((id) => !typed.has(id) || goes.has(id)) };
}

const NOBODY: ReadonlyMap<string, MemberType> = new Map();

/** Who is what they were to be removed as. RFC 7644 section 3.5.2.2: what the path's filter does not match stays. */
async function ofTheirType(sql: Sql, typed: ReadonlyMap<string, MemberType>): Promise<ReadonlySet<string>> {
  const { rows } = await sql.query<{ id: string }>("select id from groups where id = any($1::uuid[])", [[...typed.keys()]]);
  const groups = new Set(rows.map(({ id }) => id));
  return new Set([...typed].flatMap(([id, type]) => (type === (groups.has(id) ? "Group" : "User") ? [id] : [])));
}

// For whom nobody vouches is passed over, too, unless the person is the client's already, or is in.
async function readKnown(sql: Sql, { call, ids, groupId }: MembersQuestion): Promise<string[]> {
  const own = `exists (select from accounts own where own.connection_id = $2 and own.kind in ('user', 'group')
    and own.native_id = asked.id::text and own.gone_at is null)`;
  const { rows } = await sql.query<{ id: string }>(
    `select asked.id from unnest($1::uuid[]) as asked (id)
     where (exists (select from people p where p.id = asked.id and p.deleted_at is null and (cardinality(${UNVOUCHED}) = 0
            or exists (select from accounts own where own.connection_id = $3 and own.kind = 'user' and own.native_id = p.id::text and own.person_id = p.id and own.gone_at is null)
            or exists (select from memberships m where m.group_id = $4 and m.person_id = p.id and m.connection_id = $3 and m.recorded_to is null and m.valid_to is null)))
          and not exists (select from accounts gone where gone.connection_id = $3 and gone.kind = 'user' and gone.native_id = asked.id::text and gone.gone_at is not null)
        or exists (select from groups g where g.id = asked.id and g.deleted_at is null)) and ($2::int is null or ${own})`,
    [
      ids,
      call.visibility === "own" ? call.connection.id : null,
      call.connection.id,
      groupId !== undefined && isUuid(groupId) ? groupId : null,
    ],
  );
  return rows.map(({ id }) => id);
}
