import { expect, test } from "@jest/globals";
import { testContext, testDatabase } from "../helpers/database.ts";
import { openDirectory } from "../helpers/ldap.ts";
import { testConnection, UNGUARDED } from "../helpers/sync.ts";
import { syncDirectory } from "../helpers/sync-directory.ts";
import { until } from "../jobs/waiting.ts";

test("invariant 3 (slapd, refint): who stands below a unit that is renamed stays in their groups, by an incremental run too", async () => {
  const [db, directory, ctx] = [await testDatabase(), await openDirectory(), testContext()];
  try {
    const user = { attributes: { userName: "account.mail", manager: "account.manager" } };
    await testConnection(db, ctx, { limits: UNGUARDED, mapping: { user } });
    const sync = (mode: "full" | "incremental") => syncDirectory(ctx, { db, directory, mode });
    const memberships = async () =>
      (
        await db.pool.query(
          "select p.user_name, m.id, m.valid_to, m.recorded_to from memberships m join people p on p.id = m.person_id order by p.user_name, m.id",
        )
      ).rows;
    const unit = `ou=sales,${directory.people}`;
    await directory.admin.add(unit, { objectClass: "organizationalUnit", ou: "sales" });
    for (const uid of ["ada", "bob", "cyd"]) await directory.addPerson(uid);
    for (const uid of ["ada", "bob"]) await directory.admin.modifyDN(`uid=${uid},${directory.people}`, `uid=${uid},${unit}`);
    await directory.addGroup("staff", [`uid=ada,${unit}`, `uid=bob,${unit}`, `uid=cyd,${directory.people}`]);
    await sync("full");
    const before = await memberships();
    expect(before).toHaveLength(3);

    await directory.admin.modifyDN(unit, `ou=selling,${directory.people}`);
    // slapd lets groups follow in a task of its own.
    await until(
      () => directory.values(`cn=staff,${directory.groups}`, "member"),
      (members) => ["ada", "bob"].every((uid) => members.includes(`uid=${uid},ou=selling,${directory.people}`)),
    );
    for (const mode of ["incremental", "full"] as const) {
      await sync(mode);
      // The same rows: nobody left and joined again, which would begin what rules give anew.
      expect({ mode, rows: await memberships() }).toEqual({ mode, rows: before });
    }
  } finally {
    await directory.stop();
    await db.drop();
  }
});
