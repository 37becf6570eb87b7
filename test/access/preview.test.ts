import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { effectiveAccess } from "../../src/access/effective.ts";
import { applyPreview } from "../../src/access/preview-apply.ts";
import type { SavedChange } from "../../src/access/preview-change.ts";
import { itemsOf } from "../../src/access/preview-items.ts";
import { minus, numberAt, sizeOf, spansOf, union } from "../../src/access/preview-spans.ts";
import { OUT_OF_REACH } from "../../src/access/policy.ts";
import { findPreview, forgetPreviews, keepPreview, listPreviewItems } from "../../src/access/preview-store.ts";
import { computePreview, type ComputedPreview } from "../../src/access/preview.ts";
import { parseRule } from "../../src/access/rule-input.ts";
import { createRule } from "../../src/access/rules.ts";
import { inTransaction, type Work } from "../../src/db/database.ts";
import { DAY_ONE, HOUR, standingClock } from "../directory/fixtures.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { assertUntilSeen } from "../helpers/until-seen.ts";
import { whileTimeLasts } from "../helpers/while-time-lasts.ts";
import { found, GROUPS, PERMISSIONS, ROLES, steps, take, UNITS, type Organisation, type Step } from "./organisation.ts";

let db: TestDatabase;
const clock = standingClock();
const inWork = <T>(flow: (work: Work) => Promise<T>) => inTransaction(db, testContext({ now: clock.now }), flow);
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db?.drop());

const rule = fc.record({
  kind: fc.constant("rule" as const),
  name: fc.constantFrom("first", "second"),
  group: fc.option(fc.nat(GROUPS - 1)),
  condition: fc.constantFrom<string>("person.active", "size(person.groups) > 0", "size(person.roles) == 0", "false"),
  role: fc.nat(ROLES - 1),
  unit: fc.nat(UNITS - 1),
  seconds: fc.option(fc.integer({ min: 1, max: 5 }).map((hours) => hours * 3600)),
  enabled: fc.boolean(),
});
const wish = fc.oneof(
  rule,
  fc.record({ kind: fc.constant("ruleRemoval" as const), name: fc.constantFrom("first", "second") }),
  fc.record({
    kind: fc.constant("role" as const),
    role: fc.nat(ROLES - 1),
    permissions: fc.subarray(PERMISSIONS),
    inherits: fc.option(fc.nat(ROLES - 1)),
  }),
  fc.record({ kind: fc.constant("unitMove" as const), unit: fc.nat(UNITS - 1), parent: fc.option(fc.nat(UNITS - 1)) }),
);
type Wish = typeof wish extends fc.Arbitrary<infer T> ? T : never;

async function changeOf(organisation: Organisation, asked: Wish): Promise<SavedChange> {
  const id = (ids: string[], index: number) => ids[index] ?? "";
  const { groups, units, roles } = organisation;
  const prefix = units[0] ?? "";
  if (asked.kind === "ruleRemoval") return { kind: "ruleRemoval", name: `${asked.name} ${prefix}` };
  if (asked.kind === "unitMove")
    return { kind: "unitMove", unitId: id(units, asked.unit), parentId: asked.parent === null ? null : id(units, asked.parent) };
  if (asked.kind === "role")
    return {
      kind: "role",
      key: id(roles, asked.role),
      permissions: asked.permissions,
      ...(asked.inherits === null ? {} : { inherits: [id(roles, asked.inherits)] }),
    };
  const { rows } = await db.pool.query<{ name: string }>("select display_name::text as name from groups where id = $1", [
    groups[asked.group ?? 0],
  ]);
  const from: Record<string, string> = asked.group === null ? { condition: asked.condition } : { group: rows[0]?.name ?? "" };
  const lasts: Record<string, number> = asked.seconds === null ? {} : { expiresAfterSeconds: asked.seconds };
  return {
    kind: "rule",
    rule: {
      name: `${asked.name} ${prefix}`,
      ...from,
      role: id(roles, asked.role),
      unit: `unit ${id(units, asked.unit)}`,
      ...lasts,
      enabled: asked.enabled,
    },
  };
}

