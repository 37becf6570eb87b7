import type { AttributeObject, Kind } from "../../connectors/contract.ts";
import type { Sql } from "../db/database.ts";
import type { Contribution } from "../directory/attributes.ts";
import { profileColumns, toProfile } from "../directory/attributes.ts";
import { matchValues, type Candidate, type MatchKey } from "./match.ts";
import type { KnownAbsence, KnownAccount, KnownOrigin, KnownPerson } from "./records.ts";

/** Accounts of one connection by native id; `lock` takes row locks, in id order, for a request's own transaction. */
export async function knownAccounts(
  sql: Sql,
  options: { connectionId: number; kind: Kind; nativeIds: readonly string[]; lock?: boolean },
): Promise<Map<string, KnownAccount>> {
  const { rows } = await sql.query<KnownAccount>({
    name: options.lock ? "sync_known_accounts_lock" : "sync_known_accounts",
    text: `select id, version, kind, native_id as "nativeId", situation, coalesce(person_id, group_id, unit_id) as "subjectId",
        linked_by as "linkedBy", former_person_id as "formerPersonId", gone_at is not null as gone, written_back as "writtenBack",
        encode(hash, 'hex') as hash, mapping_version as "mappingVersion", mapped
      from accounts where connection_id = $1 and kind = $2 and native_id = any($3::text[]) ${options.lock ? "order by id for update" : ""}`,
    values: [options.connectionId, options.kind, options.nativeIds],
  });
  return new Map(rows.map((row) => [row.nativeId, row]));
}

/** People with their origins and the blocks that origins own. */
export async function knownPeople(sql: Sql, personIds: readonly string[], { lock = false } = {}): Promise<Map<string, KnownPerson>> {
  if (personIds.length === 0) return new Map();
  if (lock) await sql.query("select from people where id = any($1::uuid[]) order by id for update", [personIds]);
  const { rows } = await sql.query<{
    id: string;
    version: number;
    state: string;
    attributes: AttributeObject;
    custom: AttributeObject;
    mastery: Record<string, number>;
    local: Contribution | null;
    origins: KnownOrigin[] | null;
    blocks: { connectionId: number | null; effect: string }[] | null;
    absences: KnownAbsence[] | null;
  }>({
    name: "sync_known_people",
    // Accounts as json: jsonb_agg takes seconds over a list of a hundred thousand values within one of them.
    text: `select p.id, p.version, p.state, p.attributes, p.custom, p.mastery, p.local,
        (select json_agg(json_build_object('accountId', a.id, 'connectionId', a.connection_id, 'nativeId', a.native_id, 'precedence', c.precedence, 'attributes', a.attributes, 'writtenBack', a.written_back))
           from accounts a join connections c on c.id = a.connection_id
          where a.person_id = p.id and a.gone_at is null and a.situation = 'linked' and a.mapped is not null) as origins,
        (select jsonb_agg(jsonb_build_object('connectionId', b.connection_id, 'effect', b.effect))
           from blocks b where b.person_id = p.id and b.owner = 'origin' and b.recorded_to is null and b.valid_to is null) as blocks,
        ${ABSENCES} as absences
      from people p where p.id = any($1::uuid[])`,
    values: [personIds],
  });
  return new Map(
    rows.map(({ origins, blocks, absences, ...row }) => [
      row.id,
      { ...row, origins: origins ?? [], originBlocks: blocks ?? [], absences: absences ?? [] },
    ]),
  );
}

/** The times in which the person `p` is believed not to be employed, as JSON; null = none. */
export const ABSENCES = `(select jsonb_agg(jsonb_build_object('connectionId', e.connection_id, 'effect', e.effect, 'from', e.valid_from, 'to', e.valid_to))
           from employment_absences e where e.person_id = p.id and e.recorded_to is null)`;

export interface Claims {
  candidates: Candidate[];
  /** By login name and e-mail address as they were asked for. */
  byUserName: Map<string, string>;
  byEmail: Map<string, string>;
}

export const NO_CLAIMS: Claims = { candidates: [], byUserName: new Map(), byEmail: new Map() };

