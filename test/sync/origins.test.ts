import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { WriteBack } from "../../connectors/contract.ts";
import { loadConnection } from "../../src/connections/open.ts";
import { inTransaction } from "../../src/db/database.ts";
import { liftBlocks, raiseBlocks } from "../../src/directory/blocks.ts";
import type { LockedWork } from "../../src/provision/lock.ts";
import type { Projection } from "../../src/provision/row.ts";
import { bringSource } from "../../src/provision/write-back.ts";
import { applyPlan } from "../../src/sync/apply-plan.ts";
import { approvePlan } from "../../src/sync/approve.ts";
import { put, remove, world, type World } from "../helpers/memory-source.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { person, syncWorld, testConnection, testKeyRing } from "../helpers/sync.ts";

let db: TestDatabase;
const ctx = testContext();
beforeEach(async () => {
  db = await testDatabase();
});
afterEach(() => db.drop());

const people = async () =>
  (await db.pool.query("select user_name, state, attributes->>'title' as title, email from people order by user_name")).rows;
const blocks = async () =>
  (
    await db.pool.query(
      "select b.owner, c.name as connection, b.effect from blocks b left join connections c on c.id = b.connection_id where b.recorded_to is null and b.valid_to is null order by b.id",
    )
  ).rows;
const sync = (connection: string, of: World) => syncWorld(db, ctx, { connection, world: of });
/** As the job does that approving wakes. */
async function approve(planId: number): Promise<void> {
  await inTransaction(db, ctx, (work) => approvePlan(work, { planId }));
  await applyPlan(ctx, { db, keyRing: testKeyRing, planId });
}
const byNumber = { match: ["employeeNumber"] };

/** What a system says of Ada; the number is what they have in common. */
const ada = (uid: string, attributes: Parameters<typeof person>[1] = {}) => person(uid, { number: "7", ...attributes });

/** HR masters names and dates, the cloud directory masters mail: each says so for the attributes that are its own. */
async function hrAndCloud({ hrMapping = {}, cloudMapping = {} } = {}): Promise<{ hr: World; cloud: World }> {
  await testConnection(db, ctx, {
    name: "hr",
    precedence: 10,
    mapping: {
      user: { attributes: { userName: "account.uid", title: "account.title", employeeNumber: "account.number" } },
      ...byNumber,
      ...hrMapping,
    },
  });
  await testConnection(db, ctx, {
    name: "cloud",
    precedence: 20,
    mapping: {
      user: {
        attributes: {
          userName: { value: "account.uid", precedence: 5 },
          "emails.work": "account.mail",
          title: "account.title",
          employeeNumber: "account.number",
          active: "account.active",
        },
      },
      ...byNumber,
      ...cloudMapping,
    },
  });
  const hr = world([ada("h7", { title: "Professor" }), person("zoe", { number: "9" })]);
  const cloud = world([ada("ada", { title: "Engineer", active: true }), person("zoe", { number: "9", active: true })]);
  await sync("hr", hr);
  await sync("cloud", cloud);
  return { hr, cloud };
}

