import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { connectionDefinitionSchema } from "../../src/connections/definition.ts";
import { addConnection } from "../../src/connections/store.ts";
import { liftBlocks, raiseBlocks } from "../../src/directory/blocks.ts";
import { runSync } from "../../src/sync/run.ts";
import { openDomain, type Domain } from "../helpers/active-directory.ts";
import { sambaIsHere } from "../helpers/samba.ts";
import { startWorld, type World } from "../provision/world.ts";

const described = sambaIsHere() ? describe : describe.skip;

let domain: Domain;
let world: World;

const connection = "company-ad";
const personOf = async (nativeId: string) => {
  const { rows } = await world.db.pool.query<{ id: string; active: boolean; userName: string }>(
    `select p.id, p.active, p.user_name as "userName" from people p join accounts a on a.person_id = p.id where a.native_id = $1`,
    [nativeId],
  );
  const [person] = rows;
  if (person === undefined) throw new Error(`nobody has the account ${nativeId}`);
  return person;
};

async function sync(mode: "full" | "incremental" = "incremental") {
  const summary = await runSync(world.ctx, { db: world.db, keyRing: world.keyRing, connection, mode, trigger: "cli" });
  await world.drain();
  return summary;
}

const disabledThere = async (dn: string) => (Number((await domain.values(dn, "userAccountControl"))[0]) & 2) === 2;

/** Who is in which group, by the directory's own ids: people, and groups directly in it. */
async function memberships(): Promise<Record<string, string[]>> {
  const { rows } = await world.db.pool.query<{ id: string; members: string[] }>(
    `select g.native_id as id,
        array(select a.native_id from accounts a
               where a.id in (select m.account_id from memberships m where m.group_id = g.group_id and m.recorded_to is null and m.valid_to is null
                        union select n.account_id from nestings n where n.parent_group_id = g.group_id and n.recorded_to is null and n.valid_to is null)
               order by a.native_id collate "C") as members
       from accounts g where g.kind = 'group' and g.gone_at is null`,
  );
  return Object.fromEntries(rows.map(({ id, members }) => [id, members]));
}

