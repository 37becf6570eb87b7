import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { inTransaction, type Work } from "../../src/db/database.ts";
import { sealingKey, type KeyRing } from "../../src/db/envelope.ts";
import { findGroup, groupsAbove, groupsBelow, groupsOfPeople, membersInEffect } from "../../src/directory/groups.ts";
import { findPerson } from "../../src/directory/people.ts";
import { openPersonal, personKeys, sealPersonal } from "../../src/directory/personal.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { DAY_ONE, HOUR, insertGroup, insertMembership, insertNesting, insertPerson, later } from "./fixtures.ts";

let db: TestDatabase;
const inWork = <T>(flow: (work: Work) => Promise<T>) => inTransaction(db, testContext({ now: () => DAY_ONE }), flow);
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

test("a person is found by id, user name, e-mail and employee number, whatever the case", async () => {
  const id = await insertPerson(db.pool, { userName: "ada", email: "Ada@lab.test", employeeNumber: "E7" });
  for (const key of [id, id.toUpperCase(), "ADA", "ada@LAB.test", "E7"]) expect((await findPerson(db.pool, key)).id).toBe(id);
  await insertPerson(db.pool, { userName: "twin", employeeNumber: "E7" });
  await expect(findPerson(db.pool, "E7")).rejects.toMatchObject({ code: "conflict" });
  await expect(findPerson(db.pool, "nobody")).rejects.toMatchObject({ code: "not_found" });
});

describe("nested groups", () => {
  test("closures go any depth, end in circles, and leave out what is not in effect", async () => {
    const [a, b, c] = [
      await insertGroup(db.pool, { displayName: "A" }),
      await insertGroup(db.pool, { displayName: "B" }),
      await insertGroup(db.pool, { displayName: "C" }),
    ];
    await insertNesting(db.pool, { parentId: b, childId: a });
    await insertNesting(db.pool, { parentId: c, childId: b });
    await insertNesting(db.pool, { parentId: a, childId: c });
    const past = await insertGroup(db.pool, { displayName: "Past" });
    await insertNesting(db.pool, { parentId: past, childId: a, from: DAY_ONE, to: later(HOUR) });
    expect((await groupsAbove(db.pool, { groupIds: [a], at: later(HOUR) })).sort()).toEqual([a, b, c].sort());
    expect((await groupsBelow(db.pool, { groupIds: [a], at: later(HOUR) })).sort()).toEqual([a, b, c].sort());
    expect(await groupsAbove(db.pool, { groupIds: [a], at: later(HOUR - 1) })).toContain(past);
    const people = await Promise.all(Array.from({ length: 7 }, () => insertPerson(db.pool)));
    for (const personId of people) await insertMembership(db.pool, { groupId: a, personId });
    const pages: string[][] = [];
    for await (const page of membersInEffect(db.pool, { groupIds: [c], at: later(HOUR), pageSize: 3 })) pages.push(page);
    expect(pages.map((page) => page.length)).toEqual([3, 3, 1]);
    expect(pages.flat()).toEqual([...people].sort());
    const [first = ""] = people;
    expect(
      (await groupsOfPeople(db.pool, { personIds: [first], at: later(HOUR) })).map((group) => [group.displayName, group.direct]),
    ).toEqual([
      ["A", true],
      ["B", false],
      ["C", false],
    ]);
    expect((await findGroup(db.pool, "past")).id).toBe(past);
    await insertGroup(db.pool, { displayName: "PAST" });
    await expect(findGroup(db.pool, "past")).rejects.toMatchObject({ code: "conflict" });
    expect((await findGroup(db.pool, past)).id).toBe(past);
  });
});

describe("personal values in the trail", () => {
  const keyRing: KeyRing = { current: sealingKey(randomBytes(32)), older: [] };

  test("W1: they open with the person's key only, and are gone for good when it is erased", async () => {
    const [ada, bob] = [randomUUID(), randomUUID()];
    const keys = await inWork((work) => personKeys(work, keyRing, [ada, bob, ada]));
    expect(keys.size).toBe(2);
    const again = await inWork((work) => personKeys(work, keyRing, [bob, ada]));
    expect(again.get(ada)?.id).toBe(keys.get(ada)?.id);
    const key = keys.get(ada);
    if (!key) throw new Error("no key");
    const value = { before: { title: "Clerk" }, after: { title: "Director" } };
    const sealed = sealPersonal(key, { personId: ada, value });
    expect(sealed).not.toContain("Director");
    expect(await openPersonal(db.pool, keyRing, { personId: ada, sealed })).toEqual(value);
    await expect(openPersonal(db.pool, keyRing, { personId: bob, sealed })).rejects.toThrow();
    await db.pool.query("delete from person_keys where person_id = $1", [ada]);
    expect(await openPersonal(db.pool, keyRing, { personId: ada, sealed })).toBeNull();
  });

  test("two flows that make a key for one person at once end with one", async () => {
    const id = randomUUID();
    const [one, two] = await Promise.all([
      inWork((work) => personKeys(work, keyRing, [id])),
      inWork((work) => personKeys(work, keyRing, [id])),
    ]);
    expect(one.get(id)?.id).toBe(two.get(id)?.id);
  });
});