describe("several origins for one person", () => {
  test("M3: precedence by attribute: HR masters the title, the cloud directory mail and login name, joined by employee number", async () => {
    await hrAndCloud();
    expect(await people()).toEqual([
      { user_name: "ada", state: "active", title: "Professor", email: "ada@lab.test" },
      { user_name: "zoe", state: "active", title: null, email: "zoe@lab.test" },
    ]);
  });

  test("nobody leaves because one of two sources stopped listing them; the last one decides", async () => {
    const { hr, cloud } = await hrAndCloud();
    remove(hr, "user", "id-h7");
    await sync("hr", hr);
    expect((await people())[0]).toEqual({ user_name: "ada", state: "active", title: "Engineer", email: "ada@lab.test" });
    remove(cloud, "user", "id-ada");
    await sync("cloud", cloud);
    expect((await people())[0]).toMatchObject({ user_name: "ada", state: "deactivated" });
    expect(await blocks()).toEqual([{ owner: "origin", connection: "cloud", effect: "deactivated" }]);
    put(hr, ada("h7", { title: "Emerita" }));
    await sync("hr", hr);
    expect((await people()).find(({ title }) => title === "Emerita")).toMatchObject({ state: "active" });
    expect(await blocks()).toEqual([]);
  });

  test("two sources that stop listing somebody at the same time can't each rely on the other", async () => {
    await testConnection(db, ctx, { name: "hr", precedence: 10, mapping: byNumber });
    await testConnection(db, ctx, { name: "badge", precedence: 90, mapping: byNumber });
    const hr = world([ada("ada"), person("zoe", { number: "9" })]);
    const badge = world([ada("ada"), person("zoe", { number: "9" })]);
    await sync("hr", hr);
    // With an edit of our own, the coming and going of an origin that masters nothing leaves her profile and its mastery as they are.
    await db.pool.query('update people set local = \'{"nickName": "Countess"}\'');
    await sync("badge", badge);
    remove(hr, "user", "id-ada");
    put(badge, ada("ada"));
    const held = await syncWorld(db, ctx, { connection: "hr", world: hr, planOnly: true });
    remove(badge, "user", "id-ada");
    await sync("badge", badge);
    await approve(held.planId);
    await sync("hr", hr);
    expect((await people())[0]).toMatchObject({ user_name: "ada", state: "deactivated" });
  });

  test("somebody who joins while a plan to let them go waits stays", async () => {
    await testConnection(db, ctx, { name: "hr", mapping: byNumber });
    await testConnection(db, ctx, { name: "badge", precedence: 900, mapping: byNumber });
    const hr = world([ada("ada"), person("zoe", { number: "9" })]);
    await sync("hr", hr);
    remove(hr, "user", "id-ada");
    const held = await syncWorld(db, ctx, { connection: "hr", world: hr, planOnly: true });
    await sync("badge", world([ada("ada")]));
    await approve(held.planId);
    await sync("hr", hr);
    expect((await people())[0]).toMatchObject({ user_name: "ada", state: "active" });
  });

  test("an attribute that the other origin can't hand over does not keep the leaver in", async () => {
    await testConnection(db, ctx, { name: "hr", precedence: 10, mapping: byNumber });
    await testConnection(db, ctx, { name: "cloud", precedence: 20, mapping: byNumber });
    const hr = world([ada("ada"), person("zoe", { number: "9" })]);
    await sync("hr", hr);
    await sync("cloud", world([ada("a.l")]));
    // The login name that the cloud directory has for her is somebody else's by now.
    put(hr, person("a.l", { number: "8" }));
    await sync("hr", hr);
    remove(hr, "user", "id-ada");
    expect((await sync("hr", hr)).applied).toMatchObject({ failed: 0, refused: 0 });
    const { rows } = await db.pool.query(
      "select p.user_name, a.situation from accounts a join people p on p.id = a.person_id where p.employee_number = '7' order by a.connection_id",
    );
    expect(rows).toEqual([
      { user_name: "ada", situation: "deleted" },
      { user_name: "ada", situation: "linked" },
    ]);
  });
});