/** `person unit permission` for all that anybody holds. */
async function everything(organisation: Organisation): Promise<Set<string>> {
  const held = new Set<string>();
  for (const personId of organisation.people)
    for (const { unitId, permission } of await effectiveAccess(db.pool, { personId, at: clock.now() }))
      held.add(`${personId} ${unitId} ${permission}`);
  return held;
}

/** What a preview says of this organisation's people; others of the database are concerned, too. */
function saidOf({ parts, units }: ComputedPreview, organisation: Organisation): { gained: string[]; lost: string[] } {
  const items = parts
    .flatMap((part) => itemsOf(part, { units, from: 0, most: 1_000_000 }))
    .filter(({ personId }) => organisation.people.includes(personId));
  const side = (asked: string) =>
    items.filter(({ change }) => change === asked).map(({ personId, unitId, permission }) => `${personId} ${unitId} ${permission}`);
  return { gained: side("gained").sort(), lost: side("lost").sort() };
}

async function organisationAfter(actions: Step[]): Promise<Organisation> {
  clock.set(DAY_ONE);
  const organisation = await inWork(found);
  await db.pool.query("update units set code = 'unit ' || id where id = any($1::uuid[])", [organisation.units]);
  for (const action of actions) {
    clock.forward(action.hours * HOUR);
    await inWork((work) => take(work, organisation, action));
  }
  return organisation;
}

