import { steeringAmong } from "../../access/last-administrator.ts";
import type { Context } from "../../context.ts";
import type { Sql } from "../../db/database.ts";
import type { ItemPayload } from "../records.ts";
import type { RequestConnection } from "./connection.ts";
import { isDeadlock, isTaken } from "./contention.ts";
import { createGathering, type Gathering } from "./gathering.ts";
import { managerOf } from "./manager.ts";
import type { Standing } from "./standing.ts";
import { RECORD, givenRecords, marked, recorded, sameFollowers, type RequestEvent } from "./statement.ts";

/** What one statement stores about somebody. */
export interface PersonChange {
  at: Date;
  reason: string;
  account: NonNullable<ItemPayload["account"]>;
  /** Absent when only the client's own record changes. */
  person: ItemPayload["person"];
  /** Present when the manager changes; null = none any more. */
  manager: NonNullable<ItemPayload["person"]>["manager"] | undefined;
  /** Of this connection's own block, the only one there is. */
  block: "raise" | "lift" | undefined;
  /** Before and after, for the trail. */
  sealed?: string;
  /** The person's own key, wrapped, when it was made for this. */
  newKey?: string;
}

/** What the statement found of somebody whom it changed, and a read would answer. */
export interface StoredChange {
  createdAt: Date;
  /** Those that the person is in, by id. */
  groups: readonly { id: string; name: string }[];
}

interface StoreOptions {
  ctx: Context;
  store: Gathering<ChangeRecord, StoredChange | undefined>;
  known: RequestConnection;
  standing: Standing;
}

const GIVEN = givenRecords({
  ...RECORD,
  account: "bigint",
  version: "int",
  accountVersion: "int",
  state: "text",
  block: "text",
  blockReason: "text",
  newKey: "text",
});

const SUSPENDED = "not active at the source";
const ACTIVATED = "no block reason is left";

/** A change as the statement stores it. */
export interface ChangeRecord {
  values: Parameters<typeof GIVEN.value>[0][number];
  shape: Shape;
}

/**
 * Stores changes of people, those of one moment and one shape by one statement. Undefined, and nothing of theirs is written: person or
 * account are no longer at the versions that the change was decided on, or held by somebody, or somebody began to follow what changes here,
 * or the person is suspended and may steer the organisation.
 */
export function changesStore(sql: Sql): Gathering<ChangeRecord, StoredChange | undefined> {
  return createGathering({
    formOf: ({ shape }) => nameOf(shape),
    subjectOf: ({ values }) => String(values.person),
    async together(records) {
      const shape = records[0]?.shape;
      if (!shape) return [];
      const { rows } = await sql.query<{ place: number; created_at: Date; groups: StoredChange["groups"] | null }>({
        name: nameOf(shape),
        text: textOf(shape),
        values: [GIVEN.value(records.map(({ values }) => values))],
      });
      const changed = new Map(rows.map(({ place, created_at: createdAt, groups }) => [place, { createdAt, groups: groups ?? [] }]));
      return records.map((_, place) => changed.get(place));
    },
  });
}

/** Stores the change if person and account are still at the versions that it was decided on. */
export async function storeChange(options: StoreOptions, change: PersonChange): Promise<StoredChange | "general" | "moved"> {
  try {
    return (await options.store(recordOf(options, change))) ?? "moved";
  } catch (error) {
    // A login name or an address that somebody else holds: the general way says which.
    if (isTaken(error)) return "general";
    if (isDeadlock(error)) return "moved";
    throw error;
  }
}

function recordOf(options: StoreOptions, change: PersonChange): ChangeRecord {
  const { ctx, known, standing } = options;
  const { person, account, block } = change;
  return {
    shape: {
      person: person !== undefined,
      block: block !== undefined,
      manager: change.manager !== undefined,
      receivers: standing.receivers,
    },
    values: {
      person: standing.person.id,
      account: standing.account.id,
      connection: known.connection.id,
      version: standing.person.version,
      accountVersion: standing.account.version,
      now: change.at,
      actor: ctx.actor,
      correlation: ctx.correlationId,
      events: eventsOf(options, change),
      accountAttributes: account.attributes,
      hash: account.hash,
      mappingVersion: known.connection.mappingVersion,
      mapped: account.mapped,
      userName: person?.userName,
      email: person?.email,
      employeeNumber: person?.employeeNumber,
      externalId: person?.externalId,
      displayName: person?.displayName,
      attributes: person?.attributes,
      custom: person?.custom,
      mastery: person?.mastery,
      block,
      state: block === "raise" ? "suspended" : standing.unblocked,
      blockReason: block === "raise" ? SUSPENDED : ACTIVATED,
      newKey: change.newKey,
      managerReference: change.manager?.reference,
      managerConnection: change.manager?.connectionId,
    },
  };
}

