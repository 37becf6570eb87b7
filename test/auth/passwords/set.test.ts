import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { hashPassword } from "../../../src/auth/passwords/hash.ts";
import { setPassword, setTemporaryPassword, type NewPassword } from "../../../src/auth/passwords/set.ts";
import { passwordStanding, verifyPassword } from "../../../src/auth/passwords/verify.ts";
import { startSession } from "../../../src/auth/sessions/start.ts";
import { inTransaction, type Work } from "../../../src/db/database.ts";
import { raiseBlocks } from "../../../src/directory/blocks.ts";
import { signInSettings } from "../../../src/sign-in-settings.ts";
import { createLocalPerson } from "../../../src/sync/local-people.ts";
import { testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";
import { keyRing } from "../../http/scim/door.ts";

const cheap = { memoryKiB: 64, passes: 1, lanes: 1 };
const settings = signInSettings.parse({ password: { argon2: cheap, history: 3 } }).password;
const WORDS = [
  "Kiwi7-verglas.Tundra",
  "four quiet otters juggle",
  "Zither9_quagmire/Fjord",
  "seven bold herons whisper",
  "Umbra4+waltz=Gypsum",
];
const [first = "", second = "", third = "", fourth = ""] = WORDS;

let db: TestDatabase;
let clock = new Date("2027-03-01T12:00:00Z");
const ctx = testContext({ now: () => clock });
const work = <T>(act: (work: Work) => Promise<T>) => inTransaction(db, ctx, act);
const newPerson = (state: "active" | "invited" = "active") =>
  work((each) => createLocalPerson(each, { contribution: { userName: `p-${randomUUID()}` }, state }));
const set = (personId: string, password: string, options: Partial<NewPassword> = {}) =>
  work((each) => setPassword(each, { personId, password, how: "changed", keyRing, settings, ...options }));
const verify = (personId: string | null, password: string, costs = settings) =>
  verifyPassword(db.pool, { personId, password, settings: costs, now: clock });
const hashOf = async (personId: string) =>
  (await db.pool.query<{ hash: string }>("select hash from passwords where person_id = $1", [personId])).rows[0]?.hash ?? "";
const rules = (error: unknown) => (error as { problems: { field: string }[] }).problems.map(({ field }) => field);
const right = { matches: true, mustChange: false };
const wrong = { matches: false, mustChange: false };

beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

test("G2: a password is kept as argon2id alone, fits its owner and nobody else", async () => {
  const [ada, ben] = [await newPerson(), await newPerson()];
  expect(await passwordStanding(db.pool, ada)).toEqual({ setAt: null, temporaryUntil: null });
  await set(ada, first);
  await set(ben, second);
  expect(await hashOf(ada)).toMatch(/^\$argon2id\$v=19\$m=64,t=1,p=1\$/);
  expect(await verify(ada, first)).toMatchObject(right);
  expect(await verify(ada, first.replaceAll("-", "_"))).toMatchObject(wrong);
  expect(await verify(ada, second)).toMatchObject(wrong);
  expect(await verify(null, first)).toMatchObject(wrong);
  expect(await verify(randomUUID(), first)).toMatchObject(wrong);
  expect(await verify(ada, `${first}${"x".repeat(1_000_000)}`)).toMatchObject(wrong);
  const { rows } = await db.pool.query("select name, data from audit_events where subject_id = $1 and name = 'password.set'", [ada]);
  expect(rows).toEqual([{ name: "password.set", data: { how: "changed" } }]);
  const { rows: leaks } = await db.pool.query("select from audit_events where (data::text || coalesce(reason, '')) like $1", [
    `%${first}%`,
  ]);
  expect(leaks).toHaveLength(0);
});

test("a hash of other costs is made anew when its owner signs in, and only then", async () => {
  const ada = await newPerson();
  await set(ada, first);
  const dearer = { ...settings, argon2: { memoryKiB: 128, passes: 2, lanes: 1 } };
  const before = await hashOf(ada);
  expect(await verify(ada, second, dearer)).toMatchObject(wrong);
  expect(await hashOf(ada)).toBe(before);
  expect(await verify(ada, first, dearer)).toMatchObject(right);
  expect(await hashOf(ada)).toMatch(/m=128,t=2/);
  expect(await verify(ada, first, dearer)).toMatchObject(right);
});

test("the last passwords are not used again, as far back as the settings say", async () => {
  const ada = await newPerson();
  for (const password of [first, second, third]) await set(ada, password);
  for (const used of [first, second, third]) {
    const error: unknown = await set(ada, used).catch((thrown: unknown) => thrown);
    expect(rules(error)).toEqual(["password.history"]);
  }
  await set(ada, fourth);
  await set(ada, first);
  expect(await verify(ada, first)).toMatchObject(right);
  const { rows } = await db.pool.query("select from password_history where person_id = $1", [ada]);
  expect(rows).toHaveLength(2);
});

test("every rule that a password breaks is named, the person's own data and history among them, and nothing has changed", async () => {
  const ada = await work((each) =>
    createLocalPerson(each, { contribution: { userName: "ada.lovelace", name: { familyName: "Lovelace" }, employeeNumber: "E-20417" } }),
  );
  const error: unknown = await set(ada, "3calevol").catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "invalid", field: "password" });
  expect(rules(error)).toEqual(expect.arrayContaining(["password.length", "password.classes", "password.personal"]));
  expect(String((error as Error).message)).not.toContain("3calevol");
  await expect(set(ada, "Kiwi7-verglas.e20417")).rejects.toMatchObject({ problems: [{ field: "password.personal" }] });
  expect(await passwordStanding(db.pool, ada)).toEqual({ setAt: null, temporaryUntil: null });
});