describe("what a change would do", () => {
  test("B3: over random organisations and changes, what is shown is exactly what saving does", async () => {
    let differences = 0;
    await assertUntilSeen(
      fc.asyncProperty(
        steps,
        fc.array(wish, { minLength: 1, maxLength: 5 }),
        whileTimeLasts(
          async (actions, wishes) => {
            const organisation = await organisationAfter(actions);
            for (const asked of wishes) {
              clock.forward(HOUR / 2);
              const change = await changeOf(organisation, asked);
              const before = await everything(organisation);
              const computed = await inWork((work) => computePreview(work, { change, at: clock.now() })).catch((error: Error) => error);
              const saved = await inWork((work) =>
                computed instanceof Error
                  ? applyPreview(work, { change, hash: Buffer.alloc(0), at: clock.now(), createdAt: clock.now() })
                  : applyPreview(work, { change, ...computed, createdAt: clock.now() }),
              ).catch((error: Error) => error);
              // What can't be shown can't be saved. A circle of roles is found when it is saved.
              if (computed instanceof Error || saved instanceof Error) {
                expect(saved).toBeInstanceOf(Error);
                continue;
              }
              const after = await everything(organisation);
              const gained = [...after].filter((each) => !before.has(each)).sort();
              const lost = [...before].filter((each) => !after.has(each)).sort();
              expect([change, saidOf(computed, organisation)]).toEqual([change, { gained, lost }]);
              differences += gained.length + lost.length;
            }
          },
          { enough: () => differences > 0 },
        ),
      ),
      { numRuns: 10, seen: () => differences },
    );
  }, 240_000);

  test("B3: kept, listed in pages, counted, for its owner and for an hour; a stale one is refused", async () => {
    const organisation = await organisationAfter([{ hours: 0, do: "member", a: 0, b: 0, on: true }]);
    const change = await changeOf(organisation, {
      kind: "rule",
      name: "first",
      group: 0,
      condition: "false",
      role: 0,
      unit: 0,
      seconds: null,
      enabled: true,
    });
    const kept = await inWork(async (work) =>
      keepPreview(work, { owner: "token:1", change, computed: await computePreview(work, { change, at: clock.now() }) }),
    );
    expect(kept.summary).toMatchObject({
      people: 1,
      peopleWhoGain: 1,
      peopleWhoLose: 0,
      gained: UNITS,
      lost: 0,
      units: UNITS,
      byPermission: [{ permission: PERMISSIONS[0], gained: UNITS, lost: 0 }],
    });
    expect(kept.summary.byUnit).toHaveLength(UNITS);
    const preview = await findPreview(db.pool, { id: kept.id, owner: "token:1", now: clock.now() });
    const whole = await listPreviewItems(db.pool, { preview, limit: 100 });
    expect(whole).toHaveLength(UNITS);
    const paged = [];
    for (
      let page = await listPreviewItems(db.pool, { preview, limit: 2 });
      page.length > 0;
      page = await listPreviewItems(db.pool, { preview, limit: 2, after: page.at(-1)?.place })
    )
      paged.push(...page);
    expect(paged).toEqual(whole);
    const [unitId = ""] = organisation.units;
    expect(await listPreviewItems(db.pool, { preview, limit: 10, unitId })).toEqual([
      expect.objectContaining({ unitId, personId: organisation.people[0], change: "gained" }),
    ]);
    expect(await listPreviewItems(db.pool, { preview, limit: 10, permission: "test.none.none" })).toEqual([]);
    expect(await listPreviewItems(db.pool, { preview, limit: 10, change: "lost" })).toEqual([]);
    expect(await listPreviewItems(db.pool, { preview, limit: 10, personId: organisation.people[1] })).toEqual([]);
    await expect(findPreview(db.pool, { id: kept.id, owner: "token:2", now: clock.now() })).rejects.toMatchObject({
      code: "not_found",
      cause: OUT_OF_REACH,
    });

    await inWork((work) => take(work, organisation, { hours: 0, do: "member", a: 1, b: 0, on: true }));
    await expect(inWork((work) => applyPreview(work, preview))).rejects.toMatchObject({ code: "precondition_failed" });
    await inWork((work) => take(work, organisation, { hours: 0, do: "member", a: 1, b: 0, on: false }));
    await inWork((work) => applyPreview(work, preview));
    expect((await everything(organisation)).size).toBe(UNITS);
    clock.forward(HOUR);
    await expect(findPreview(db.pool, { id: kept.id, owner: "token:1", now: clock.now() })).rejects.toMatchObject({ code: "not_found" });
    expect(await inWork(forgetPreviews)).toBe(1);
  });

  test("B3: a rule that begins later is shown for the instant at which it does", async () => {
    const organisation = await organisationAfter([{ hours: 0, do: "member", a: 0, b: 0, on: true }]);
    const change = await changeOf(organisation, {
      kind: "rule",
      name: "first",
      group: 0,
      condition: "false",
      role: 0,
      unit: 0,
      seconds: null,
      enabled: true,
    });
    if (change.kind !== "rule") throw new Error("not a rule");
    const begins = new Date(clock.now().getTime() + 5 * HOUR);
    const later: SavedChange = { kind: "rule", rule: { ...change.rule, startsAt: begins.toISOString() } };
    const peopleAt = async (at: Date) => (await inWork((work) => computePreview(work, { change: later, at }))).summary.people;
    expect([await peopleAt(clock.now()), await peopleAt(begins)]).toEqual([0, 1]);
    await inWork((work) => createRule(work, parseRule({ ...change.rule, startsAt: begins })));
    expect(await peopleAt(begins)).toBe(0);
  });
});

describe("stretches of numbers", () => {
  const numbers = fc.uniqueArray(fc.nat(30)).map((each) => each.sort((a, b) => a - b));
  const written = (spans: readonly number[]) => Array.from({ length: sizeOf(spans) }, (_, place) => numberAt(spans, place));

  test("are sets", () => {
    fc.assert(
      fc.property(numbers, numbers, (first, second) => {
        const [a, b] = [spansOf(first), spansOf(second)];
        expect(written(a)).toEqual(first);
        expect(written(union([a, b]))).toEqual([...new Set([...first, ...second])].sort((x, y) => x - y));
        expect(written(minus(a, b))).toEqual(first.filter((each) => !second.includes(each)));
      }),
    );
  });
});
