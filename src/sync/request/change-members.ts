import { touchesAdministrators } from "../../access/last-administrator.ts";
import type { Context } from "../../context.ts";
import type { Sql } from "../../db/database.ts";
import { uuidArray } from "../../db/uuid-array.ts";
import { markedGroups, markedPeople, wokenProjects } from "../../directory/outbox.ts";
import { UNVOUCHED } from "../known.ts";
import { isDeadlock, isOverlap, isTaken } from "./contention.ts";
import { TIMED, isHeld, ofGrantsAround, type GroupStanding } from "./group-standing.ts";
import type { Looks, Proof } from "./look.ts";
import { given, sameFollowers, type Followers } from "./statement.ts";

export interface ChangeMembersOptions {
  ctx: Context;
  /** Not in a transaction: the statement that writes is one. */
  sql: Sql;
  connectionName: string;
  standing: GroupStanding;
  /** People by id, each once. */
  change: { add: readonly string[]; remove: readonly string[] };
}

/** The versions of the group and of its account afterwards. */
export interface ChangedMembers {
  version: number;
  accountVersion: number;
}

/**
 * Adds people to a group and takes people out with one statement, refused when the group has moved since the look. What it
 * costs follows from how many join and leave, never from how many are in. `general`: somebody added is no person, or nobody vouches for them, groups are
 * nested in it, access that ends some time after joining hangs on it, somebody who
 * leaves is an administrator, or began before they had left the last time; nothing was written. `moved`: look again.
 */
export async function changeMembersAtOnce(options: ChangeMembersOptions): Promise<ChangedMembers | "general" | "moved"> {
  const { standing, change } = options;
  if (standing.conditions || (standing.timed && change.add.length > 0) || (standing.nests && change.remove.length > 0)) return "general";
  if (standing.gives && change.remove.length > 0 && (await touchesAdministrators(options, { personIds: change.remove }))) return "general";
  const { receivers, account, connection } = standing;
  return carriedOut(options, {
    shape: { receivers, adds: change.add.length > 0, removes: change.remove.length > 0 },
    group: {
      group: standing.id,
      account: account.id,
      connection: connection.id,
      version: standing.version,
      accountVersion: account.version,
    },
  });
}

export interface AddMembersOptions extends Pick<ChangeMembersOptions, "ctx" | "sql" | "connectionName"> {
  connectionId: number;
  /** In lower case. */
  groupId: string;
  /** People by id, each once. Nobody leaves: for that, it must be known what the group gives. */
  add: readonly string[];
  /** As they were seen last: nothing rests on it. */
  followers: Followers;
  /** SQL of the stamp that a client's credentials have now, from that of their hash. */
  stampOf: Looks["stampOf"];
  /** Of a client that is only remembered. */
  proof?: Proof | undefined;
}

/**
 * Adds people to a group without a look: the statement asks itself what one would have found, the client included. `moved`, and
 * nothing written: only a look can tell, or it is not as it was. `general` as above.
 */
export async function addMembersAtOnce(options: AddMembersOptions): Promise<ChangedMembers | "general" | "moved"> {
  const { ctx, sql, connectionName, connectionId, groupId, add, followers, stampOf, proof } = options;
  if (followers.conditions) return "moved";
  return carriedOut(
    { ctx, sql, connectionName, change: { add, remove: [] } },
    {
      shape: { receivers: followers.receivers, adds: true, removes: false, unseen: stampOf },
      group: { group: groupId, connection: connectionId, clientHash: proof?.hash ?? null, clientStamp: proof?.stamp ?? null },
    },
  );
}