/** A row of claimsQuery. */
export interface ClaimRow {
  id: string;
  /** As they were asked for. */
  names: string[] | null;
  addresses: string[] | null;
  employee_number: string | null;
  external_id: string | null;
  taken: boolean;
  unvouched: string[];
}

export interface ClaimsOptions {
  connectionId: number;
  contributions: readonly Contribution[];
  keys: readonly MatchKey[];
}

/** One query for two questions: whom might these contributions match, and which unique values are taken by whom. */
export async function findClaims(sql: Sql, options: ClaimsOptions): Promise<Claims> {
  const { rows } = await sql.query<ClaimRow>({ name: "sync_find_claims", text: CLAIMS, values: claimsValues(options) });
  return claimsOf(rows, options.keys);
}

/** Whether one of `people` has the value `claimed`, said by this key; `lowered` is the same in lower case. Each by its index. */
export const HOLDS: Readonly<Record<MatchKey, string>> = {
  userName: "lower(user_name::text) = claimed.lowered",
  emails: "lower(email::text) = claimed.lowered",
  employeeNumber: "employee_number = claimed.value",
  externalId: "external_id = claimed.value",
};

/**
 * One lookup for each value, by its index: left to itself, the planner reads everybody once the list is long. Whether two are the same in
 * lower case the database alone says, as its unique indexes do: JavaScript makes other letters of an İ, and of a Σ at the end of a word.
 */
const named = (values: string, key: MatchKey) =>
  `select f.id, '${key}' as key, claimed.value from (select distinct lower(value) as lowered, value from unnest(${values}::text[]) as v (value)) claimed
     cross join lateral (select id from people where ${HOLDS[key]} and state <> 'deleted' offset 0) f`;

/** Of the person `p`, what nobody but who administers a part has said: an origin that masters it by now has said it, too. */
export const UNVOUCHED =
  "case when p.unvouched = '{}' then p.unvouched else array(select key from unnest(p.unvouched) key where not p.mastery ?| array[key, '*']) end";

/** Takes the parameters that claimsValues gives, $1 to $5. */
export const CLAIMS = `with found as (
        select id, array_agg(value) filter (where key = 'userName') as names, array_agg(value) filter (where key = 'emails') as addresses from (
          ${named("$1", "userName")} union all ${named("$2", "emails")} union all ${named("$3", "employeeNumber")} union all ${named("$4", "externalId")}) every group by id)
      select p.id, found.names, found.addresses, p.employee_number, p.external_id, ${UNVOUCHED} as unvouched,
        (select true from accounts a where a.person_id = p.id and a.connection_id = $5::int and a.kind = 'user' and a.gone_at is null limit 1) is not null as taken
      from found cross join lateral (select * from people where id = found.id offset 0) p`;

export function claimsValues(options: ClaimsOptions): unknown[] {
  const values = (key: MatchKey) => [...new Set(options.contributions.flatMap((contribution) => matchValues(contribution, key)))];
  const emails = new Set([
    ...values("emails"),
    ...options.contributions.flatMap((contribution) => profileColumns(toProfile({ emails: contribution["emails"] })).email ?? []),
  ]);
  const asked = (key: MatchKey) => (options.keys.includes(key) ? values(key) : []);
  return [values("userName"), [...emails], asked("employeeNumber"), asked("externalId"), options.connectionId];
}

export function claimsOf(rows: readonly ClaimRow[], keys: readonly MatchKey[]): Claims {
  const candidates = rows.flatMap(({ id: personId, taken, unvouched, ...row }) => {
    const found: Record<MatchKey, readonly string[]> = {
      userName: row.names ?? [],
      emails: row.addresses ?? [],
      employeeNumber: row.employee_number === null ? [] : [row.employee_number],
      externalId: row.external_id === null ? [] : [row.external_id],
    };
    return keys.flatMap((key) =>
      found[key].map((value): Candidate => ({ personId, key, value, taken, unvouched: unvouched.includes(key) })),
    );
  });
  return {
    candidates,
    byUserName: new Map(rows.flatMap(({ id, names }) => (names ?? []).map((name) => [name, id]))),
    byEmail: new Map(rows.flatMap(({ id, addresses }) => (addresses ?? []).map((address) => [address, id]))),
  };
}
