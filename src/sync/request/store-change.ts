import type { Context } from "../../context.ts";
import type { Sql } from "../../db/database.ts";
import { markedPeople, wokenProjects } from "../../directory/outbox.ts";
import type { ItemPayload } from "../records.ts";
import type { RequestConnection } from "./connection.ts";
import { isDeadlock, isTaken } from "./contention.ts";
import { managerOf } from "./new-person.ts";
import type { Standing } from "./standing.ts";
import { RECORD, given, recorded, sameFollowers, type RequestEvent } from "./statement.ts";

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

interface StoreOptions {
  ctx: Context;
  sql: Sql;
  known: RequestConnection;
  standing: Standing;
}

const GIVEN = given({
  ...RECORD,
  person: "uuid",
  account: "bigint",
  connection: "int",
  version: "int",
  accountVersion: "int",
  state: "text",
  blockReason: "text",
  newKey: "text",
});
const { at: $ } = GIVEN;

const SUSPENDED = "not active at the source";
const ACTIVATED = "no block reason is left";

/** Stores the change if person and account are still at the versions that it was decided on. */
export async function storeChange(options: StoreOptions, change: PersonChange): Promise<"changed" | "general" | "moved"> {
  const { ctx, sql, known, standing } = options;
  const { person, account, block } = change;
  const shape: Shape = {
    person: person !== undefined,
    block,
    manager: change.manager !== undefined,
    newKey: change.newKey !== undefined,
    receivers: standing.receivers,
  };
  try {
    const { rows } = await sql.query({
      name: nameOf(shape),
      text: textOf(shape),
      values: GIVEN.values({
        person: standing.person.id,
        account: standing.account.id,
        connection: known.connection.id,
        version: standing.person.version,
        accountVersion: standing.account.version,
        now: change.at,
        actor: ctx.actor,
        correlation: ctx.correlationId,
        events: JSON.stringify(eventsOf(options, change)),
        accountAttributes: JSON.stringify(account.attributes),
        hash: Buffer.from(account.hash, "hex"),
        mappingVersion: known.connection.mappingVersion,
        mapped: JSON.stringify(account.mapped),
        userName: person?.userName,
        email: person?.email,
        employeeNumber: person?.employeeNumber,
        externalId: person?.externalId,
        displayName: person?.displayName,
        attributes: person && JSON.stringify(person.attributes),
        custom: person && JSON.stringify(person.custom),
        mastery: person && JSON.stringify(person.mastery),
        state: block === "raise" ? "suspended" : standing.unblocked,
        blockReason: block === "raise" ? SUSPENDED : ACTIVATED,
        newKey: change.newKey,
        managerReference: change.manager?.reference,
        managerConnection: change.manager?.connectionId,
      }),
    });
    return rows.length > 0 ? "changed" : "moved";
  } catch (error) {
    // A login name or an address that somebody else holds: the general way says which.
    if (isTaken(error)) return "general";
    if (isDeadlock(error)) return "moved";
    throw error;
  }
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
  block: PersonChange["block"];
  manager: boolean;
  newKey: boolean;
  receivers: boolean;
}

function nameOf({ person, block, manager, newKey, receivers }: Shape): string {
  return `request_change_${person ? "p" : ""}${block?.charAt(0) ?? ""}${manager ? "m" : ""}${newKey ? "k" : ""}${receivers ? "o" : ""}`;
}

function textOf(shape: Shape): string {
  const parts = [
    GIVEN.types,
    // Versions are compared again once the rows are locked, whoever held them meanwhile.
    `locked as materialized (select p.id, a.id as account_id from people p join accounts a on a.id = ${$.account}
      where p.id = ${$.person} and p.version = ${$.version} and a.version = ${$.accountVersion} and ${sameFollowers(shape)} for update of p, a)`,
    `account as (update accounts a set attributes = ${$.accountAttributes}, hash = ${$.hash}, mapping_version = ${$.mappingVersion}, mapped = nullif(${$.mapped}, 'null'),
      situation = 'linked', candidates = null, changed_at = ${$.now}, version = a.version + 1 from locked where a.id = locked.account_id)`,
    shape.manager ? MANAGER : "",
    personOf(shape),
    shape.newKey
      ? `kept_key as (insert into person_keys (person_id, wrapped, created_at) select id, ${$.newKey}, ${$.now} from locked)`
      : "",
    shape.block === "raise" ? RAISED : shape.block === "lift" ? LIFTED : "",
    shape.block ? PERIODS : "",
    shape.receivers
      ? `changed_people as (select id, null::timestamptz as source_changed_at, ${$.now} as seen_at from locked), ${markedPeople({ now: $.now, decided: $.now })}`
      : "",
    recorded({ at: $, kind: "person", subject: "select id from locked", more: shape.block === "raise" ? ENDED : [] }),
  ];
  const woken = shape.receivers
    ? `, (select count(job) from (${wokenProjects({ marked: ["marked_people"], correlation: $.correlation })}) woken) as woken`
    : "";
  return `with ${parts.filter(Boolean).join(",\n")} select locked.id ${woken} from locked`;
}

