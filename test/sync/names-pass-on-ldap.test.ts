import { expect, test } from "@jest/globals";
import { testContext, testDatabase } from "../helpers/database.ts";
import { openDirectory } from "../helpers/ldap.ts";
import { testConnection } from "../helpers/sync.ts";
import { syncDirectory } from "../helpers/sync-directory.ts";

test("invariant 3 (slapd, refint): whose distinguished name passes on keeps their groups and reports, and the newcomer gets none of them", async () => {
  const [db, directory, ctx] = [await testDatabase(), await openDirectory(), testContext()];
  try {
    const wide = { count: 10_000, share: 1, floor: 10_000 };
    const user = { attributes: { userName: "account.mail", manager: "account.manager" } };
    await testConnection(db, ctx, { limits: { disable: wide, delete: wide, window: wide, members: wide, shrink: 1 }, mapping: { user } });
    const sync = (mode: "full" | "incremental") => syncDirectory(ctx, { db, directory, mode });
    const dn = (uid: string) => `uid=${uid},${directory.people}`;
    const standing = async () => {
      const { rows } = await db.pool.query<{ members: string[]; managers: string[] }>(
        `select array(select g.display_name || ': ' || p.user_name from memberships m join groups g on g.id = m.group_id join people p on p.id = m.person_id where m.recorded_to is null and m.valid_to is null order by 1) as members,
           array(select p.user_name || ': ' || m.user_name from people p join people m on m.id = p.manager_id and m.active where p.active order by 1) as managers`,
      );
      return rows[0];
    };
    for (const uid of ["zoe", "ada", "leaves"]) await directory.addPerson(uid);
    await directory.addPerson("cyd", { manager: dn("ada") });
    await directory.addGroup("staff", [dn("ada"), dn("zoe")]);
    await directory.addGroup("safe", [dn("leaves"), dn("zoe")]);
    await sync("full");

    await directory.admin.modifyDN(dn("ada"), "uid=ada-lovelace");
    await directory.admin.del(dn("leaves"));
    await directory.addPerson("ada", { mail: "second@example.org" });
    await directory.addPerson("leaves", { mail: "third@example.org" });
    const wanted = {
      members: ["safe: zoe@example.org", "staff: ada@example.org", "staff: zoe@example.org"],
      managers: ["cyd@example.org: ada@example.org"],
    };
    for (const mode of ["incremental", "full", "full"] as const) {
      await sync(mode);
      expect({ mode, ...(await standing()) }).toEqual({ mode, ...wanted });
    }
  } finally {
    await directory.stop();
    await db.drop();
  }
});
