import type { Sql } from "../../db/database.ts";
import { HOLDS } from "../known.ts";
import type { MatchKey } from "../match.ts";
import { STAMP } from "./connection.ts";
import { createGathering, type Gathering } from "./gathering.ts";
import type { Looks } from "./look.ts";
import { managerOf } from "./manager.ts";
import { RECORD, givenRecords, marked, recorded, sameFollowers } from "./statement.ts";

const GIVEN = givenRecords({
  ...RECORD,
  reason: "text",
  connectionStamp: "text",
  clientHash: "text",
  clientStamp: "text",
  userNames: "text[]",
  emails: "text[]",
  employeeNumbers: "text[]",
  externalIds: "text[]",
});

/** Somebody new as the statement takes them in: account, person, open period and events, by the names of its columns. */
export interface NewPersonRecord {
  values: Parameters<typeof GIVEN.value>[0][number];
  /** Whether anybody receives what changes here; a statement is for those of whom the look said the same. */
  receivers: boolean;
}

/**
 * Stores new people, those of one moment by one statement. False, and nothing of theirs is written: a name or an address is taken, by a
 * record of the same statement or by anybody, somebody has one of the values that it was decided nobody has, somebody began to follow
 * what changes here, the connection is not what it was, or the client.
 * @param stampOf SQL of the stamp that a client's credentials have now, from that of their hash
 */
export function newPeopleStore(sql: Sql, stampOf: Looks["stampOf"]): Gathering<NewPersonRecord, boolean> {
  return createGathering({
    formOf: ({ receivers }) => String(receivers),
    subjectOf: ({ values }) => String(values.person),
    async together(records) {
      const receivers = records[0]?.receivers ?? false;
      const { rows } = await sql.query<{ place: number }>({
        name: `request_new_people${receivers ? "_marked" : ""}`,
        text: storeText({ receivers, stampOf }),
        values: [GIVEN.value(records.map(({ values }) => values))],
      });
      const taken = new Set(rows.map(({ place }) => place));
      return records.map((_, place) => taken.has(place));
    },
  });
}

/** Nobody has one of these values; one lookup for each, by its index. */
const nobody = (values: string, key: MatchKey) =>
  `not exists (select from (select value, lower(value) as lowered from unnest(${values}) v (value)) claimed
     cross join lateral (select from people where ${HOLDS[key]} and state <> 'deleted' offset 0) found)`;

function storeText({ receivers, stampOf }: { receivers: boolean; stampOf: Looks["stampOf"] }): string {
  const g = GIVEN.of("g");
  const r = GIVEN.of("r");
  const outbox = receivers ? marked("taken_in") : undefined;
  return `with ${GIVEN.rows},
    -- Most of one moment are of one client.
    proved as materialized (select client.hash, ${stampOf("decode(client.hash, 'hex')")} as stamp from (select distinct ${g.clientHash} as hash from given g) client),
    allowed as materialized (select g.*, case when ${g.managerReference} is not null then ${managerOf({ reference: g.managerReference, connection: g.managerConnection })} end as manager
      from given g left join proved on proved.hash = ${g.clientHash}
      where ${sameFollowers({ receivers })} and (${g.clientHash} is null or proved.stamp = ${g.clientStamp})
        and ${g.connectionStamp} = (select c.${STAMP} from connections c where c.id = ${g.connection})
        and ${nobody(g.userNames, "userName")} and ${nobody(g.emails, "emails")}
        and ${nobody(g.employeeNumbers, "employeeNumber")} and ${nobody(g.externalIds, "externalId")}),
    -- In the order of names: two statements with the same ones wait for each other.
    person as (insert into people (id, user_name, email, employee_number, external_id, display_name, attributes, custom, mastery, origin_id, manager_id, created_at, modified_at)
      select ${r.person}, ${r.userName}, ${r.email}, ${r.employeeNumber}, ${r.externalId}, ${r.displayName}, ${r.attributes}, ${r.custom}, ${r.mastery}, ${r.connection}, r.manager, ${r.now}, ${r.now}
      from allowed r order by lower(${r.userName}::text) on conflict do nothing returning id),
    taken_in as materialized (select r.* from allowed r join person on person.id = ${r.person}),
    account as (insert into accounts (connection_id, kind, native_id, reference, attributes, hash, mapping_version, mapped, situation, person_id, linked_by, linked_at, first_seen_at, changed_at)
      select ${r.connection}, 'user', ${r.person}::text, ${r.person}::text, ${r.accountAttributes}, decode(${r.hash}, 'hex'), ${r.mappingVersion}, ${r.mapped}, 'linked', ${r.person}, 'create', ${r.now}, ${r.now}, ${r.now}
      from taken_in r returning id, person_id),
    period as (insert into lifecycle_periods (person_id, state, reason, valid_from, recorded_from) select ${r.person}, 'active', ${r.reason}, ${r.now}, ${r.now} from taken_in r),
    awaited as (insert into pending_references (connection_id, kind, account_id, reference, since)
      select ${r.managerConnection}, 'manager', account.id, ${r.managerReference}, ${r.now} from account join taken_in r on ${r.person} = account.person_id
      where r.manager is null and ${r.managerReference} is not null and ${r.managerConnection} is not null on conflict do nothing),
    ${outbox ? `${outbox.parts},` : ""}
    ${recorded({ of: "taken_in" })}
    select place ${outbox ? `, ${outbox.woken}` : ""} from taken_in`;
}
