import type { AttributeObject } from "../../connectors/contract.ts";
import { evaluateConditionRules } from "../access/condition-rules.ts";
import { recordEvent } from "../audit/record.ts";
import type { Mapping } from "../connections/definition.ts";
import { signsPeopleIn } from "../connections/sign-in-connectors.ts";
import type { Sql, Work } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { profileColumns, primaryEmail, fromProfile, type Contribution } from "../directory/attributes.ts";
import { markPeople } from "../directory/outbox.ts";
import { personKeys, sealPersonal } from "../directory/personal.ts";
import { refuseMissingManager, refuseTaken } from "../directory/people-checks.ts";
import { setPersonUnits } from "../directory/person-units.ts";
import { AppError } from "../errors.ts";
import { knownPeople } from "./known.ts";
import { decideLocalEdit, type DecidedEdit, type LocalChanges } from "./local-edit.ts";
import { compileOtherMapping, type CompiledMapping } from "./mapping.ts";
import { LOCAL_PRECEDENCE, mergeOrigins } from "./merge.ts";
import type { Speakers } from "./origins.ts";
import { managerOf } from "./request/manager.ts";
import { newId } from "./stage.ts";

export interface NewLocalPerson {
  /** Attribute key to value, as in a mapping; `userName` is needed, `manager` is a person's id, `custom.KEY` the organisation's own. */
  contribution: Contribution;
  unitIds?: readonly string[];
  /** `invited` until the person has answered. */
  state?: "active" | "invited";
  reason?: string | undefined;
}

/**
 * Makes a person of the origin `local`, in the caller's transaction. Throws `conflict` for a login name or address that somebody has
 * already, `not_found` for an unknown manager or unit. Values must have been checked before.
 */
export async function createLocalPerson(
  work: Work,
  { contribution, unitIds = [], state = "active", reason }: NewLocalPerson,
): Promise<string> {
  const { ctx, sql } = work;
  const now = ctx.now();
  const id = newId(now);
  const merged = mergeOrigins([{ connectionId: null, precedence: LOCAL_PRECEDENCE, overrides: {}, contribution }]);
  const columns = profileColumns(merged.profile);
  if (columns.userName === "") throw new AppError("invalid", "userName: a person needs one.", { field: "userName" });
  await refuseTaken(sql, { personId: id, userName: columns.userName, email: columns.email });
  const managerId = merged.manager?.reference ?? null;
  if (managerId !== null) await refuseMissingManager(sql, { personId: id, managerId });
  await takenAsConflict(() =>
    sql.query(
      `insert into people (id, user_name, email, employee_number, external_id, display_name, active, state, attributes, custom, mastery, local, manager_id, created_at, modified_at)
       values ($1, $2, $3, $4, $5, $6, true, $7, $8, $9, '{}', $10, $11, $12, $12)`,
      [
        id,
        columns.userName,
        columns.email,
        columns.employeeNumber,
        columns.externalId,
        columns.displayName,
        state,
        JSON.stringify(merged.profile),
        JSON.stringify(merged.custom),
        JSON.stringify(contribution),
        managerId,
        now,
      ],
    ),
  );
  await sql.query("insert into lifecycle_periods (person_id, state, reason, valid_from, recorded_from) values ($1, $2, $3, $4, $4)", [
    id,
    state,
    reason ?? "made here",
    now,
  ]);
  await recordEvent(work, {
    name: "person.joined",
    subjectType: "person",
    subjectId: id,
    ...(reason === undefined ? {} : { reason }),
    data: {},
  });
  if (unitIds.length > 0) await setPersonUnits(work, { personId: id, unitIds });
  await followPeople(work, [id]);
  return id;
}

export interface LocalEditOptions {
  personId: string;
  keyRing: KeyRing;
  changes: LocalChanges;
  reason?: string | undefined;
  /** Asked before anything is said about the edit: throws what the editor may not change. */
  allow?: (edit: { asked: readonly string[]; before: AttributeObject; after: AttributeObject }) => Promise<void>;
}

/**
 * Changes a person's attributes here, in the caller's transaction, under the person's row lock. What an origin masters is refused naming
 * it, or put before it where its mapping says so (invariant 9). Returns the attributes that changed. Throws `not_found`; `conflict` for what an origin
 * masters and for what is taken; `invalid` for a login name, which stays what it was set to (P1).
 */