/** The client's own record may change without the person: the resource has changed all the same (meta.lastModified). */
function personOf({ person, block, manager }: Shape): string {
  const profile = `user_name = ${$.userName}, email = ${$.email}, employee_number = ${$.employeeNumber}, external_id = ${$.externalId}, display_name = ${$.displayName},
    attributes = ${$.attributes}, custom = ${$.custom}, mastery = ${$.mastery}, origin_id = coalesce(people.origin_id, ${$.connection}),`;
  return `person as (update people set ${person ? profile : ""} ${manager ? "manager_id = (select id from manager)," : ""}
    ${block ? `state = ${$.state}, active = ${$.state} in ('invited', 'active'),` : ""}
    version = people.version + 1, modified_at = ${$.now} from locked where people.id = locked.id)`;
}

const MANAGER = `manager as materialized (select ${managerOf({ reference: $.managerReference, connection: $.managerConnection })} as id from locked),
    forgotten as (delete from pending_references w using locked, manager where w.account_id = locked.account_id and w.kind = 'manager'
      and (manager.id is not null or w.reference is distinct from ${$.managerReference})),
    awaited as (insert into pending_references (connection_id, kind, account_id, reference, since)
      select ${$.managerConnection}, 'manager', locked.account_id, ${$.managerReference}, ${$.now} from locked cross join manager
      where manager.id is null and ${$.managerConnection} is not null on conflict do nothing)`;

/** Sessions and tokens end in the transaction of the decision; the guard counts it. */
const RAISED = `raised as (insert into blocks (person_id, owner, connection_id, effect, reason, valid_from, recorded_from)
      select id, 'origin', ${$.connection}, 'suspended', ${$.blockReason}, ${$.now}, ${$.now} from locked),
    counted as (insert into guard_counts (connection_id, at, action, count) select ${$.connection}, ${$.now}, 'disable', 1 from locked),
    ended_sessions as (update sessions s set ended_at = ${$.now}, ended_reason = 'suspended' from locked where s.person_id = locked.id and s.ended_at is null returning 1),
    revoked_tokens as (update tokens t set revoked_at = ${$.now}, revoked_reason = 'suspended' from locked where t.person_id = locked.id and t.revoked_at is null returning 1)`;

const ENDED = [
  "select 'session.ended', 'suspended', jsonb_build_object('count', count(*)), null from ended_sessions having count(*) > 0",
  "select 'token.revoked', 'suspended', jsonb_build_object('count', count(*)), null from revoked_tokens having count(*) > 0",
];

const LIFTED = `lifted as (update blocks b set recorded_to = greatest(${$.now}, b.recorded_from) from locked
      where b.person_id = locked.id and b.owner = 'origin' and b.connection_id = ${$.connection} and b.recorded_to is null and b.valid_to is null returning b.*),
    lifted_before as (insert into blocks (person_id, owner, connection_id, effect, reason, source_changed_at, valid_from, valid_to, recorded_from)
      select person_id, owner, connection_id, effect, reason, source_changed_at, valid_from, ${$.now}, recorded_to from lifted where valid_from < ${$.now})`;

/** The state's own history: the open period is superseded, closed, and followed by the new one. */
const PERIODS = `superseded as (update lifecycle_periods l set recorded_to = greatest(${$.now}, l.recorded_from) from locked
      where l.person_id = locked.id and l.recorded_to is null and l.valid_to is null returning l.*),
    closed as (insert into lifecycle_periods (person_id, state, reason, valid_from, valid_to, recorded_from)
      select person_id, state, reason, valid_from, ${$.now}, recorded_to from superseded where valid_from < ${$.now}),
    opened as (insert into lifecycle_periods (person_id, state, reason, valid_from, recorded_from)
      select locked.id, ${$.state}, ${$.blockReason}, greatest(${$.now}, superseded.valid_from), greatest(${$.now}, superseded.valid_from)
      from locked left join superseded on true)`;
