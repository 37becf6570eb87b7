import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { checkLdap } from "../../../connectors/ldap/check.ts";
import { ldapOptions, openDirectory, type Directory } from "../../helpers/ldap.ts";

let directory: Directory;
beforeAll(async () => {
  directory = await openDirectory();
  await directory.addPerson("ada");
  await directory.addGroup("all", [`uid=ada,${directory.people}`]);
});
afterAll(() => directory.stop());

describe("connection check", () => {
  test("a connection that will work says what was seen", async () => {
    const results = await checkLdap(ldapOptions(directory, { disable: { kind: "ppolicy" } }));
    expect(results.filter((result) => !result.ok)).toEqual([]);
    expect(results.map((result) => result.name)).toEqual([
      "Connection and sign-in",
      "Paged results",
      "Users",
      "Groups",
      "Units",
      "Disabling accounts",
      "Removing group members",
    ]);
    expect(results.find((result) => result.name === "Users")?.message).toMatch(/^uid=ada,.*: entryUUID [0-9a-f-]{36}, changed 20/);
  });

  test("it writes nothing", async () => {
    const before = await directory.values(directory.baseDn, "contextCSN");
    await checkLdap(ldapOptions(directory, { disable: { attribute: "employeeType", disabledValue: "disabled" } }));
    expect(await directory.values(directory.baseDn, "contextCSN")).toEqual(before);
  });

  test("what will not work has its reason: no rights to write, an empty base, a missing one", async () => {
    const results = await checkLdap(
      ldapOptions(directory, {
        bindDn: directory.readerDn,
        bindPassword: directory.readerPassword,
        disable: { kind: "ppolicy" },
        units: { base: `ou=nowhere,${directory.baseDn}` },
      }),
    );
    const failed = Object.fromEntries(results.filter((result) => !result.ok).map((result) => [result.name, result.message]));
    expect(Object.keys(failed)).toEqual(["Units", "Disabling accounts", "Removing group members"]);
    expect(failed["Disabling accounts"]).toMatch(/cn=reader,.* may not do the writing of pwdAccountLockedTime/);
    const empty = await checkLdap(ldapOptions(directory, { users: { base: directory.people, filter: "(uid=nobody)" } }));
    expect(empty.find((result) => result.name === "Users")).toMatchObject({
      ok: false,
      message: expect.stringMatching(/No entry under .* matches \(uid=nobody\)/),
    });
  });

  test("a wrong password is the only finding", async () => {
    const results = await checkLdap(ldapOptions(directory, { bindPassword: "wrong" }));
    expect(results).toEqual([{ name: "Connection and sign-in", ok: false, message: expect.stringMatching(/refused the sign-in/) }]);
  });
});
