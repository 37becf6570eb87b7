import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { liftBlocks, raiseBlocks } from "../../src/directory/blocks.ts";
import type { Domain } from "../helpers/active-directory.ts";
import { sambaIsHere } from "../helpers/samba.ts";
import type { World } from "../provision/world.ts";
import { connectDomain, type ConnectedDomain } from "./connected-domain.ts";

const described = sambaIsHere() ? describe : describe.skip;

let connected: ConnectedDomain;
let domain: Domain;
let world: World;

const sync = (mode?: "full" | "incremental") => connected.sync(mode);
const memberships = () => connected.memberships();
const personOf = async (nativeId: string) => {
  const { rows } = await world.db.pool.query<{ id: string; active: boolean; userName: string }>(
    `select p.id, p.active, p.user_name as "userName" from people p join accounts a on a.person_id = p.id where a.native_id = $1`,
    [nativeId],
  );
  const [person] = rows;
  if (person === undefined) throw new Error(`nobody has the account ${nativeId}`);
  return person;
};
const disabledThere = async (dn: string) => (Number((await domain.values(dn, "userAccountControl"))[0]) & 2) === 2;

described("Active Directory, both directions (Samba)", () => {
  beforeAll(async () => {
    connected = await connectDomain();
    ({ domain, world } = connected);
  });
  afterAll(() => connected?.stop());

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
