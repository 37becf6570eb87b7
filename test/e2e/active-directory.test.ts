import { describe, expect, test } from "@jest/globals";
import { raiseBlocks } from "../../src/directory/blocks.ts";
import type { Domain } from "../helpers/active-directory.ts";
import { sambaIsHere } from "../helpers/samba.ts";
import { bothWays } from "./both-ways.ts";
import { connectDomain, type ConnectedDomain } from "./connected-domain.ts";

const described = sambaIsHere() ? describe : describe.skip;

described("Active Directory, both directions (Samba)", () => {
  let connected: ConnectedDomain;
  let domain: Domain;
  bothWays("Active Directory", async () => {
    connected = await connectDomain();
    ({ domain } = connected);
    const control = async (id: string, value: string) => domain.replace(await domain.dnOf(id), "userAccountControl", [value]);
    return {
      ...connected,
      hire: (name) => domain.addPerson(name),
      disable: (id) => control(id, "514"),
      enable: (id) => control(id, "512"),
      isEnabled: async (id) => domain.maySignIn(await domain.dnOf(id)),
    };
  });

  test("M2: people, groups and units arrive; nothing changed is nothing read", async () => {
    const { world, sync, memberships } = connected;
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
    const { sync, memberships } = connected;
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

  test("M4: a leaver is taken out of the groups there, and who is deleted there leaves here", async () => {
    const { world, sync } = connected;
    const id = await domain.addPerson("fay");
    const dn = `CN=fay,${domain.people}`;
    await domain.addGroup("leaving", [dn]);
    await sync();
    const account = async () =>
      (
        await world.db.pool.query<{ personId: string; gone: boolean }>(
          `select person_id as "personId", gone_at is not null as gone from accounts where native_id = $1`,
          [id],
        )
      ).rows;
    const leaving = (await account()).map(({ personId }) => ({ personId, owner: "offboarding" as const }));
    await world.work((work) =>
      raiseBlocks(
        work,
        leaving.map((each) => ({ ...each, effect: "deactivated" as const, reason: "last day" })),
      ),
    );
    await world.drain();
    expect(await domain.values(`CN=leaving,${domain.groups}`, "member")).toEqual([]);
    await domain.admin.del(dn);
    await sync();
    expect(await account()).toMatchObject([{ gone: true }]);
  });
});
