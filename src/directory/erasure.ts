import type { AttributeValue } from "../../connectors/contract.ts";
import { recordEvent } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import { open, type KeyRing } from "../db/envelope.ts";
import { forgetKeptAnswers } from "../db/kept-answers.ts";
import { waitForSearchTexts } from "../db/search-texts.ts";
import { AppError } from "../errors.ts";
import { eraseFromTexts } from "./erasure-texts.ts";
import { refuseErasure, erasureStanding } from "./erasure-standing.ts";
import { ERASED, patternOf, wordsOf, type PersonWords } from "./erasure-words.ts";
import { endPresence, withdrawGrants } from "./leaving.ts";
import { markPeople } from "./outbox.ts";
import { lockPerson } from "./people-checks.ts";
import { closePeriods, type PeriodTable } from "./periods.ts";

export interface ErasureOptions {
  personId: string;
  /** The person's login, typed by whoever means it. */
  confirm: string;
  reason: string;
  /** Though the person is active still, or targets have not been told. */
  force: boolean;
  keyRing: KeyRing;
}

/** Before the person, as who applies one does. */
const LOCK_PREVIEWS = `select from people_imports i where i.state = 'previewed' and i.id in (select import_id from people_import_rows where person_id = $1)
  order by i.id for update`;

/**
 * Deletes somebody for good (P5), in the caller's transaction. What is left is an id without a name: the trail says what was done to it
 * and by it. Targets that remove the account later are still told, for which an account's id there is kept until then. Throws
 * `not_found`; `invalid` when the login is not confirmed; `conflict` for what stands in the way.
 */
export async function erasePerson(
  work: Work,
  { personId, confirm, reason, force, keyRing }: ErasureOptions,
): Promise<{ waitsFor: string[] }> {
  const { ctx, sql } = work;
  await sql.query(LOCK_PREVIEWS, [personId]);
  await lockPerson(sql, personId);
  const standing = await erasureStanding(sql, personId);
  if (confirm.toLowerCase() !== standing.userName.toLowerCase())
    throw new AppError("invalid", "confirm: is not the login of this person.", { field: "confirm" });
  refuseErasure(standing, { force });
  const forced = standing.state !== "deactivated" || standing.untold.length > 0;
  const words = await wordsOfPerson(sql, personId);
  await leaveEverything(work, personId);
  const subjectIds = await subjectsOf(sql, personId);
  await emptyRecords(sql, personId);
  await sql.query("insert into erasures (person_id, erased_at, erased_by, reason) values ($1, $2, $3, $4)", [
    personId,
    ctx.now(),
    ctx.actor,
    patternOf(words.all) === undefined ? reason : reason.replaceAll(patternOf(words.all) ?? /$^/, ERASED),
  ]);
  await buryPerson(work, personId);
  await recordEvent(work, {
    name: "person.erased",
    subjectType: "person",
    subjectId: personId,
    reason,
    data: { accounts: standing.counts.accounts, forced },
  });
  await eraseFromTexts(sql, { personId, subjectIds, words });
  await forgetPreviews(sql, { personId, words });
  await forgetKeptAnswers(sql, (sealed) => names(open(keyRing, { purpose: "idempotency", sealed }), { personId, words }));
  if (forced) await markPeople(work, { personIds: [personId] });
  return { waitsFor: [...new Set([...standing.untold, ...standing.removedLater.map(({ target }) => target)])].sort() };
}

/** What is looked at before it is saved may name them, and would write a reason into the trail. Who saves one now holds it, and then people. */
async function forgetPreviews(sql: Sql, whom: { personId: string; words: PersonWords }): Promise<void> {
  const { rows } = await sql.query<{ id: string; change: string }>(
    "select id, change::text as change from access_previews for update skip locked",
  );
  const ids = rows.filter(({ change }) => names(change, whom)).map(({ id }) => id);
  await sql.query("delete from access_previews where id = any($1::uuid[])", [ids]);
}

function names(text: string, { personId, words }: { personId: string; words: PersonWords }): boolean {
  return text.includes(personId) || (patternOf(words.telling)?.test(text) ?? false);
}

