import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Cursor, Source } from "../../../connectors/contract.ts";
import { openLdapSource } from "../../../connectors/ldap/read.ts";
import { drain } from "../../contract/source.ts";
import { ldapOptions, openDirectory, type Directory } from "../../helpers/ldap.ts";

let directory: Directory;
beforeAll(async () => {
  directory = await openDirectory();
});
afterAll(() => directory.stop());

async function withSource<T>(settings: Record<string, unknown>, work: (source: Source) => Promise<T>): Promise<T> {
  const source = await openLdapSource(ldapOptions(directory, settings));
  try {
    return await work(source);
  } finally {
    await source.close();
  }
}

describe("people, groups and units of a directory", () => {
  test("names of entries are normalised wherever they stand, so that they compare as text", async () => {
    await directory.addPerson("boss");
    await directory.addPerson("Ada", { manager: `UID=boss, ${directory.people}`, seeAlso: [`uid=BOSS,${directory.people}`] });
    const settings = { users: { base: directory.people, attributes: ["uid", "manager", "seeAlso"] }, multiValued: ["seeAlso"] };
    const { records } = await withSource(settings, (source) => drain(source.readAll("user")));
    const boss = records.find((record) => record.attributes["uid"] === "boss");
    const ada = records.find((record) => record.attributes["uid"] === "Ada");
    expect(ada?.attributes).toEqual({
      dn: `uid=Ada,${directory.people}`,
      uid: "Ada",
      manager: boss?.reference,
      seeAlso: [boss?.reference],
    });
    expect(ada?.reference).toBe(`uid=ada,${directory.people}`);
  });

  test("M2: groups name their members whichever way the directory does; nested groups stay direct edges", async () => {
    for (const uid of ["m1", "m2", "m3"]) await directory.addPerson(uid);
    const dn = (uid: string) => `uid=${uid},${directory.people}`;
    await directory.addGroup("inner", [dn("m1")]);
    await directory.addGroup("outer", [`cn=inner,${directory.groups}`, dn("m2")]);
    await directory.admin.add(`cn=unique,${directory.groups}`, {
      objectClass: "groupOfUniqueNames",
      cn: "unique",
      uniqueMember: [dn("m1"), `${dn("m2")}#'0101'B`],
    });
    await directory.admin.add(`cn=posix,${directory.groups}`, {
      objectClass: "posixGroup",
      cn: "posix",
      gidNumber: "100",
      memberUid: ["m3", "M1", "nobody"],
    });
    const { records, end } = await withSource({ groupPageSize: 1 }, (source) => drain(source.readAll("group")));
    const members = (cn: string) => {
      const group = records.find((record) => record.attributes["cn"] === cn);
      return group?.members && "set" in group.members ? [...group.members.set].sort() : undefined;
    };
    expect(members("inner")).toEqual([dn("m1")]);
    expect(members("outer")).toEqual([`cn=inner,${directory.groups}`, dn("m2")]);
    expect(members("unique")).toEqual([dn("m1"), dn("m2")]);
    expect(members("posix")).toEqual([dn("m1"), dn("m3")]);
    expect(end.finalCursor).toBe(true);
  });

  test("M2: units know their parent within their base, by reference", async () => {
    await directory.admin.add(`ou=North,${directory.units}`, { objectClass: "organizationalUnit", ou: "North" });
    await directory.admin.add(`ou=Lab,ou=North,${directory.units}`, { objectClass: "organizationalUnit", ou: "Lab" });
    const { records } = await withSource({}, (source) => drain(source.readAll("unit")));
    expect(records.map((record) => [record.reference, record.parent])).toEqual([
      [directory.units, undefined],
      [`ou=north,${directory.units}`, directory.units],
      [`ou=lab,ou=north,${directory.units}`, `ou=north,${directory.units}`],
    ]);
  });

  test("what left the filter is found by id, marked, and in no listing", async () => {
    const id = await directory.addPerson("leaver", { title: "Engineer" });
    const settings = { users: { base: directory.people, filter: "(title=Engineer)", scope: "one" } };
    await withSource(settings, async (source) => {
      expect(await source.readOne("user", id)).not.toHaveProperty("outOfScope");
      await directory.replace(await directory.dnOf(id), "title", ["Retired"]);
      expect(await source.readOne("user", id)).toMatchObject({ nativeId: id, outOfScope: true });
      expect(await source.count?.("user")).toBe(0);
    });
  });

  test("an account that has been renamed keeps its id and has a new reference", async () => {
    const id = await directory.addPerson("maiden");
    await directory.admin.modifyDN(await directory.dnOf(id), "uid=married");
    await withSource({}, async (source) => {
      expect(await source.readOne("user", id)).toMatchObject({ nativeId: id, reference: `uid=married,${directory.people}` });
    });
  });
});

