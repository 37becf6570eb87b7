import type { AttributeObject } from "../../../connectors/contract.ts";
import { STAMP } from "./connection.ts";
import { look, type Looks, type Proof } from "./look.ts";
import { FOLLOWERS, type Followers } from "./statement.ts";

/** A group of which a connection holds a live account, as one look found it; nothing is locked, and no member is read. */
export interface GroupStanding extends Followers {
  connection: { id: number; stamp: string };
  id: string;
  version: number;
  account: { id: number; version: number; attributes: AttributeObject };
  /** This connection has put groups into it. */
  nests: boolean;
  /** There is a grant to it, or to a group around it: who leaves may lose something. */
  gives: boolean;
  /** One of these ends for each member some time after they joined. */
  timed: boolean;
}

interface GroupRow extends Followers {
  stamp: string;
  version: number;
  accountId: number;
  accountVersion: number;
  attributes: AttributeObject;
  nests: boolean;
  gives: boolean;
  timed: boolean;
}

/** SQL of the condition that `a` is the live account of the group `g` that a connection holds under this id. */
export const isHeld = ({ connection, id }: { connection: string; id: string }) =>
  `a.connection_id = ${connection} and a.kind = 'group' and a.native_id = ${id}::text and a.group_id = ${id}::uuid and a.situation = 'linked' and a.gone_at is null and g.deleted_at is null`;

/** SQL of what `says` tells of the grants `t` to a group, and to those around it. Not into it: what this costs does not grow with the members. */
export const ofGrantsAround = (group: string, says: string) =>
  `(with recursive around (group_id) as (
        select ${group} union select n.parent_group_id from around join nestings n on n.child_group_id = around.group_id and n.recorded_to is null and n.valid_to is null)
      select ${says} from around join grants t on t.group_id = around.group_id and t.recorded_to is null)`;

/** Of these one ends for each member some time after they joined. */
export const TIMED = "count(t.expires_after_seconds) > 0";

const LOOK = `select c.${STAMP} as stamp, ${FOLLOWERS.receivers} as receivers, ${FOLLOWERS.conditions} as conditions,
    g.version, a.id as "accountId", a.version as "accountVersion", a.attributes - 'members' as attributes,
    exists (select from nestings n where n.parent_group_id = g.id and n.connection_id = $1::int and n.recorded_to is null and n.valid_to is null) as nests,
    given.gives, given.timed
  from accounts a join connections c on c.id = a.connection_id join groups g on g.id = a.group_id
    cross join lateral ${ofGrantsAround("g.id", `count(*) > 0 as gives, ${TIMED} as timed`)} given
  where ${isHeld({ connection: "$1::int", id: "$2::text" })}`;

/** Looks a group up by id; undefined when the connection holds no live account under that id, `unproven` when the client is not what it was. */
export async function findGroupStanding(
  looks: Looks,
  { connectionId, id, proof }: { connectionId: number; id: string; proof?: Proof | undefined },
): Promise<GroupStanding | undefined | "unproven"> {
  const groupId = id.toLowerCase();
  const { rows, proven } = await look<GroupRow>(looks, { name: "request_group_look", text: LOOK, values: [connectionId, groupId], proof });
  if (!proven) return "unproven";
  const [row] = rows;
  if (!row) return undefined;
  const { stamp, accountId, accountVersion, attributes, ...rest } = row;
  return {
    ...rest,
    connection: { id: connectionId, stamp },
    id: groupId,
    account: { id: accountId, version: accountVersion, attributes },
  };
}