function eventsOf({ known: { connection }, standing }: StoreOptions, { person, block, reason, sealed }: PersonChange): RequestEvent[] {
  const events: RequestEvent[] = [];
  if (block) {
    events.push({
      name: block === "raise" ? "person.suspended" : "person.activated",
      reason: block === "raise" ? SUSPENDED : ACTIVATED,
      data: { owner: "origin", connection: connection.name },
    });
  }
  if (person)
    events.push({
      name: "person.updated",
      reason,
      data: {
        connection: connection.name,
        account: standing.account.id,
        ...(person.changed.length > 0 ? { changed: person.changed } : {}),
      },
      sealed,
    });
  return events;
}

interface Shape {
  person: boolean;
  /** Blocks are raised and lifted by one statement: together they are more at one moment. */
  block: boolean;
  manager: boolean;
  receivers: boolean;
}

function nameOf({ person, block, manager, receivers }: Shape): string {
  return `request_changes_${person ? "p" : ""}${block ? "b" : ""}${manager ? "m" : ""}${receivers ? "o" : ""}`;
}

const g = GIVEN.of("g");
/** Of a person who is locked, at the versions that the change was decided on. */
const $ = GIVEN.of("locked");

function textOf(shape: Shape): string {
  const outbox = shape.receivers ? marked("locked") : undefined;
  const parts = [
    GIVEN.rows,
    shape.block ? STEERING : "",
    // Versions are compared again once the rows are locked. Who is held by somebody is left out: the others must not wait for it.
    `locked as materialized (select g.*, p.created_at from given g join people p on p.id = ${g.person} join accounts a on a.id = ${g.account}
      where p.version = ${g.version} and a.version = ${g.accountVersion} and ${sameFollowers(shape)} ${shape.block ? `and ${g.person} not in (select id from steering)` : ""} order by p.id for update of p, a skip locked)`,
    `account as (update accounts a set attributes = ${$.accountAttributes}, hash = decode(${$.hash}, 'hex'), mapping_version = ${$.mappingVersion}, mapped = ${$.mapped},
      situation = 'linked', candidates = null, changed_at = ${$.now}, version = a.version + 1 from locked where a.id = ${$.account})`,
    shape.manager ? MANAGER : "",
    personOf(shape),
    `kept_key as (insert into person_keys (person_id, wrapped, created_at) select ${$.person}, ${$.newKey}, ${$.now} from locked where ${$.newKey} is not null)`,
    ...(shape.block ? [RAISED, LIFTED, PERIODS] : []),
    outbox?.parts ?? "",
    recorded({ of: "locked", more: shape.block ? ENDED : [] }),
  ];
  return `with ${parts.filter(Boolean).join(",\n")} select place, created_at, ${GROUPS} as groups ${outbox ? `, ${outbox.woken}` : ""} from locked`;
}

const GROUPS = `(select jsonb_agg(jsonb_build_object('id', h.id, 'name', h.display_name) order by h.id) from groups h
    where h.deleted_at is null and h.id = any (array(select m.group_id from memberships m where m.person_id = ${$.person} and m.recorded_to is null and m.valid_to is null)))`;

/** The client's own record may change without the person: the resource has changed all the same (meta.lastModified). */
function personOf({ person, block, manager }: Shape): string {
  const profile = `user_name = ${$.userName}, email = ${$.email}, employee_number = ${$.employeeNumber}, external_id = ${$.externalId}, display_name = ${$.displayName},
    attributes = ${$.attributes}, custom = ${$.custom}, mastery = ${$.mastery}, origin_id = coalesce(people.origin_id, ${$.connection}),`;
  return `person as (update people set ${person ? profile : ""} ${manager ? "manager_id = (select manager.id from manager where manager.person = people.id)," : ""}
    ${block ? `state = ${$.state}, active = ${$.state} in ('invited', 'active'),` : ""}
    version = people.version + 1, modified_at = ${$.now} from locked where people.id = ${$.person})`;
}