describe("increments", () => {
  const full = (source: Source) => drain(source.readAll("user"));
  const since = async (source: Source, cursor: Cursor | undefined) => {
    if (!source.readChanges) throw new Error("the LDAP connector has increments");
    return drain(source.readChanges("user", cursor ?? {}));
  };

  test("nothing changed is nothing read, and one change is one record", async () => {
    await directory.addPerson("steady");
    const id = await directory.addPerson("changing");
    await withSource({}, async (source) => {
      // The watermark stands at the last change, which may come again.
      const { end } = await full(source);
      expect((await since(source, end.cursor)).records.length).toBeLessThanOrEqual(1);
      await directory.replace(await directory.dnOf(id), "title", ["Changed"]);
      const changed = await since(source, end.cursor);
      expect(changed.records.map((record) => record.nativeId)).toContain(id);
      expect(changed.records.length).toBeLessThanOrEqual(2);
    });
  });

  test("whoever stands below a unit that was renamed or moved has changed along with it, at any depth", async () => {
    const [unit, inner] = [`ou=sales,${directory.people}`, `ou=north,ou=sales,${directory.people}`];
    for (const dn of [unit, inner]) await directory.admin.add(dn, { objectClass: "organizationalUnit", ou: dn.slice(3, 8) });
    const [one, two] = [await directory.addPerson("below"), await directory.addPerson("further")];
    await directory.admin.modifyDN(await directory.dnOf(one), `uid=below,${unit}`);
    await directory.admin.modifyDN(await directory.dnOf(two), `uid=further,${inner}`);
    const group = await directory.addGroup("sellers", [await directory.dnOf(two)]);
    await withSource({}, async (source) => {
      const { end } = await full(source);
      const groups = (await drain(source.readAll("group"))).end.cursor;
      await directory.addPerson("later");
      await directory.admin.modifyDN(unit, `ou=selling,${directory.people}`);
      const changed = await since(source, end.cursor);
      const references = new Map(changed.records.map(({ nativeId, reference }) => [nativeId, reference]));
      expect(references.get(one)).toBe(`uid=below,ou=selling,${directory.people}`);
      expect(references.get(two)).toBe(`uid=further,ou=north,ou=selling,${directory.people}`);
      const told = source.readChanges ? await drain(source.readChanges("group", groups ?? {})) : undefined;
      expect(told?.records.find(({ nativeId }) => nativeId === group)?.members).toEqual({ set: [references.get(two)] });
      await directory.replace(await directory.dnOf(one), "title", ["Engineer"]);
      expect((await since(source, changed.end)).records.map(({ nativeId }) => nativeId)).toContain(one);
    });
  });

  test("whoever comes, or is given a login, that a group names already is in it by the next increment", async () => {
    const dn = `cn=named ahead,${directory.groups}`;
    await directory.admin.add(dn, { objectClass: "posixGroup", cn: "named ahead", gidNumber: "700", memberUid: ["ahead", "renamed"] });
    await directory.admin.add(`cn=others,${directory.groups}`, {
      objectClass: "posixGroup",
      cn: "others",
      gidNumber: "701",
      memberUid: ["nobody"],
    });
    await directory.addPerson("unnamed");
    const id = await directory.idOf(dn);
    await withSource({ users: { base: directory.people, filter: "(objectClass=inetOrgPerson)" } }, async (source) => {
      const { end } = await drain(source.readAll("group"));
      const told = async () => {
        if (!source.readChanges) throw new Error("the LDAP connector has increments");
        const { records } = await drain(source.readChanges("group", end.cursor ?? {}));
        const record = records.findLast(({ nativeId }) => nativeId === id);
        return record?.members && "set" in record.members ? [...record.members.set].sort() : undefined;
      };
      await directory.addPerson("ahead");
      expect(await told()).toEqual([`uid=ahead,${directory.people}`]);
      await directory.admin.modifyDN(`uid=unnamed,${directory.people}`, "uid=renamed");
      expect(await told()).toEqual([`uid=ahead,${directory.people}`, `uid=renamed,${directory.people}`]);
    });
  });

  test("of many units that changed at once everything is read once", async () => {
    const id = await directory.addPerson("crowd");
    await withSource({}, async (source) => {
      const { end } = await full(source);
      for (let number = 0; number < 25; number++)
        await directory.admin.add(`ou=many ${number},${directory.people}`, { objectClass: "organizationalUnit", ou: `many ${number}` });
      await directory.admin.modifyDN(await directory.dnOf(id), `uid=crowd,ou=many 3,${directory.people}`);
      expect((await since(source, end.cursor)).records.map(({ nativeId }) => nativeId)).toContain(id);
    });
  });

  test("where change numbers can't be read, the time of change serves", async () => {
    const id = await directory.addPerson("timed");
    await withSource({ changedAttribute: "modifytimestamp", users: { base: directory.people, filter: "(uid=timed)" } }, async (source) => {
      const { end } = await full(source);
      const cursor = { ...end.cursor, csn: {} };
      await directory.replace(await directory.dnOf(id), "title", ["Changed"]);
      const { records } = await since(source, cursor);
      expect([...new Set(records.map(({ nativeId }) => nativeId))]).toEqual([id]);
      expect(records.at(-1)?.attributes["title"]).toBe("Changed");
    });
  });

  test("a directory restored to an earlier state, or another one, ends the increments", async () => {
    await withSource({}, async (source) => {
      const { end } = await full(source);
      for (const change of [
        { csn: { "001": "29991231000000.000000Z#000000#001#000000" } },
        { server: "another" },
        { kind: "group" },
        { version: 2 },
        { at: "yesterday" },
      ]) {
        await expect(since(source, { ...end.cursor, ...change })).rejects.toMatchObject({ kind: "expired" });
      }
    });
  });
});