described("Active Directory, both directions (Samba)", () => {
  beforeAll(async () => {
    domain = await openDomain();
    world = await startWorld();
    const shipped = parse(readFileSync(new URL("../../config/mappings/active-directory.yaml", import.meta.url), "utf8")) as {
      settings: Record<string, Record<string, unknown>>;
    };
    const { settings } = shipped;
    const definition = connectionDefinitionSchema.parse({
      ...shipped,
      schedule: undefined,
      settings: {
        ...settings,
        url: domain.url,
        caFile: domain.caFile,
        bindDn: domain.adminDn,
        bindPassword: domain.adminPassword,
        users: { ...settings["users"], base: domain.people },
        groups: { base: domain.groups },
        units: { base: domain.people },
      },
      limits: { disable: { count: 100, share: 1 }, delete: { count: 100, share: 1 }, shrink: 1, failures: 10 },
      policy: { writeBack: { disable: true, groups: true } },
    });
    await world.work((work) => addConnection(work, { definition, keyRing: world.keyRing }));
  });
  afterAll(async () => {
    await world?.stop();
    await domain?.stop();
  });

  test("M2: people, groups and units arrive; nothing changed is nothing read", async () => {
    await domain.addUnit("Zürich Öst", domain.people);
    const ada = await domain.addPerson("ada", { employeeID: "7" }, `OU=Zürich Öst,${domain.people}`);
    const bob = await domain.addPerson("bob", { manager: `CN=ada,OU=Zürich Öst,${domain.people}` });
    const inner = await domain.addGroup("inner", [`CN=ada,OU=Zürich Öst,${domain.people}`]);
    const outer = await domain.addGroup("outer", [`CN=inner,${domain.groups}`, `CN=bob,${domain.people}`]);
    expect(await sync("full")).toMatchObject({ state: "done" });
    expect(await memberships()).toEqual({ [inner]: [ada], [outer]: [bob, inner].sort() });
    const { rows } = await world.db.pool.query<{ unit: string; manager: string | null }>(
      `select u.name as unit, m.user_name as manager from people p join person_units b on b.person_id = p.id and b.recorded_to is null join units u on u.id = b.unit_id
         left join people m on m.id = p.manager_id where p.user_name in ('ada', 'bob') order by p.user_name`,
    );
    expect(rows).toEqual([
      { unit: "Zürich Öst", manager: null },
      { unit: "People", manager: "ada" },
    ]);
    const again = await sync();
    expect(again.read).toEqual({});
  });

  test("M2: memberships outlive a renaming of the member, and of the unit above", async () => {
    const before = await memberships();
    await domain.admin.modifyDN(`CN=bob,${domain.people}`, `CN=robert,${domain.people}`);
    await sync();
    expect(await memberships()).toEqual(before);
    await domain.admin.modifyDN(`OU=Zürich Öst,${domain.people}`, `OU=Zürich,${domain.people}`);
    const summary = await sync();
    expect(summary.notes.join()).toMatch(/read in full: .*renamed or moved/);
    expect(await memberships()).toEqual(before);
    await sync("full");
    expect(await memberships()).toEqual(before);
  });

  test("M4: disabled there, out here and downstream; enabled there, in again", async () => {
    const id = await domain.addPerson("cyd");
    const dn = `CN=cyd,${domain.people}`;
    await sync();
    const { userName } = await personOf(id);
    expect(world.user(userName)).toMatchObject({ active: true });
    await domain.replace(dn, "userAccountControl", ["514"]);
    await sync();
    expect(await personOf(id)).toMatchObject({ active: false });
    expect(world.user(userName)).toMatchObject({ active: false });
    await domain.replace(dn, "userAccountControl", ["512"]);
    await sync();
    expect(await personOf(id)).toMatchObject({ active: true });
    expect(world.user(userName)).toMatchObject({ active: true });
  });

  test("M4: blocked here, disabled there; the next sync changes nothing; lifted here, enabled there; and only what was ours", async () => {
    const id = await domain.addPerson("dee");
    const theirs = await domain.addPerson("eve", { userAccountControl: "514" });
    const dn = `CN=dee,${domain.people}`;
    await sync();
    const people = [(await personOf(id)).id, (await personOf(theirs)).id];
    await world.work((work) =>
      raiseBlocks(
        work,
        people.map((personId) => ({ personId, owner: "expiry" as const, effect: "suspended" as const, reason: "contract ended" })),
      ),
    );
    await world.drain();
    expect(await disabledThere(dn)).toBe(true);
    expect(await domain.maySignIn(dn)).toBe(false);
    const { rows: blocks } = await world.db.pool.query(
      "select owner from blocks where person_id = $1 and recorded_to is null and valid_to is null",
      [people[0]],
    );
    await sync();
    await sync("full");
    const { rows: after } = await world.db.pool.query(
      "select owner from blocks where person_id = $1 and recorded_to is null and valid_to is null",
      [people[0]],
    );
    expect(after).toEqual(blocks);
    await world.work((work) =>
      liftBlocks(
        work,
        people.map((personId) => ({ personId, owner: "expiry" as const })),
      ),
    );
    await world.drain();
    expect(await disabledThere(dn)).toBe(false);
    expect(await disabledThere(`CN=eve,${domain.people}`)).toBe(true);
    await sync();
    expect(await personOf(id)).toMatchObject({ active: true });
    expect(await personOf(theirs)).toMatchObject({ active: false });
  });

  test("M4: a leaver is taken out of the groups there, and who is deleted there leaves here", async () => {
    const id = await domain.addPerson("fay");
    const dn = `CN=fay,${domain.people}`;
    await domain.addGroup("leaving", [dn]);
    await sync();
    const { id: personId } = await personOf(id);
    await world.work((work) => raiseBlocks(work, [{ personId, owner: "offboarding", effect: "deactivated", reason: "last day" }]));
    await world.drain();
    expect(await domain.values(`CN=leaving,${domain.groups}`, "member")).toEqual([]);
    await domain.admin.del(dn);
    await sync();
    const { rows } = await world.db.pool.query<{ gone: boolean }>("select gone_at is not null as gone from accounts where native_id = $1", [
      id,
    ]);
    expect(rows).toEqual([{ gone: true }]);
  });
});
