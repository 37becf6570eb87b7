import { isDeepStrictEqual } from "node:util";
import { fulfils, type CompiledRule } from "../access/condition-rules.ts";
import { loadPersonFacts } from "../access/facts.ts";
import type { HeldRoleOnUnit } from "../access/preview-difference.ts";
import { loadWorld } from "../access/preview-load.ts";
import { compareAccess, type ComputedPreview } from "../access/preview.ts";
import { storedCondition } from "../access/stored-conditions.ts";
import { mappingSchema, type Mapping } from "../connections/definition.ts";
import type { Sql, Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { knownPeople } from "./known.ts";
import { speakersOf } from "./local-people.ts";
import { compileMapping, type CompiledKind } from "./mapping.ts";
import { mergeOrigins, type Merged, type Origin } from "./merge.ts";
import { audible, localOrigin, relied, storedOrigin, type Speakers } from "./origins.ts";
import { managersNamed } from "./preview-managers.ts";
import { returningOnceLifted } from "./preview-returning.ts";
import { unitsNamed } from "./preview-units.ts";
import type { KnownPerson } from "./records.ts";

const PAGE = 2000;

/**
 * Whose access would differ once a connection is mapped otherwise (B3), as far as it follows from what is known of people who are
 * linked already: their attributes, managers and units as conditions of rules ask for them, whether the connection says that they are active, and
 * whether it still lists them. What a mapping makes of groups, of units themselves, dates and of accounts that nobody is linked to, the next run's plan shows.
 * An account on which the mapping fails leaves its person as it is. Throws `not_found` for the connection, `invalid` for the mapping.
 */
export async function previewMapping(
  work: Work,
  { connection: name, mapping: input, at }: { connection: string; mapping: unknown; at: Date },
): Promise<ComputedPreview> {
  const { ctx, sql } = work;
  const { rows } = await sql.query<{ id: number }>("select id from connections where name = $1", [name]);
  const connectionId = rows[0]?.id;
  if (connectionId === undefined) throw new AppError("not_found", `There is no connection named ${name}.`, { field: "connection" });
  const mapping = mappingOf(input);
  const compiled = compileMapping(mapping);
  const known = await speakersOf(sql);
  const speakers = (own: Speakers["mapping"]): Speakers => ({
    ...known,
    connectionId,
    precedence: 0,
    mapping: own,
    mappingOf: (id) => (id === connectionId ? own : known.mappingOf(id)),
  });
  const [before, after] = [speakers(known.mappingOf(connectionId)), speakers(compiled)];
  const rules = await conditionRulesAt(sql, at);
  const world = await loadWorld(sql, { at });
  const changes = new Map<string, Change>();
  for await (const personIds of peopleOf(sql, connectionId)) {
    ctx.signal.throwIfAborted();
    const people = await knownPeople(sql, personIds);
    const all = await loadPersonFacts(sql, { personIds, at: ctx.now(), rolesForRules: {} });
    const nexts = all.flatMap((facts) => {
      const person = people.get(facts.id);
      const next =
        person &&
        nextOf(person, { before, after, listed: compiled.kinds.user, ignored: mapping.situations.deleted === "ignore", now: ctx.now() });
      return next ? [{ facts, person, next }] : [];
    });
    const led = await managersNamed(
      sql,
      nexts.flatMap(({ facts, next }) => (next !== "leaves" && next.led ? [{ personId: facts.id, manager: next.manager }] : [])),
    );
    const placed = await unitsNamed(sql, {
      connectionId,
      named: nexts.flatMap(({ facts, next }) => (next !== "leaves" && next.units ? [{ personId: facts.id, references: next.units }] : [])),
    });
    const back = await returningOnceLifted(sql, {
      personIds: nexts.flatMap(({ facts, next }) => (next !== "leaves" && next.lifted ? [facts.id] : [])),
      connectionId: known.signIns.has(connectionId) ? connectionId : null,
    });
    for (const { facts, person, next } of nexts) {
      if (next === "leaves") {
        changes.set(facts.id, { leaves: true, returns: false, gained: [], lost: new Set() });
        continue;
      }
      const managerId = led.has(facts.id) ? led.get(facts.id) : facts.managerId;
      const matches = (rule: GivingRule, changed: Partial<typeof facts>) => fulfils({ ctx }, { rule, person: { ...facts, ...changed } });
      const isNow = (rule: GivingRule) => matches(rule, { attributes: person.attributes, custom: person.custom });
      const units = placed.get(facts.id) ?? facts.units;
      const returns = back.has(facts.id);
      const standing = returns ? { active: true, state: "active" } : {};
      const willBe = (rule: GivingRule) => matches(rule, { attributes: next.profile, custom: next.custom, managerId, units, ...standing });
      const differing = rules.filter((rule) => isNow(rule) !== willBe(rule));
      const gained = differing.filter(willBe);
      const lost = new Set(differing.filter((rule) => !gained.includes(rule)).map(({ id }) => id));
      if (differing.length > 0 || returns) changes.set(facts.id, { leaves: false, returns, gained, lost });
    }
  }
  const simulated = {
    people: [...changes.keys()],
    returning: new Set([...changes].filter(([, { returns }]) => returns).map(([id]) => id)),
    before: world,
    after: world,
    heldAfter(personId: string, held: readonly (HeldRoleOnUnit & { ruleId: string | null })[]): readonly HeldRoleOnUnit[] {
      const change = changes.get(personId);
      if (!change) return held;
      return change.leaves ? [] : [...held.filter(({ ruleId }) => ruleId === null || !change.lost.has(ruleId)), ...change.gained];
    },
  };
  return compareAccess(work, { simulated, at });
}

interface Change {
  leaves: boolean;
  returns: boolean;
  gained: readonly HeldRoleOnUnit[];
  lost: ReadonlySet<string>;
}

function mappingOf(input: unknown): Mapping {
  const result = mappingSchema.safeParse(input);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => ({
    field: ["mapping", ...issue.path.map(String)].join("."),
    message: issue.message,
  }));
  throw new AppError("invalid", `The mapping can't be used: ${problems[0]?.field}: ${problems[0]?.message}.`, {
    field: problems[0]?.field,
    problems,
  });
}

