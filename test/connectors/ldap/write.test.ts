import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { WriteBack } from "../../../connectors/contract.ts";
import { openLdapWriteBack } from "../../../connectors/ldap/write.ts";
import { faultOf, ldapOptions, openDirectory, type Directory } from "../../helpers/ldap.ts";

async function withWriteBack<T>(
  directory: Directory,
  settings: Record<string, unknown>,
  work: (writeBack: WriteBack) => Promise<T>,
): Promise<T> {
  const writeBack = await openLdapWriteBack(ldapOptions(directory, settings));
  try {
    return await work(writeBack);
  } finally {
    await writeBack.close();
  }
}

describe("M4: write-back to LDAP", () => {
  let directory: Directory;
  beforeAll(async () => {
    directory = await openDirectory();
  });
  afterAll(() => directory.stop());
  const dn = (uid: string) => `uid=${uid},${directory.people}`;

  test("a lock of the directory's own is not lifted by enabling", async () => {
    const id = await directory.addPerson("guessed");
    await directory.replace(dn("guessed"), "pwdAccountLockedTime", ["20260101000000Z"]);
    await withWriteBack(directory, { disable: { kind: "ppolicy" } }, (writeBack) => writeBack.enable(id));
    expect(await directory.values(dn("guessed"), "pwdAccountLockedTime")).toEqual(["20260101000000Z"]);
  });

  test("somebody without a password is locked all the same, since nothing can be proven against it", async () => {
    await directory.addPerson("with-password");
    await directory.admin.add(dn("bare"), { objectClass: "inetOrgPerson", uid: "bare", cn: "bare", sn: "bare" });
    const id = await directory.idOf(dn("bare"));
    await withWriteBack(directory, { disable: { kind: "ppolicy" } }, (writeBack) => writeBack.disable(id));
    expect(await directory.values(dn("bare"), "pwdAccountLockedTime")).toEqual(["000001010000Z"]);
  });

  test("an attribute of the organisation's choice, with and without a value for enabled", async () => {
    const id = await directory.addPerson("chosen");
    await withWriteBack(
      directory,
      { disable: { attribute: "employeeType", disabledValue: "disabled", enabledValue: "active" } },
      async (writeBack) => {
        await writeBack.disable(id);
        expect(await directory.values(dn("chosen"), "employeeType")).toEqual(["disabled"]);
        await writeBack.enable(id);
        expect(await directory.values(dn("chosen"), "employeeType")).toEqual(["active"]);
      },
    );
    await withWriteBack(directory, { disable: { attribute: "employeeType", disabledValue: "disabled" } }, async (writeBack) => {
      await writeBack.disable(id);
      await writeBack.enable(id);
      await writeBack.enable(id);
      expect(await directory.values(dn("chosen"), "employeeType")).toEqual([]);
    });
  });

  test("settings that do not say how are told so", async () => {
    const fault = await withWriteBack(directory, {}, (writeBack) => faultOf(writeBack.disable("any")));
    expect(fault).toEqual({ kind: "misconfigured", message: expect.stringMatching(/do not say how an account is disabled/) });
  });

  test("the last member of a groupOfNames is refused with its reason, and stays", async () => {
    const id = await directory.addPerson("last");
    const group = await directory.addGroup("lonely", [dn("last")]);
    const fault = await withWriteBack(directory, {}, (writeBack) => faultOf(writeBack.removeFromGroup(group, id)));
    expect(fault).toEqual({
      kind: "rejected",
      message: expect.stringMatching(/uid=last,.* is the last member of cn=lonely,.*Add another member first/),
    });
    expect(await directory.values(`cn=lonely,${directory.groups}`, "member")).toEqual([dn("last")]);
  });

  test("names with commas, quotes and umlauts are taken out of a group", async () => {
    const odd = `cn=M\\C3\\BCller\\, \\"J\\"\\+\\#,${directory.people}`;
    await directory.admin.add(odd, { objectClass: "inetOrgPerson", cn: 'Müller, "J"+#', sn: "Müller" });
    await directory.addPerson("other");
    const group = await directory.addGroup("odd", [odd, dn("other")]);
    await withWriteBack(directory, {}, async (writeBack) => writeBack.removeFromGroup(group, await directory.idOf(odd)));
    expect(await directory.values(`cn=odd,${directory.groups}`, "member")).toEqual([dn("other")]);
  });

  test("what is no longer there is `gone`", async () => {
    const group = await directory.addGroup("kept", [directory.people]);
    const unknown = "00000000-0000-4000-8000-000000000000";
    await withWriteBack(directory, {}, async (writeBack) => {
      expect(await faultOf(writeBack.removeFromGroup(unknown, unknown))).toMatchObject({ kind: "gone" });
      expect(await faultOf(writeBack.removeFromGroup(group, unknown))).toMatchObject({ kind: "gone" });
    });
  });
});

describe("M4: a lock that locks nobody", () => {
  test("without a policy that applies, disabling fails, names the way out, and takes the useless lock away", async () => {
    const directory = await openDirectory({ passwordPolicy: false });
    try {
      const id = await directory.addPerson("free");
      const fault = await withWriteBack(directory, { disable: { kind: "ppolicy" } }, (writeBack) => faultOf(writeBack.disable(id)));
      expect(fault).toEqual({
        kind: "misconfigured",
        message: expect.stringMatching(/uid=free,.* can't be locked.*pwdLockout: TRUE.*ppolicy_default/),
      });
      expect(await directory.values(`uid=free,${directory.people}`, "pwdAccountLockedTime")).toEqual([]);
      expect(await directory.maySignIn(`uid=free,${directory.people}`, "free-password")).toBe(true);
    } finally {
      await directory.stop();
    }
  });
});