async function wordsOfPerson(sql: Sql, personId: string): Promise<PersonWords> {
  const { rows } = await sql.query<{ profile: AttributeValue }>(
    `select attributes || jsonb_build_object('displayName', display_name, 'email', email, 'employeeNumber', employee_number, 'externalId', external_id) as profile from people where id = $1
     union all select attributes from accounts where $1 in (person_id, former_person_id)
     union all select jsonb_build_object('externalId', native_id, 'employeeNumber', reference) from accounts where $1 in (person_id, former_person_id)
     union all select delivered from projections where person_id = $1 and delivered is not null
     union all select desired from projections where person_id = $1 and desired is not null`,
    [personId],
  );
  return wordsOf(rows.map(({ profile }) => profile));
}

/** What the person is in, holds and has begun ends now, as it would have when they left. */
async function leaveEverything(work: Work, personId: string): Promise<void> {
  const { ctx, sql } = work;
  await endPresence(work, [{ personId, reason: "deleted" }]);
  await withdrawGrants(work, { personIds: [personId], reason: "the person was deleted" });
  for (const table of ["memberships", "person_units", "lifecycle_periods", "person_expiries", "blocks"] satisfies PeriodTable[]) {
    const { rows } = await sql.query<{ id: number }>(
      `select id from ${table} where person_id = $1 and recorded_to is null and (valid_to is null or valid_to > $2)`,
      [personId, ctx.now()],
    );
    await closePeriods(sql, { table, ids: rows.map(({ id }) => id), at: ctx.now(), personIds: [personId] });
  }
  await sql.query(
    `insert into lifecycle_periods (person_id, state, reason, valid_from, recorded_from)
     select $1, 'deleted', 'deleted for good', at, at from (select greatest($2::timestamptz, max(greatest(valid_to, recorded_to))) as at from lifecycle_periods where person_id = $1) ended`,
    [personId, ctx.now()],
  );
  await sql.query(
    "update access_requests set state = 'withdrawn', decided_at = $2, version = version + 1 where person_id = $1 and state = 'pending'",
    [personId, ctx.now()],
  );
}

/** Ids under which the trail knows what was the person's. */
async function subjectsOf(sql: Sql, personId: string): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    `select id::text from tokens where person_id = $1 union select id::text from accounts where $1 in (person_id, former_person_id)
     union select grant_id::text from grants where person_id = $1 union select id::text from access_requests where person_id = $1 or requested_by = $1
     union select id::text from projections where person_id = $1 union select id::text from incidents where person_id = $1`,
    [personId],
  );
  return rows.map(({ id }) => id);
}