const MANAGER = `manager as materialized (select ${$.person}, ${$.account}, case when ${$.managerReference} is not null then ${managerOf({ reference: $.managerReference, connection: $.managerConnection })} end as id from locked),
    forgotten as (delete from pending_references w using locked, manager where manager.person = ${$.person} and w.account_id = ${$.account} and w.kind = 'manager'
      and (manager.id is not null or w.reference is distinct from ${$.managerReference})),
    awaited as (insert into pending_references (connection_id, kind, account_id, reference, since)
      select ${$.managerConnection}, 'manager', ${$.account}, ${$.managerReference}, ${$.now} from locked join manager on manager.person = ${$.person}
      where manager.id is null and ${$.managerConnection} is not null on conflict do nothing)`;

/** Who steers the organisation leaves by the general way, which sees that somebody is left. */
const STEERING = `steering as materialized (${steeringAmong({ personIds: `array(select ${g.person} from given g where ${g.block} = 'raise')`, at: `(select min(${g.now}) from given g)` })})`;

/** Says again whose rows are meant, so that they are found by index even by a plan that was made while their table was empty and begins with it. */
function ofLocked(alias: string, block: "raise" | "lift"): string {
  return `${alias}.person_id = any (array(select ${$.person} from locked where ${$.block} = '${block}'))`;
}

/**
 * Sessions and tokens end in the transaction of the decision; the guard counts it. Clocks of two nodes may differ, and one may be set back:
 * no block begins before the one before it ended.
 */
const RAISED = `raised as (insert into blocks (person_id, owner, connection_id, effect, reason, valid_from, recorded_from)
      select ${$.person}, 'origin', ${$.connection}, 'suspended', ${$.blockReason}, began.at, began.at
      from locked cross join lateral (select greatest(${$.now}, max(b.valid_to)) as at from blocks b
        where b.person_id = ${$.person} and b.owner = 'origin' and b.connection_id = ${$.connection} and b.recorded_to is null) began
      where ${$.block} = 'raise'),
    counted as (insert into guard_counts (connection_id, at, action, count) select ${$.connection}, max(${$.now}), 'disable', count(*) from locked where ${$.block} = 'raise' group by ${$.connection}),
    ended_sessions as (update sessions s set ended_at = ${$.now}, ended_reason = 'suspended' from locked where s.person_id = ${$.person} and ${ofLocked("s", "raise")} and s.ended_at is null returning s.person_id),
    revoked_tokens as (update tokens t set revoked_at = ${$.now}, revoked_reason = 'suspended' from locked where t.person_id = ${$.person} and ${ofLocked("t", "raise")} and t.revoked_at is null returning t.person_id)`;

const ENDED = [
  "select 'session.ended', 'suspended', jsonb_build_object('count', count(*)), null from ended_sessions s where s.person_id = r.person having count(*) > 0",
  "select 'token.revoked', 'suspended', jsonb_build_object('count', count(*)), null from revoked_tokens t where t.person_id = r.person having count(*) > 0",
];

const LIFTED = `lifted as (update blocks b set recorded_to = greatest(${$.now}, b.recorded_from) from locked
      where b.person_id = ${$.person} and ${ofLocked("b", "lift")} and b.owner = 'origin' and b.connection_id = ${$.connection} and b.recorded_to is null and b.valid_to is null returning b.*),
    lifted_before as (insert into blocks (person_id, owner, connection_id, effect, reason, source_changed_at, valid_from, valid_to, recorded_from)
      select b.person_id, b.owner, b.connection_id, b.effect, b.reason, b.source_changed_at, b.valid_from, ${$.now}, b.recorded_to
      from lifted b join locked on ${$.person} = b.person_id where b.valid_from < ${$.now})`;

/** The state's own history: the open period is superseded, closed, and followed by the new one. */
const PERIODS = `superseded as (update lifecycle_periods l set recorded_to = greatest(${$.now}, l.recorded_from) from locked
      where l.person_id = ${$.person} and l.recorded_to is null and l.valid_to is null returning l.*),
    closed as (insert into lifecycle_periods (person_id, state, reason, valid_from, valid_to, recorded_from)
      select s.person_id, s.state, s.reason, s.valid_from, ${$.now}, s.recorded_to from superseded s join locked on ${$.person} = s.person_id where s.valid_from < ${$.now}),
    opened as (insert into lifecycle_periods (person_id, state, reason, valid_from, recorded_from)
      select ${$.person}, ${$.state}, ${$.blockReason}, greatest(${$.now}, s.valid_from), greatest(${$.now}, s.valid_from)
      from locked left join superseded s on s.person_id = ${$.person})`;
