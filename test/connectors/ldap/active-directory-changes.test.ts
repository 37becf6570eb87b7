import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Cursor, Kind, Source, SourceRecord } from "../../../connectors/contract.ts";
import { checkLdap } from "../../../connectors/ldap/check.ts";
import { openLdapSource } from "../../../connectors/ldap/read.ts";
import { openLdapWriteBack } from "../../../connectors/ldap/write.ts";
import { drain } from "../../contract/source.ts";
import { domainOptions, openDomain, PASSWORD, type Domain } from "../../helpers/active-directory.ts";
import { faultOf } from "../../helpers/ldap.ts";
import { sambaIsHere } from "../../helpers/samba.ts";

const described = sambaIsHere() ? describe : describe.skip;

let domain: Domain;

async function withSource<T>(settings: Record<string, unknown>, work: (source: Source) => Promise<T>): Promise<T> {
  const source = await openLdapSource(domainOptions(domain, settings));
  try {
    return await work(source);
  } finally {
    await source.close();
  }
}

async function changesOf(source: Source, kind: Kind, cursor: Cursor | undefined) {
  if (!source.readChanges) throw new Error("the LDAP connector has increments");
  const { records, end } = await drain(source.readChanges(kind, cursor ?? {}));
  return { records: new Map(records.map((record) => [record.nativeId, record])), cursor: end };
}

const membersOf = (record: SourceRecord | undefined) =>
  record?.members && "set" in record.members ? [...record.members.set].sort() : undefined;

/** An account without any right but to read, as a sync account is. */
async function ordinaryAccount(name: string): Promise<{ bindDn: string; bindPassword: string }> {
  await domain.addPerson(name, {}, `CN=Users,${domain.baseDn}`);
  return { bindDn: `CN=${name},CN=Users,${domain.baseDn}`, bindPassword: PASSWORD };
}

