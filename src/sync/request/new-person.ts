import type { AttributeObject, SourceRecord } from "../../../connectors/contract.ts";
import type { Context } from "../../context.ts";
import type { Sql } from "../../db/database.ts";
import { markedPeople, wokenProjects } from "../../directory/outbox.ts";
import { decideUser } from "../decide.ts";
import { fingerprint } from "../fingerprint.ts";
import { CLAIMS, claimsOf, claimsValues, type ClaimRow } from "../known.ts";
import { matchAccount } from "../match.ts";
import type { Item } from "../records.ts";
import { mapUser, newId, settleClaims } from "../stage.ts";
import { STAMP, type RequestConnection, type RequestConnections } from "./connection.ts";
import { isTaken } from "./contention.ts";
import { FOLLOWERS, RECORD, given, recorded, sameFollowers, type Followers } from "./statement.ts";

export interface NewPersonOptions {
  ctx: Context;
  /** Not in a transaction: the statement that writes is one. */
  sql: Sql;
  connections: RequestConnections;
  connectionId: number;
  /** A SCIM resource, validated and normalised, without id and meta. */
  resource: AttributeObject;
}

export interface NewPerson {
  id: string;
  at: Date;
}

/**
 * Takes in somebody new with one look and one statement that writes: match, map and decide are those of every record.
 * Undefined, and nothing written, when there is more to it (somebody matches, is inactive, stands in units, is followed by
 * rules): then the record goes the general way (syncOne), which also says why it is refused.
 */
export async function takeInPerson({ ctx, sql, connections, connectionId, resource }: NewPersonOptions): Promise<NewPerson | undefined> {
  const at = ctx.now();
  const id = newId(at);
  const known = await connections(sql, { id: connectionId });
  const { writeBack } = known.connection.policy;
  if (writeBack.disable || writeBack.groups) return undefined;
  const record: SourceRecord = { kind: "user", nativeId: id, reference: id, attributes: resource };
  const arrival = await decideArrival(sql, { known, at, record });
  if (arrival && "stamp" in arrival) {
    // The connection changed since it was loaded: the next request finds it as it is now.
    await connections(sql, { id: connectionId, stamp: arrival.stamp });
    return undefined;
  }
  return arrival && (await store(sql, { ctx, known, at, ...arrival })) ? { id, at } : undefined;
}

interface Arrival {
  item: Item & { subjectId: string };
  person: NonNullable<Item["payload"]["person"]>;
  account: NonNullable<Item["payload"]["account"]>;
  followers: Followers;
}

async function decideArrival(
  sql: Sql,
  { known, at, record }: { known: RequestConnection; at: Date; record: SourceRecord },
): Promise<Arrival | { stamp: string } | undefined> {
  const { deciding, connection } = known;
  const { contribution, inScope } = mapUser(deciding, record);
  const { match: keys } = deciding.mapping;
  const { rows } = await sql.query<Followers & { stamp: string; claims: ClaimRow[] | null }>({
    name: "request_new_person_look",
    text: LOOK,
    values: claimsValues({ connectionId: connection.id, contributions: [contribution], keys }),
  });
  const [look] = rows;
  if (!look || look.conditions) return undefined;
  if (look.stamp !== known.stamp) return { stamp: look.stamp };
  const claims = claimsOf(look.claims ?? [], keys);
  const match = inScope ? matchAccount({ contribution, keys, candidates: claims.candidates }) : undefined;
  if (match?.situation !== "unmatched") return undefined;
  const item = decideUser(deciding, {
    record,
    hash: fingerprint(record).toString("hex"),
    contribution,
    inScope,
    known: undefined,
    match,
    person: undefined,
    newPersonId: record.nativeId,
    seenAt: at,
  });
  const { person, account, blocks, units, employment, transfer } = item?.payload ?? {};
  if (!item?.subjectId || item.action !== "create" || !person || !account || blocks || units || employment || transfer) return undefined;
  if (claims.byUserName.has(person.userName.toLowerCase())) return undefined;
  settleClaims(item, claims);
  return { item: { ...item, subjectId: item.subjectId }, person, account, followers: look };
}

const LOOK = `select (select ${STAMP} from connections where id = $5) as stamp, ${FOLLOWERS.receivers} as receivers, ${FOLLOWERS.conditions} as conditions, (select jsonb_agg(claim) from (${CLAIMS}) claim) as claims`;

const GIVEN = given({ ...RECORD, person: "uuid", connection: "int", reason: "text" });