test("G7: another password ends the other sessions and tells the person; the first one tells nobody", async () => {
  const ada = await newPerson();
  const start = async () =>
    (await work((each) => startSession(each, { personId: ada, methods: ["password"], settings: signInSettings.parse({}).session }))).id;
  await set(ada, first);
  const [here, there] = [await start(), await start()];
  await set(ada, second, { keepSession: here });
  const { rows } = await db.pool.query("select id from sessions where person_id = $1 and ended_at is null", [ada]);
  expect(rows).toEqual([{ id: here }]);
  expect(there).not.toBe(here);
  const notices = await db.pool.query("select notice from notices where person_id = $1", [ada]);
  expect(notices.rows).toEqual([{ notice: "password.changed" }]);
});

test("G2: a temporary password lets in only to set another, for as long as the settings say", async () => {
  const ada = await newPerson("invited");
  const { password, until } = await work((each) => setTemporaryPassword(each, { personId: ada, keyRing, settings }));
  expect(await verify(ada, password)).toMatchObject({ matches: true, mustChange: true });
  expect(until).toEqual(new Date(clock.getTime() + settings.temporaryHours * 3_600_000));
  const before = clock;
  clock = until;
  expect(await verify(ada, password)).toMatchObject(wrong);
  clock = before;
  expect((await db.pool.query("select state from people where id = $1", [ada])).rows).toEqual([{ state: "invited" }]);
  await set(ada, first);
  expect(await verify(ada, first)).toMatchObject(right);
  expect(await verify(ada, password)).toMatchObject(wrong);
  expect((await db.pool.query("select state, active from people where id = $1", [ada])).rows).toEqual([{ state: "active", active: true }]);
  const { rows } = await db.pool.query(
    "select state from lifecycle_periods where person_id = $1 and recorded_to is null order by valid_from, id",
    [ada],
  );
  expect(rows.at(-1)).toEqual({ state: "active" });
});

test("a password that has become known to others lets in only to set another", async () => {
  const ada = await newPerson();
  await set(ada, first);
  const common = "qwertyuiop";
  await db.pool.query("update passwords set hash = $2 where person_id = $1", [ada, await hashPassword(common, cheap)]);
  expect(await verify(ada, common)).toMatchObject({ matches: true, mustChange: true });
  expect(await verify(ada, first, { ...settings, breachedFile: "/nowhere" })).toMatchObject(wrong);
});

test("P5: nobody sets a password for who may not come in, and a reactivated account works with its last one", async () => {
  const ada = await newPerson();
  await set(ada, first);
  await work((each) => raiseBlocks(each, [{ personId: ada, owner: "admin", effect: "deactivated", reason: "left" }]));
  await expect(set(ada, second)).rejects.toMatchObject({ code: "conflict" });
  await expect(work((each) => setTemporaryPassword(each, { personId: ada, keyRing, settings }))).rejects.toMatchObject({
    code: "conflict",
  });
  expect(await verify(ada, first)).toMatchObject(right);
});

test("two who set a password at once follow each other: one of them stands, the other is history", async () => {
  const ada = await newPerson();
  await set(ada, first);
  await Promise.all([set(ada, second), set(ada, third, { how: "reset" })]);
  const fits = await Promise.all([second, third].map(async (each) => (await verify(ada, each)).matches));
  expect(fits.filter(Boolean)).toHaveLength(1);
  await expect(set(ada, second)).rejects.toMatchObject({ problems: [{ field: "password.history" }] });
  await expect(set(ada, third)).rejects.toMatchObject({ problems: [{ field: "password.history" }] });
});