/** Everything that has personal values and stands for the person alone. Statements of one parameter, in this order. */
const EMPTYING: readonly string[] = [
  "delete from person_photos where person_id = $1",
  "delete from person_search where person_id = $1",
  "delete from sessions where person_id = $1",
  // What a network did is counted without them: their attempts go, and what was counted of them.
  "delete from sign_in_attempts where person_id = $1 or token_id in (select id from tokens where person_id = $1)",
  `update incident_evidence set facts = '{}' where incident_id in (select id from incidents where person_id = $1)`,
  "delete from passwords where person_id = $1",
  "delete from password_history where person_id = $1",
  "delete from login_links where person_id = $1",
  "delete from address_changes where person_id = $1",
  "delete from undeliverable_addresses where person_id = $1",
  "delete from notices where person_id = $1",
  "delete from notice_preferences where person_id = $1",
  "delete from sign_ins where person_id = $1",
  "delete from offline_grants where person_id = $1",
  "delete from sign_in_devices where person_id = $1",
  "delete from factor_challenges where person_id = $1",
  "delete from factors where person_id = $1",
  "delete from recovery_codes where person_id = $1",
  "delete from factor_requirements where person_id = $1",
  `update tokens set name = '${ERASED}', last_used_from = null where person_id = $1`,
  `update audit_events set data = jsonb_set(data, '{name}', '"${ERASED}"') where subject_type = 'token' and data ? 'name' and subject_id in (select id::text from tokens where person_id = $1)`,
  "update audit_events set sealed = null where subject_id = $1::uuid::text and sealed is not null",
  "delete from person_keys where person_id = $1",
  "delete from people_imports where state = 'previewed' and id in (select import_id from people_import_rows where person_id = $1)",
  "update people_import_rows set content = null where person_id = $1",
  `delete from run_problems p using runs r, accounts a where r.id = p.run_id and a.connection_id = r.connection_id and a.native_id = p.native_id and $1 in (a.person_id, a.former_person_id)`,
  `update plan_outcomes o set message = '${ERASED}' from plan_items i where i.plan_id = o.plan_id and i.seq = o.seq and o.message <> ''
     and (i.subject_id = $1 or i.account_id in (select id from accounts where $1 in (person_id, former_person_id)))`,
  `update plan_items set native_id = 'erased:' || seq, reference = null, reason = '${ERASED}', payload = '{}', account_attributes = null, person_attributes = null, sealed = null
     where subject_id = $1 or account_id in (select id from accounts where $1 in (person_id, former_person_id))`,
  `update plans p set passed_on = (select coalesce(jsonb_agg(e), '[]') from jsonb_array_elements(p.passed_on) e where e ->> 'personId' <> $1::uuid::text)
     where p.passed_on @> jsonb_build_array(jsonb_build_object('personId', $1::uuid::text))`,
  "update plan_members set reference = null where account_id in (select id from accounts where $1 in (person_id, former_person_id)) and reference is not null",
  `delete from pending_references p using accounts a where $1 in (a.person_id, a.former_person_id)
     and (p.account_id = a.id or (p.connection_id = a.connection_id and p.reference in (a.native_id, a.reference)))`,
  `update accounts set candidates = nullif(candidates - $1::uuid::text, '[]') where candidates ? $1::uuid::text`,
  "delete from accounts where $1 in (person_id, former_person_id)",
  // By these an account is found whose making was never confirmed; they go once the target has been told.
  `update projections set desired = null, desired_hash = null, delivered_hash = null, last_error = null,
     delivered = case when native_id is null and delivered_state = 'attempted' then (
       select jsonb_object_agg(key, value) from jsonb_each(coalesce(delivered, desired)) where key in ('userName', 'externalId', 'emails')) end
   where person_id = $1`,
  "update deliveries set message = null where message is not null and projection_id in (select id from projections where person_id = $1)",
];

async function emptyRecords(sql: Sql, personId: string): Promise<void> {
  await waitForSearchTexts(sql);
  for (const statement of EMPTYING) await sql.query(statement, [personId]);
}

async function buryPerson({ ctx, sql }: Work, personId: string): Promise<void> {
  const name = `erased-${personId}`;
  await sql.query(
    `update people set user_name = $2::text::citext, email = null, employee_number = null, external_id = null, display_name = null, active = false, state = 'deleted',
       attributes = jsonb_build_object('userName', $2::text), mastery = '{}', local = null, custom = '{}', origin_id = null, manager_id = null,
       version = version + 1, modified_at = $3, deleted_at = $3 where id = $1`,
    [personId, name, ctx.now()],
  );
}

/** Nothing more is to be told to a target, and nothing is to be removed there later. */
const SETTLED =
  "p.state = 'idle' and p.dirty_at is null and (p.delivered_state is null or p.delivered_state = 'removed' or (p.delivered_state = 'disabled' and p.remove_after is null))";

/** Lets go of the account's ids at targets that have been told. Returns how many people that concerned. */
export async function finishErasures(work: Work): Promise<number> {
  const { ctx, sql } = work;
  const { rows } = await sql.query<{ id: string }>(
    `select person_id as id from erasures e where finished_at is null and not exists (select from projections p where p.person_id = e.person_id and not (${SETTLED}))
     order by erased_at for update skip locked`,
  );
  const ids = rows.map(({ id }) => id);
  await sql.query(
    "update deliveries set message = null where message is not null and projection_id in (select id from projections where person_id = any($1::uuid[]))",
    [ids],
  );
  await sql.query(
    "update projections set native_id = null, delivered = null, delivered_hash = null, last_error = null where person_id = any($1::uuid[])",
    [ids],
  );
  await sql.query("update erasures set finished_at = $2 where person_id = any($1::uuid[])", [ids, ctx.now()]);
  for (const id of ids) await recordEvent(work, { name: "person.erasure_finished", subjectType: "person", subjectId: id, data: {} });
  return ids.length;
}