/** What the mapping makes of one person; undefined when nothing that access follows from. */
function nextOf(
  person: KnownPerson,
  {
    before,
    after,
    listed,
    ignored,
    now,
  }: { before: Speakers; after: Speakers; listed: CompiledKind | undefined; ignored: boolean; now: Date },
): Next | "leaves" | undefined {
  const own = person.origins.filter(({ connectionId }) => connectionId === after.connectionId);
  let kept: typeof own;
  try {
    kept = own.filter(({ attributes }) => listed?.inScope(attributes));
    for (const { attributes } of kept) listed?.map(attributes);
  } catch (error) {
    if (error instanceof AppError && error.code === "invalid") return undefined;
    throw error;
  }
  const others = person.origins.filter((origin) => !own.includes(origin));
  // Of who falls out of the scope, those on whom a run lets them rely: see decideLeaver.
  const left = kept.length === 0 && own.length > 0 ? relied(after, others) : [...others, ...kept];
  if (left.length === 0 && !ignored) return "leaves";
  const mergedBy = (speakers: Speakers, origins: KnownPerson["origins"]) =>
    mergeOrigins([...audible(speakers, origins).map((origin) => storedOrigin(speakers, { origin, person, now })), ...localOrigin(person)]);
  const was = mergedBy(before, person.origins);
  // Who falls out of the scope and is left as they are loses the units all the same.
  const becomes = left.length === 0 ? was : mergedBy(after, left);
  if (becomes.active?.value === false && was.active?.value !== false) return "leaves";
  const led = !isDeepStrictEqual(was.manager, becomes.manager);
  const namedBy = (speakers: Speakers, origins: typeof own) =>
    unitsOf(origins.map((origin) => storedOrigin(speakers, { origin, person, now })));
  const namedBefore = namedBy(before, own);
  const named = (kept.length === 0 && own.length > 0 ? [] : namedBy(after, kept)) ?? (namedBefore && []);
  const units = isDeepStrictEqual(namedBefore, named) ? undefined : named;
  const lifted = kept.length > 0 && person.originBlocks.length > 0 && becomes.active?.value !== false;
  const stays = !led && units === undefined && !lifted && isDeepStrictEqual([was.profile, was.custom], [becomes.profile, becomes.custom]);
  return stays ? undefined : { ...becomes, led, units, lifted };
}

/** The units that a connection names; undefined where its mapping says nothing of them. */
function unitsOf(origins: readonly Pick<Origin, "contribution">[]): string[] | undefined {
  const lists = origins.flatMap(({ contribution: { units } }) => (Array.isArray(units) ? [units] : []));
  return lists.length === 0 ? undefined : lists.flat().filter((unit): unit is string => typeof unit === "string");
}

/**
 * With whether somebody else is named as the manager, or nobody any more; which units, where they are others; and whether origins keep
 * the person out no longer.
 */
type Next = Merged & { led: boolean; units: string[] | undefined; lifted: boolean };

interface GivingRule extends CompiledRule, HeldRoleOnUnit {}

/** Those that can be evaluated: nobody comes to the others or leaves them by what they are. */
async function conditionRulesAt(sql: Sql, at: Date): Promise<GivingRule[]> {
  const { rows } = await sql.query<Omit<GivingRule, "matches">>(
    `select r.id, r.name, r.condition, r.role_id as "roleId", u.id as "unitId" from rules r join units u on u.code = r.unit_code and u.deleted_at is null
     where r.condition is not null and r.enabled and r.deleted_at is null and (r.starts_at is null or r.starts_at <= $1) and (r.expires_at is null or r.expires_at > $1)`,
    [at],
  );
  return rows.flatMap((rule) => {
    const { matches } = storedCondition(rule);
    return matches ? { ...rule, matches } : [];
  });
}

/** The people whom the connection lists, in portions. */
async function* peopleOf(sql: Sql, connectionId: number): AsyncGenerator<string[]> {
  for (let after = "00000000-0000-0000-0000-000000000000"; ;) {
    const { rows } = await sql.query<{ id: string }>(
      `select distinct person_id as id from accounts where connection_id = $1 and kind = 'user' and situation = 'linked' and gone_at is null and person_id > $2 order by 1 limit $3`,
      [connectionId, after, PAGE],
    );
    const last = rows.at(-1);
    if (!last) return;
    yield rows.map(({ id }) => id);
    after = last.id;
  }
}