described("M2: Active Directory (Samba)", () => {
  beforeAll(async () => {
    domain = await openDomain();
  });
  afterAll(() => domain?.stop());

  test("an account says whether it is enabled and when it expires; managers are named by objectGUID", async () => {
    const boss = await domain.addPerson("boss", { userAccountControl: "514", accountExpires: "133801632000000000" });
    const worker = await domain.addPerson("worker", { manager: `CN=boss,${domain.people}` });
    await withSource({}, async (source) => {
      expect(await source.readOne("user", boss)).toMatchObject({
        attributes: { enabled: false, accountExpires: "2025-01-01T00:00:00.000Z" },
      });
      const read = await source.readOne("user", worker);
      expect(read).toMatchObject({ nativeId: worker, attributes: { enabled: true, manager: boss, dn: `CN=worker,${domain.people}` } });
      expect(read).not.toMatchObject({ attributes: { accountExpires: expect.anything() } });
    });
  });

  test("members: direct, nested as direct edges, and those whose primary group it is", async () => {
    const first = await domain.addPerson("m1");
    const second = await domain.addPerson("m2");
    const inner = await domain.addGroup("inner", [`CN=m1,${domain.people}`]);
    const outer = await domain.addGroup("outer", [`CN=inner,${domain.groups}`, `CN=m2,${domain.people}`]);
    await domain.replace(`CN=m2,${domain.people}`, "primaryGroupID", await domain.values(`CN=outer,${domain.groups}`, "primaryGroupToken"));
    expect(await domain.values(`CN=outer,${domain.groups}`, "member")).toEqual([`CN=inner,${domain.groups}`]);
    await withSource({}, async (source) => {
      const { records } = await drain(source.readAll("group"));
      expect(membersOf(records.find((record) => record.nativeId === inner))).toEqual([first]);
      expect(membersOf(records.find((record) => record.nativeId === outer))).toEqual([inner, second].sort());
    });
  });

  test("who is of no domain, or of another, is a member by what stands for them here", async () => {
    const [users, domainUsers] = [`CN=Users,CN=Builtin,${domain.baseDn}`, `CN=Domain Users,CN=Users,${domain.baseDn}`];
    const foreign = `CN=S-1-5-11,CN=ForeignSecurityPrincipals,${domain.baseDn}`;
    expect(await domain.values(users, "member")).toEqual(expect.arrayContaining([foreign, domainUsers]));
    await withSource({ groups: { base: `CN=Builtin,${domain.baseDn}` } }, async (source) => {
      const { records, problems, end } = await drain(source.readAll("group"));
      expect([problems, end.finalCursor]).toEqual([[], true]);
      const id = await domain.idOf(users);
      expect(membersOf(records.find((record) => record.nativeId === id))).toEqual(
        expect.arrayContaining([await domain.idOf(foreign), await domain.idOf(domainUsers)]),
      );
    });
  });

  test("a unit that is renamed while people are read loses nobody, and ends the increments", async () => {
    await domain.addUnit("turning", domain.people);
    const ids: string[] = [];
    for (let number = 0; number < 6; number++) ids.push(await domain.addPerson(`turner ${number}`, {}, `OU=turning,${domain.people}`));
    await withSource({ pageSize: 2 }, async (source) => {
      const read = source.readAll("user");
      const seen: string[] = [];
      let step = await read.next();
      await domain.admin.modifyDN(`OU=turning,${domain.people}`, `OU=turned,${domain.people}`);
      for (; !step.done; step = await read.next()) seen.push(...step.value.records.map(({ nativeId }) => nativeId));
      expect(seen.filter((id) => ids.includes(id)).sort()).toEqual(ids.toSorted());
      expect(step.value.finalCursor).toBe(true);
      await expect(changesOf(source, "user", step.value.cursor)).rejects.toMatchObject({ kind: "expired" });
    });
  });

  test("a domain is read from its top: its other partitions hold no people", async () => {
    await withSource({ users: { base: domain.baseDn } }, async (source) => {
      const { records, end } = await drain(source.readAll("user"));
      expect(records.map(({ attributes }) => attributes["sAMAccountName"])).toEqual(expect.arrayContaining(["Administrator", "krbtgt"]));
      expect(end.finalCursor).toBe(true);
    });
  });

  for (const changes of ["dirSync", "uSNChanged"] as const) {
    test(`${changes}: rename, move, leave and delete are told, each once, with everything that the account has`, async () => {
      const name = (each: string) => `${each} ${changes}`;
      const dn = (each: string) => `CN=${name(each)},${domain.people}`;
      const renamed = await domain.addPerson(name("renamed"), { title: "Engineer" });
      const moved = await domain.addPerson(name("moved"));
      const left = await domain.addPerson(name("left"));
      const deleted = await domain.addPerson(name("deleted"));
      const unit = `OU=${name("unit")},${domain.people}`;
      await domain.addUnit(name("unit"), domain.people);
      await withSource({ changes }, async (source) => {
        const { end } = await drain(source.readAll("user"));
        expect((await changesOf(source, "user", end.cursor)).records.size).toBe(0);
        await domain.admin.modifyDN(dn("renamed"), `CN=${name("newname")},${domain.people}`);
        await domain.admin.modifyDN(dn("moved"), `CN=${name("moved")},${unit}`);
        await domain.admin.modifyDN(dn("left"), `CN=${name("left")},CN=Users,${domain.baseDn}`);
        await domain.admin.del(dn("deleted"));
        const { records, cursor } = await changesOf(source, "user", end.cursor);
        expect([...records.keys()].sort()).toEqual([renamed, moved, deleted].sort());
        expect(records.get(renamed)).toMatchObject({ attributes: { cn: name("newname"), title: "Engineer" } });
        expect(records.get(moved)).toMatchObject({ attributes: { dn: `CN=${name("moved")},${unit}` } });
        expect(records.get(deleted)).toEqual({ kind: "user", nativeId: deleted, deleted: true, attributes: {} });
        expect(await source.readOne("user", left)).toMatchObject({ outOfScope: true });
        expect((await changesOf(source, "user", cursor)).records.size).toBe(0);
      });
    });

    test(`${changes}: membership in both directions, by member and by primary group, brings the whole group`, async () => {
      const dn = (each: string) => `CN=${each} ${changes},${domain.people}`;
      const one = await domain.addPerson(`one ${changes}`);
      const two = await domain.addPerson(`two ${changes}`);
      const group = `CN=team ${changes},${domain.groups}`;
      const id = await domain.addGroup(`team ${changes}`, [dn("one")]);
      const [token = ""] = await domain.values(group, "primaryGroupToken");
      await withSource({ changes }, async (source) => {
        let cursor = (await drain(source.readAll("group"))).end.cursor;
        const afterThat = async () => {
          const changed = await changesOf(source, "group", cursor);
          cursor = changed.cursor;
          return membersOf(changed.records.get(id));
        };
        await domain.change(group, "add", "member", dn("two"));
        expect(await afterThat()).toEqual([one, two].sort());
        await domain.change(group, "delete", "member", dn("one"));
        expect(await afterThat()).toEqual([two]);
        // To be given another primary group: the directory takes the member out of the new one's list.
        await domain.replace(dn("two"), "primaryGroupID", [token]);
        expect(await afterThat()).toEqual([two]);
        await domain.replace(dn("two"), "primaryGroupID", ["513"]);
        expect(await afterThat()).toEqual([two]);
        await domain.change(group, "delete", "member", dn("two"));
        expect(await afterThat()).toEqual([]);
      });
    });

    test(`${changes}: a new account is a new member of its primary group`, async () => {
      const users = `CN=Users,${domain.baseDn}`;
      await withSource({ changes, groups: { base: users, filter: "(cn=Domain Users)" } }, async (source) => {
        const { end } = await drain(source.readAll("group"));
        const id = await domain.addPerson(`newcomer ${changes}`);
        const { records } = await changesOf(source, "group", end.cursor);
        expect([...records.values()].map(membersOf)).toEqual([expect.arrayContaining([id])]);
      });
    });

    test(`${changes}: a renamed unit renames all below, which nothing but a full read tells`, async () => {
      const name = `department ${changes}`;
      await domain.addUnit(name, domain.people);
      const id = await domain.addPerson(`below ${changes}`, {}, `OU=${name},${domain.people}`);
      await withSource({ changes }, async (source) => {
        const { end } = await drain(source.readAll("user"));
        await domain.addUnit(`another ${name}`, domain.people);
        expect((await changesOf(source, "user", end.cursor)).records.size).toBe(0);
        await domain.admin.modifyDN(`OU=${name},${domain.people}`, `OU=renamed ${name},${domain.people}`);
        await expect(changesOf(source, "user", end.cursor)).rejects.toMatchObject({
          kind: "expired",
          message: expect.stringMatching(/renamed or moved/),
        });
        expect(await source.readOne("user", id)).toMatchObject({
          attributes: { dn: `CN=below ${changes},OU=renamed ${name},${domain.people}` },
        });
      });
    });

    test(`${changes}: another domain controller, a restored one, and what is no cursor end the increments`, async () => {
      await withSource({ changes }, async (source) => {
        const { end } = await drain(source.readAll("user"));
        for (const change of [
          { service: "CN=NTDS Settings,CN=DC2" },
          { invocationId: "00000000-0000-4000-8000-000000000000" },
          { usn: "99999999999999999999" },
          { usn: "a number" },
          { kind: "group" },
          { way: "rumour" },
          { version: 2 },
        ]) {
          await expect(changesOf(source, "user", { ...end.cursor, ...change })).rejects.toMatchObject({ kind: "expired" });
        }
      });
    });
  }

  test("an account without the right to replicate has DirSync of what it may read", async () => {
    const ordinary = await ordinaryAccount("reader");
    const id = await domain.addPerson("seen");
    await withSource(ordinary, async (source) => {
      const { end } = await drain(source.readAll("user"));
      expect(end.cursor).toMatchObject({ way: "dirSyncOwn" });
      await domain.replace(`CN=seen,${domain.people}`, "title", ["Changed"]);
      expect([...(await changesOf(source, "user", end.cursor)).records.keys()]).toEqual([id]);
      // A cursor that needs a right which was taken away.
      await expect(changesOf(source, "user", { ...end.cursor, way: "dirSync" })).rejects.toMatchObject({ kind: "expired" });
    });
  });

  test("M4: only the disable bit is written; the other flags stay", async () => {
    const id = await domain.addPerson("flags", { userAccountControl: "66048" });
    const writeBack = await openLdapWriteBack(domainOptions(domain));
    const flags = () => domain.values(`CN=flags,${domain.people}`, "userAccountControl");
    await writeBack.disable(id);
    expect(await flags()).toEqual(["66050"]);
    await writeBack.enable(id);
    expect(await flags()).toEqual(["66048"]);
    await writeBack.close();
  });

  test("M4: nobody is taken out of a primary group, and it is said", async () => {
    const id = await domain.addPerson("ordinary");
    const users = `CN=Users,${domain.baseDn}`;
    const group = await domain.idOf(`CN=Domain Users,${users}`);
    const writeBack = await openLdapWriteBack(domainOptions(domain, { groups: { base: users } }));
    expect(await faultOf(writeBack.removeFromGroup(group, id))).toEqual({
      kind: "rejected",
      message: expect.stringMatching(/CN=Domain Users,.* is the primary group of CN=ordinary,.*Set another primary group/),
    });
    await writeBack.close();
  });

  test("M4: who may not write is told the permission", async () => {
    const ordinary = await ordinaryAccount("onlooker");
    const id = await domain.addPerson("untouched");
    const writeBack = await openLdapWriteBack(domainOptions(domain, ordinary));
    expect(await faultOf(writeBack.disable(id))).toMatchObject({ kind: "denied" });
    await writeBack.close();
  });

  test("M4: an administrator of the domain, whom delegated rights don't reach, is refused alone", async () => {
    const id = await domain.addPerson("chief", { adminCount: "1" });
    const group = await domain.addGroup("chiefs", [`CN=chief,${domain.people}`]);
    await domain.replace(`CN=chiefs,${domain.groups}`, "adminCount", ["1"]);
    const writeBack = await openLdapWriteBack(domainOptions(domain, await ordinaryAccount("delegate")));
    const refused = { kind: "rejected", message: expect.stringMatching(/CN=chiefs?,.*adminCount.*AdminSDHolder/) };
    expect(await faultOf(writeBack.disable(id))).toEqual(refused);
    expect(await faultOf(writeBack.removeFromGroup(group, id))).toEqual(refused);
    await writeBack.close();
  });

  test("the check says how changes are found, and what write-back still needs", async () => {
    const group = await domain.addGroup("checked");
    expect(group).not.toBe("");
    const asAdministrator = await checkLdap(domainOptions(domain, { disable: { kind: "userAccountControl" } }));
    expect(asAdministrator.filter(({ ok }) => !ok)).toEqual([]);
    expect(asAdministrator.map(({ name }) => name)).toEqual([
      "Connection and sign-in",
      "Paged results",
      "Changes",
      "Users",
      "Groups",
      "Units",
      "Disabling accounts",
      "Removing group members",
    ]);
    const ordinary = await ordinaryAccount("checker");
    const results = await checkLdap(domainOptions(domain, { ...ordinary, disable: { kind: "userAccountControl" } }));
    expect(results.find(({ name }) => name === "Changes")?.message).toMatch(/limited to what.*"Replicating Directory Changes"/);
    expect(results.filter(({ ok }) => !ok)).toEqual([
      { name: "Disabling accounts", ok: false, message: expect.stringMatching(/Delegate "Write userAccountControl" for user objects/) },
      { name: "Removing group members", ok: false, message: expect.stringMatching(/Delegate "Write Members" for group objects/) },
    ]);
    expect((await checkLdap(domainOptions(domain, ordinary))).every(({ ok }) => ok)).toBe(true);
  });
});
