import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { loadPersonFacts } from "../../src/access/facts.ts";
import { authenticateToken, createToken, TOKEN_STAMP } from "../../src/auth/tokens.ts";
import { inTransaction, type Work } from "../../src/db/database.ts";
import { setEmployment } from "../../src/directory/employment.ts";
import { setPersonExpiry } from "../../src/directory/person-expiry.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { HOUR, insertPerson, later, standingClock } from "./fixtures.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

const clock = standingClock();
const inWork = <T>(flow: (work: Work) => Promise<T>) => inTransaction(db, testContext({ now: clock.now }), flow);

const ends = {
  "a date of employment": (personId: string, until: Date) => (work: Work) =>
    setEmployment(work, [{ personId, connectionId: null, period: { from: null, to: until } }]),
  "an end that was set for them": (personId: string, until: Date) => (work: Work) =>
    setPersonExpiry(work, { personId, until, reason: "end of the contract" }),
};

test.each(Object.entries(ends))(
  "A5: %s refuses a token, and is out for rules and applications, before any job has come",
  async (_what, end) => {
    const personId = await insertPerson(db.pool, { at: clock.now() });
    const until = later(HOUR, clock.now());
    const { token } = await inWork((work) => createToken(work, { name: "own", scope: "api", personId }));
    const held = () => authenticateToken(db.pool, { bearer: token, now: clock.now() });
    const facts = async () => (await loadPersonFacts(db.pool, { personIds: [personId], at: clock.now() }))[0];
    const { proof } = await held();

    await inWork<unknown>(end(personId, until));
    // Who was proved before the end was known is looked at again, and is not believed past it.
    const { rows } = await db.pool.query<{ stamp: string }>(`select ${TOKEN_STAMP("$1")} as stamp`, [proof.hash]);
    expect(rows[0]?.stamp).not.toBe(proof.stamp);
    clock.set(later(-1000, until));
    expect((await held()).proof.until).toEqual(until);
    expect(await facts()).toMatchObject({ active: true, state: "active" });

    clock.set(until);
    await expect(held()).rejects.toMatchObject({ code: "unauthenticated" });
    expect(await facts()).toMatchObject({ active: false, state: "suspended" });
    expect((await db.pool.query("select state from people where id = $1", [personId])).rows).toEqual([{ state: "active" }]);
  },
);