async function carriedOut(
  { ctx, sql, connectionName, change }: Pick<ChangeMembersOptions, "ctx" | "sql" | "connectionName" | "change">,
  { shape, group }: { shape: Shape; group: Partial<Record<keyof typeof NO_GROUP, unknown>> },
): Promise<ChangedMembers | "general" | "moved"> {
  try {
    const { rows } = await sql.query<ChangedMembers & { found: boolean }>({
      name: `request_members_${shape.adds ? "a" : ""}${shape.removes ? "r" : ""}${shape.receivers ? "o" : ""}${shape.unseen ? "_unseen" : ""}`,
      text: textOf(shape),
      values: GIVEN.values({
        ...NO_GROUP,
        ...group,
        now: ctx.now(),
        actor: ctx.actor,
        correlation: ctx.correlationId,
        connectionName,
        // In order, neither has to be put in order for each index that it is looked up by.
        add: uuidArray(change.add.toSorted()),
        count: change.add.length,
        remove: uuidArray(change.remove.toSorted()),
      }),
    });
    const [row] = rows;
    if (!row) return "moved";
    const { version, accountVersion, found } = row;
    return found ? { version, accountVersion } : "general";
  } catch (error) {
    if (isDeadlock(error) || isTaken(error)) return "moved";
    // Clocks differ: somebody's membership begins before the last one ended, which only the general way can put right.
    if (isOverlap(error)) return "general";
    throw error;
  }
}

interface Shape {
  adds: boolean;
  removes: boolean;
  receivers: boolean;
  /** No look has found the group: the statement does, and proves the client by this. */
  unseen?: Looks["stampOf"];
}

const GIVEN = given({
  group: "uuid",
  account: "bigint",
  connection: "int",
  version: "int",
  accountVersion: "int",
  now: "timestamptz",
  actor: "text",
  correlation: "text",
  connectionName: "text",
  add: "uuid[]",
  count: "int",
  remove: "uuid[]",
  clientHash: "bytea",
  clientStamp: "text",
});
const { at: $ } = GIVEN;
const NO_GROUP = { group: null, account: null, connection: null, version: null, accountVersion: null, clientHash: null, clientStamp: null };

function textOf(shape: Shape): string {
  const nobody = "(select null::uuid as person_id where false)";
  const joined = shape.adds ? "opened" : nobody;
  const left = shape.removes ? "superseded" : nobody;
  const parts = [
    GIVEN.types,
    `locked as materialized (select g.id, g.version, a.version as account_version from ${shape.unseen ? unseen(shape.unseen) : SEEN} and ${sameFollowers(shape)} for update of g, a)`,
    shape.adds ? ASKED : "",
    // Somebody who is not there, or whom this client deleted: then nobody is added, and nobody leaves.
    `found as materialized (select locked.id from locked ${shape.adds ? `cross join held where held.everybody` : ""})`,
    shape.adds ? OPENED : "",
    shape.removes ? CLOSED : "",
    `counted as materialized (select (select count(*) from ${joined} j) as joined, (select count(*) from ${left} l) as departed from found)`,
    `changed as (update groups g set version = g.version + 1, modified_at = ${$.now} from counted where g.id = ${$.group} and counted.joined + counted.departed > 0 returning g.version)`,
    `recorded as (insert into audit_events (at, name, actor, subject_type, subject_id, correlation_id, data)
      select ${$.now}, 'group.members_changed', ${$.actor}, 'group', ${$.group}::text, ${$.correlation},
        jsonb_build_object('connection', ${$.connectionName}, 'added', counted.joined, 'removed', counted.departed) from counted where counted.joined + counted.departed > 0)`,
    ...(shape.receivers
      ? [
          `changed_people as (select person_id as id, null::timestamptz as source_changed_at, ${$.now} as seen_at from ${joined} j
             union select person_id, null, ${$.now} from ${left} l)`,
          markedPeople({ now: $.now, decided: $.now }),
          `changed_groups as (select ${$.group} as id, null::timestamptz as source_changed_at, ${$.now} as seen_at from changed)`,
          markedGroups({ now: $.now, decided: $.now }),
        ]
      : []),
  ];
  const woken = shape.receivers
    ? `, (select count(job) from (${wokenProjects({ marked: ["marked_people", "marked_groups"], correlation: $.correlation })}) woken) as woken`
    : "";
  return `with ${parts.filter(Boolean).join(",\n")}
    select coalesce((select version from changed), locked.version) as version, locked.account_version as "accountVersion", exists (select from found) as found ${woken} from locked`;
}

