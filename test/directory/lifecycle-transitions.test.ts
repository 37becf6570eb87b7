import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { inTransaction } from "../../src/db/database.ts";
import { raiseBlocks, type BlockEffect, type BlockOwner } from "../../src/directory/blocks.ts";
import { transition, type LifecycleAction, type LifecycleState } from "../../src/directory/lifecycle-transitions.ts";
import { blocksOfPerson, changeLifecycle } from "../../src/directory/person-lifecycle.ts";
import { AppError } from "../../src/errors.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { insertPerson, standingClock } from "./fixtures.ts";

const ACTIONS: readonly LifecycleAction[] = ["suspend", "activate", "deactivate", "expire"];
const STATES: readonly LifecycleState[] = ["invited", "active", "suspended", "deactivated", "deleted"];
const OWNERS: readonly BlockOwner[] = ["origin", "employment", "admin", "expiry", "incident", "offboarding"];
const EFFECTS: readonly BlockEffect[] = ["suspended", "deactivated"];

const anyBlock = fc.record({ owner: fc.constantFrom(...OWNERS), effect: fc.constantFrom(...EFFECTS) });
const anyQuestion = fc.record({
  action: fc.constantFrom(...ACTIONS),
  state: fc.constantFrom(...STATES),
  blocks: fc.uniqueArray(anyBlock, { selector: ({ owner }) => owner }),
  oneself: fc.boolean(),
});

describe("P5: which transition leads where", () => {
  test("nobody acts on themselves, nothing leads back from deleted, and only what was decided by hand is lifted by hand", () => {
    fc.assert(
      fc.property(anyQuestion, (question) => {
        const decided = transition(question);
        if (question.oneself || question.state === "deleted") return expect(decided.allowed).toBe(false);
        if (!decided.allowed) return expect(decided.why).not.toBe("");
        for (const step of decided.steps) {
          if (step.op === "lift") expect(["admin", "expiry", "offboarding"]).toContain(step.owner);
          if (step.op === "raise") expect(step.owner).toBe("admin");
        }
        const foreign = question.blocks.some(({ owner }) => ["origin", "employment", "incident"].includes(owner));
        if (question.action === "activate") expect(decided.leads === "unblocked").toBe(!foreign);
        if (question.action === "deactivate") expect(decided.leads).toBe("deactivated");
        return undefined;
      }),
    );
  });

  describe("carried out", () => {
    let db: TestDatabase;
    const clock = standingClock();
    beforeAll(async () => {
      db = await testDatabase();
    });
    afterAll(() => db?.drop());

    test("any history of decisions by hand and elsewhere leads where the machine says", async () => {
      const anyStep = fc.oneof(
        fc.record({ by: fc.constant("hand" as const), action: fc.constantFrom(...ACTIONS) }),
        fc.record({ by: fc.constant("elsewhere" as const), block: anyBlock }),
      );
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom("active" as const, "invited" as const),
          fc.array(anyStep, { maxLength: 8 }),
          async (begun, history) => {
            const ctx = testContext({ now: clock.now });
            const id = await insertPerson(db.pool, { state: begun, at: clock.now() });
            for (const step of history) {
              clock.forward(1000);
              await inTransaction(db, ctx, async (work) => {
                if (step.by === "elsewhere") return void (await raiseBlocks(work, [{ personId: id, ...step.block, reason: "elsewhere" }]));
                const { rows } = await work.sql.query<{ state: LifecycleState }>("select state from people where id = $1", [id]);
                const state = rows[0]?.state ?? "deleted";
                const decided = transition({ action: step.action, state, blocks: await blocksOfPerson(work.sql, id), oneself: false });
                const change = changeLifecycle(work, { personId: id, action: step.action, reason: "by hand", oneself: false, until: null });
                if (!decided.allowed) return expect(change).rejects.toBeInstanceOf(AppError);
                await change;
                const { rows: after } = await work.sql.query<{ state: string; active: boolean }>(
                  "select state, active from people where id = $1",
                  [id],
                );
                const wanted = decided.leads === "unblocked" ? begun : decided.leads;
                const standing = (await blocksOfPerson(work.sql, id)).length;
                // An end that is taken away also lifts the block for it.
                if (step.action !== "expire") expect(after[0]?.state).toBe(wanted);
                return expect(after[0]?.active).toBe(standing === 0);
              });
            }
          },
        ),
        { numRuns: 40 },
      );
    });
  });
});