describe("M4: no echo between origins", () => {
  test("what we wrote to one origin is not taken for its word when another one changes", async () => {
    const { hr, cloud } = await hrAndCloud();
    const { rows } = await db.pool.query<{ id: string }>("select id from people where user_name = 'ada'");
    const personId = rows[0]?.id ?? "";
    await inTransaction(db, ctx, (work) => raiseBlocks(work, [{ personId, owner: "admin", effect: "suspended", reason: "on leave" }]));
    await db.pool.query("update accounts set written_back = '{\"active\": false}' where native_id = 'id-ada'");
    put(cloud, ada("ada", { title: "Engineer", active: false }));
    await sync("cloud", cloud);
    put(hr, ada("h7", { title: "Dean" }));
    await sync("hr", hr);
    expect(await blocks()).toEqual([{ owner: "admin", connection: null, effect: "suspended" }]);
    await inTransaction(db, ctx, (work) => liftBlocks(work, [{ personId, owner: "admin" }]));
    expect((await people())[0]).toMatchObject({ state: "active", title: "Dean" });
  });

  test("once we have enabled again, an origin that disables at once is believed", async () => {
    const { cloud } = await hrAndCloud();
    const { rows } = await db.pool.query<{ id: string }>("select id from people where user_name = 'ada'");
    const personId = rows[0]?.id ?? "";
    const cloudConnection = await loadConnection(db.pool, testKeyRing, "cloud");
    const connection = { ...cloudConnection, policy: { ...cloudConnection.policy, writeBack: { disable: true, groups: false } } };
    /** The cloud directory as it can be written to. */
    const writeBack: WriteBack = {
      disable: () => Promise.resolve(put(cloud, ada("ada", { title: "Engineer", active: false }))),
      enable: () => Promise.resolve(put(cloud, ada("ada", { title: "Engineer", active: true }))),
      removeFromGroup: () => Promise.resolve(),
      close: () => Promise.resolve(),
    };
    const bring = () =>
      // Whose account it is, is all that it asks of the row.
      inTransaction(db, ctx, ({ sql }) =>
        bringSource({ sql } as LockedWork, { row: { personId } as Projection, connection, writeBack, now: ctx.now() }),
      );
    await inTransaction(db, ctx, (work) => raiseBlocks(work, [{ personId, owner: "admin", effect: "suspended", reason: "on leave" }]));
    expect(await bring()).toBe("disable");
    await sync("cloud", cloud);
    expect(await blocks()).toEqual([{ owner: "admin", connection: null, effect: "suspended" }]);
    await inTransaction(db, ctx, (work) => liftBlocks(work, [{ personId, owner: "admin" }]));
    expect(await bring()).toBe("enable");
    // Their administrator disables her before anybody has read that we enabled her.
    put(cloud, ada("ada", { title: "Engineer", active: false }));
    await sync("cloud", cloud);
    expect(await blocks()).toEqual([{ owner: "origin", connection: "cloud", effect: "suspended" }]);
  });

  test.each([
    ["nobody's title says whether they work", "account.uid"],
    ["it was saved before such patterns were refused", 'account.uid.matches("((a{90}){90}){90}")'],
  ])(
    "an origin whose account can't be read any more goes on keeping out, and in, whom it did, and masters what it did: %s",
    async (_why, mistake) => {
      const hrMapping = {
        user: {
          attributes: {
            userName: "account.uid",
            title: "account.title",
            employeeNumber: "account.number",
            active: "account.working",
            "employment.endDate": "account.end",
          },
        },
      };
      const { hr, cloud } = await hrAndCloud({ hrMapping });
      put(hr, ada("h7", { title: "Professor", working: false }));
      put(hr, person("zoe", { number: "9", working: true }));
      put(hr, person("ben", { number: "11", end: "2020-01-31" }));
      put(cloud, person("ben", { number: "11", active: true }));
      await sync("hr", hr);
      await sync("cloud", cloud);
      const before = await people();
      expect(before.map(({ user_name, state }) => [user_name, state])).toEqual([
        ["ada", "suspended"],
        ["ben", "deactivated"],
        ["zoe", "active"],
      ]);
      await db.pool.query(
        `update connections set mapping = jsonb_set(mapping, '{user,attributes,active}', $1), mapping_version = mapping_version + 1 where name = 'hr'`,
        [JSON.stringify(mistake)],
      );
      put(cloud, ada("ada", { title: "Head", active: true }));
      put(cloud, person("zoe", { number: "9", active: false, mail: "zoe@elsewhere.test" }));
      put(cloud, person("ben", { number: "11", active: true, title: "Head" }));
      expect((await sync("cloud", cloud)).state).toBe("done");
      expect(await people()).toEqual([before[0], { ...before[1], title: "Head" }, { ...before[2], email: "zoe@elsewhere.test" }]);
    },
  );

  test("an origin that disables for itself while we block keeps its own decision when ours is lifted", async () => {
    const { cloud } = await hrAndCloud();
    put(cloud, ada("ada", { active: false }));
    await sync("cloud", cloud);
    const { rows } = await db.pool.query<{ id: string }>("select id from people where user_name = 'ada'");
    const personId = rows[0]?.id ?? "";
    await inTransaction(db, ctx, (work) =>
      raiseBlocks(work, [{ personId, owner: "incident", effect: "suspended", reason: "stolen laptop" }]),
    );
    await inTransaction(db, ctx, (work) => liftBlocks(work, [{ personId, owner: "incident" }]));
    expect((await people())[0]).toMatchObject({ state: "suspended" });
    put(cloud, ada("ada", { active: true }));
    await sync("cloud", cloud);
    expect((await people())[0]).toMatchObject({ state: "active" });
  });
});