export async function editPersonHere(
  work: Work,
  { personId, keyRing, changes, reason, allow }: LocalEditOptions,
): Promise<readonly string[]> {
  const { ctx, sql } = work;
  const person = (await knownPeople(sql, [personId], { lock: true })).get(personId);
  if (!person || person.state === "deleted") throw new AppError("not_found", "There is no such person.", { field: "person" });
  const { rows } = await sql.query<{ managerId: string | null }>('select manager_id as "managerId" from people where id = $1', [personId]);
  const managerId = rows[0]?.managerId ?? null;
  const speakers = await speakersOf(sql);
  const edit = decideLocalEdit({ person, managerId, speakers, changes, now: ctx.now() });
  await allow?.({ asked: edit.asked, before: person.attributes, after: edit.merged.profile });
  await refuseMastered(sql, edit);
  if (edit.changed.includes("userName"))
    throw new AppError("invalid", "userName: a login can't be changed once it is set.", { field: "userName" });
  if (edit.changed.length === 0) return [];
  const columns = profileColumns(edit.merged.profile);
  const email = columns.email?.toLowerCase() === primaryEmail(person.attributes)?.toLowerCase() ? undefined : columns.email;
  if (email != null) await refuseTaken(sql, { personId, email });
  const { manager } = edit.merged;
  const movesManager = edit.changed.includes("manager");
  if (movesManager && manager?.connectionId === null) await refuseMissingManager(sql, { personId, managerId: manager.reference });
  await takenAsConflict(() =>
    sql.query(
      `update people p set email = case when $2 then $3 else p.email end, employee_number = $4, external_id = $5, display_name = $6, attributes = $7, custom = $8,
         mastery = $9, local = $10, manager_id = case when $11 then ${managerOf({ reference: "$12::text", connection: "$13::int" })} else p.manager_id end,
         version = p.version + 1, modified_at = $14 where p.id = $1`,
      [
        personId,
        email !== undefined,
        email ?? null,
        columns.employeeNumber,
        columns.externalId,
        columns.displayName,
        JSON.stringify(edit.merged.profile),
        JSON.stringify(edit.merged.custom),
        JSON.stringify(edit.merged.mastery),
        JSON.stringify(edit.local),
        movesManager,
        manager?.reference ?? null,
        manager?.connectionId ?? null,
        ctx.now(),
      ],
    ),
  );
  await recordEdit(work, { personId, keyRing, reason, edit, before: person.attributes });
  await followPeople(work, [personId]);
  return edit.changed;
}

/** What follows a change of people made here: grants by rule, targets. */
export async function followPeople(work: Work, personIds: readonly string[]): Promise<void> {
  await evaluateConditionRules(work, { personIds });
  await markPeople(work, { personIds });
}

async function recordEdit(
  work: Work,
  {
    personId,
    keyRing,
    reason,
    edit,
    before,
  }: Pick<LocalEditOptions, "personId" | "keyRing" | "reason"> & { edit: DecidedEdit; before: AttributeObject },
): Promise<void> {
  const pick = (values: Contribution) => Object.fromEntries(edit.changed.map((key) => [key, values[key] ?? null]));
  const key = (await personKeys(work, keyRing, [personId])).get(personId);
  if (!key) throw new Error(`no key was made for person ${personId}`);
  await recordEvent(work, {
    name: "person.updated",
    subjectType: "person",
    subjectId: personId,
    ...(reason === undefined ? {} : { reason }),
    data: { changed: [...edit.changed] },
    sealed: sealPersonal(key, { personId, value: { before: pick(fromProfile(before)), after: pick(fromProfile(edit.merged.profile)) } }),
  });
}

async function refuseMastered(sql: Sql, { refused }: DecidedEdit): Promise<void> {
  const [first] = refused;
  if (!first) return;
  const { rows } = await sql.query<{ id: number; name: string }>("select id, name from connections where id = any($1::int[])", [
    refused.map(({ connectionId }) => connectionId),
  ]);
  const names = new Map(rows.map(({ id, name }) => [id, name]));
  const problems = refused.map(({ key, connectionId }) => ({
    field: fieldOf(key),
    message: `is mastered by ${names.get(connectionId) ?? "an origin"}: change it there, or give it a precedence above ${LOCAL_PRECEDENCE} in that connection's mapping`,
  }));
  throw new AppError("conflict", `${fieldOf(first.key)} ${problems[0]?.message}.`, { field: fieldOf(first.key), problems });
}

/** As callers name it. */
function fieldOf(key: string): string {
  return key === "manager" ? "managerId" : key;
}

/** What the origins of people are, as edits made here see them. */
export async function speakersOf(sql: Sql): Promise<Pick<Speakers, "mappingOf" | "silent" | "signIns">> {
  const { rows } = await sql.query<{ id: number; connector: string; mapping: Mapping | null; silent: boolean }>(
    "select id, connector, mapping, silent_since is not null as silent from connections",
  );
  const stored = new Map(rows.map(({ id, mapping }) => [id, mapping]));
  const compiled = new Map<number, CompiledMapping>();
  const mappingOf = (id: number) => {
    const mapping = compiled.get(id) ?? compileOtherMapping(stored.get(id) ?? null);
    compiled.set(id, mapping);
    return mapping;
  };
  return {
    mappingOf,
    silent: new Set(rows.filter(({ silent }) => silent).map(({ id }) => id)),
    signIns: new Set(rows.filter(({ connector }) => signsPeopleIn(connector)).map(({ id }) => id)),
  };
}

/** Two who want the same name or address at the same time: the second is told as if it had come later. */
async function takenAsConflict<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    const { code, constraint } = error as { code?: unknown; constraint?: unknown };
    if (code !== "23505") throw error;
    const field = constraint === "people_email" ? "emails" : "userName";
    throw new AppError("conflict", `${field}: somebody else has it already.`, { field, cause: error });
  }
}