const SEEN = `groups g join accounts a on a.id = ${$.account} where g.id = ${$.group} and g.version = ${$.version} and a.version = ${$.accountVersion}`;

// What a look would have asked: the client, the group, and whether what somebody has who joined ends some time after. The group is locked as
// it was when the statement began, or not at all: whoever is inside is read as of then, and would be passed over though they have left since.
const unseen = (
  stampOf: Looks["stampOf"],
) => `accounts a join groups g on g.id = a.group_id where ${isHeld({ connection: $.connection, id: $.group })}
      and g.version = (select version from groups where id = ${$.group})
      and (${$.clientHash} is null or ${stampOf($.clientHash)} = ${$.clientStamp}) and not ${ofGrantsAround($.group, TIMED)}`;

// Accounts are locked against a DELETE of theirs: one that is under way is waited for, and seen; one that comes later finds the membership.
// Sets by one walk along an index each: a look for each person would cost as much as putting them in. Whose account of this client is
// alive is there: erasing somebody takes their accounts with them. By person that is found for half of what it costs by native id. Where
// somebody has none, all are looked for by native id, which finds those that are gone, and among people; locked, since whose account went
// while it was waited for may have been erased meanwhile. For whom nobody vouches, the general way decides.
const ASKED = `alive as materialized (select a.person_id as id, a.id as account_id from accounts a
    where a.person_id = any(${$.add}) and a.connection_id = ${$.connection} and a.kind = 'user' and a.gone_at is null and a.native_id = a.person_id::text for key share),
  others as materialized (select (select count(*) from alive) < ${$.count} as missing),
  own as materialized (select a.native_id::uuid as id, a.id as account_id, a.gone_at, a.person_id from accounts a
    where (select missing from others) and a.connection_id = ${$.connection} and a.kind = 'user' and a.native_id = any(${$.add}::text[]) for key share),
  there as materialized (select p.id from people p where (select missing from others) and p.id = any(${$.add}) and p.state <> 'deleted' and cardinality(${UNVOUCHED}) = 0 for key share),
  person as (select id, account_id from alive where not (select missing from others) union all select id, account_id from own
    union all select there.id, null from there where there.id not in (select id from own)),
  held as materialized (select not exists (select from own where gone_at is not null) and (not missing or (select count(*) from there) = ${$.count} or (select count(*) from own where gone_at is null and person_id = id) = ${$.count}) as everybody from others)`;

// Who is in already is found by one walk along the index. With `on conflict do nothing` each row would be looked for, marked as one that
// may go again, and confirmed: a third of what it takes. Somebody who joins by another way at the same moment ends the statement: it is made again.
const OPENED = `inside as materialized (select m.person_id from memberships m
    where m.group_id = ${$.group} and m.person_id = any(${$.add}) and coalesce(m.connection_id, 0) = ${$.connection} and m.recorded_to is null and m.valid_to is null),
  opened as (insert into memberships (group_id, person_id, connection_id, account_id, valid_from, recorded_from)
    select ${$.group}, person.id, ${$.connection}, person.account_id, ${$.now}, ${$.now}
    from found cross join person where person.id not in (select person_id from inside) returning person_id)`;

// The index is by coalesce, and with that condition history is not walked through.
const CLOSED = `superseded as (update memberships m set recorded_to = greatest(${$.now}, m.recorded_from) from found
    where m.group_id = ${$.group} and m.person_id = any(${$.remove}) and coalesce(m.connection_id, 0) = ${$.connection}
      and m.recorded_to is null and m.valid_to is null returning m.*),
  closed as (insert into memberships (group_id, person_id, connection_id, account_id, valid_from, valid_to, recorded_from)
    select group_id, person_id, connection_id, account_id, valid_from, ${$.now}, recorded_to from superseded where valid_from < ${$.now})`;