async function store(
  sql: Sql,
  { ctx, known, at, item, person, account, followers }: Arrival & { ctx: Context; known: RequestConnection; at: Date },
): Promise<boolean> {
  const { connection } = known;
  const manager = person.manager !== null;
  try {
    const { rows } = await sql.query<{ written: boolean }>({
      name: `request_new_person${manager ? "_managed" : ""}${followers.receivers ? "_marked" : ""}`,
      text: storeText({ manager, receivers: followers.receivers }),
      values: GIVEN.values({
        person: item.subjectId,
        connection: connection.id,
        now: at,
        actor: ctx.actor,
        correlation: ctx.correlationId,
        events: JSON.stringify([{ name: "person.joined", reason: item.reason, data: { connection: connection.name } }]),
        accountAttributes: JSON.stringify(account.attributes),
        hash: Buffer.from(account.hash, "hex"),
        mappingVersion: connection.mappingVersion,
        mapped: JSON.stringify(account.mapped),
        userName: person.userName,
        email: person.email,
        employeeNumber: person.employeeNumber,
        externalId: person.externalId,
        displayName: person.displayName,
        attributes: JSON.stringify(person.attributes),
        custom: JSON.stringify(person.custom),
        mastery: JSON.stringify(person.mastery),
        reason: item.reason,
        managerReference: person.manager?.reference ?? null,
        managerConnection: person.manager?.connectionId ?? null,
      }),
    });
    return rows[0]?.written ?? false;
  } catch (error) {
    // Somebody took the name in between: the general way says so.
    if (isTaken(error)) return false;
    throw error;
  }
}

const { at: $ } = GIVEN;

/** By an account of the connection that names it, or by id: a SCIM client speaks of our ids. */
export const managerOf = ({ reference, connection }: { reference: string; connection: string }) => `coalesce(
    (select a.person_id from (select * from accounts where connection_id = ${connection} and reference = ${reference} offset 0) a
      where a.kind = 'user' and a.gone_at is null and a.person_id is not null limit 1),
    (select p.id from people p where p.id = case when ${reference} ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then ${reference}::uuid end))`;

function storeText({ manager, receivers }: { manager: boolean; receivers: boolean }): string {
  return `with ${GIVEN.types},
    allowed as materialized (select 1 where ${sameFollowers({ receivers })}),
    ${manager ? `manager as materialized (select ${managerOf({ reference: $.managerReference, connection: $.managerConnection })} as id),` : ""}
    person as (insert into people (id, user_name, email, employee_number, external_id, display_name, attributes, custom, mastery, origin_id, manager_id, created_at, modified_at)
      select ${$.person}, ${$.userName}, ${$.email}, ${$.employeeNumber}, ${$.externalId}, ${$.displayName}, ${$.attributes}, ${$.custom}, ${$.mastery}, ${$.connection},
        ${manager ? "(select id from manager)" : "null"}, ${$.now}, ${$.now} from allowed),
    account as (insert into accounts (connection_id, kind, native_id, reference, attributes, hash, mapping_version, mapped, situation, person_id, linked_by, linked_at, first_seen_at, changed_at)
      select ${$.connection}, 'user', ${$.person}::text, ${$.person}::text, ${$.accountAttributes}, ${$.hash}, ${$.mappingVersion}, nullif(${$.mapped}, 'null'), 'linked', ${$.person}, 'create', ${$.now}, ${$.now}, ${$.now}
      from allowed returning id),
    period as (insert into lifecycle_periods (person_id, state, reason, valid_from, recorded_from) select ${$.person}, 'active', ${$.reason}, ${$.now}, ${$.now} from allowed),
    ${
      manager
        ? `awaited as (insert into pending_references (connection_id, kind, account_id, reference, since)
      select ${$.managerConnection}, 'manager', account.id, ${$.managerReference}, ${$.now} from account join manager on manager.id is null where ${$.managerConnection} is not null on conflict do nothing),`
        : ""
    }
    ${receivers ? `changed_people as (select ${$.person} as id, null::timestamptz as source_changed_at, ${$.now} as seen_at from allowed), ${markedPeople({ now: $.now, decided: $.now })},` : ""}
    ${recorded({ at: $, kind: "person", subject: `select ${$.person} as id from allowed` })}
    select exists (select from allowed) as written ${receivers ? `, (select count(job) from (${wokenProjects({ marked: ["marked_people"], correlation: $.correlation })}) woken) as woken` : ""}`;
}
