import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Cursor, Kind, Source, SourceRecord } from "../../../connectors/contract.ts";
import { openEntraSource } from "../../../connectors/entra/read.ts";
import { drain } from "../../contract/source.ts";
import { company, openOptions, personCalled, type Company } from "./opened.ts";

let here: Company;
let source: Source;
beforeEach(async () => {
  here = await company();
  source = await openEntraSource(openOptions(here.graph));
});
afterEach(async () => {
  await source.close();
  await here.graph.close();
});

async function start(kind: Kind, from = source): Promise<Cursor> {
  const { end } = await drain(from.readAll(kind));
  if (!end.cursor) throw new Error("a full read gives a cursor");
  return end.cursor;
}

async function changes(kind: Kind, since: Cursor, from = source): Promise<{ records: SourceRecord[]; cursor: Cursor }> {
  if (!from.readChanges) throw new Error("entra has increments");
  const { records, end } = await drain(from.readChanges(kind, since));
  return { records, cursor: end };
}

const membersOf = (records: readonly SourceRecord[], id: string) => {
  const members = records.find(({ nativeId }) => nativeId === id)?.members;
  return members && "set" in members ? members.set : undefined;
};

describe("people", () => {
  test("changed, renamed, disabled, without a value any more", async () => {
    const { tenant } = here.graph;
    const [ada = "", bob = "", cyd = "", dee = ""] = here.people;
    const since = await start("user");
    tenant.change(ada, { jobTitle: "Head" });
    tenant.change(bob, { userPrincipalName: "bob@lab.example" });
    tenant.change(cyd, { accountEnabled: false });
    tenant.change(dee, { jobTitle: null });
    tenant.setManager(dee, undefined);
    const { records } = await changes("user", since);
    const shown = new Map(records.map(({ nativeId, attributes }) => [nativeId, attributes]));
    expect(records).toHaveLength(4);
    expect(shown.get(ada)).toMatchObject({ jobTitle: "Head", accountEnabled: true });
    expect(shown.get(bob)).toMatchObject({ userPrincipalName: "bob@lab.example", manager: ada });
    expect(shown.get(cyd)).toMatchObject({ accountEnabled: false });
    expect(shown.get(dee)).not.toHaveProperty("jobTitle");
    expect(shown.get(dee)).not.toHaveProperty("manager");
  });

  test("what was not selected is no change", async () => {
    const since = await start("user");
    here.graph.tenant.change(here.people[0] ?? "", { city: "Oslo" });
    expect((await changes("user", since)).records).toEqual([]);
  });

  test("deleted softly, deleted for good, restored", async () => {
    const { tenant } = here.graph;
    const [ada = "", bob = ""] = here.people;
    const since = await start("user");
    tenant.remove(ada);
    tenant.removeForGood(bob);
    const gone = await changes("user", since);
    expect(
      gone.records
        .filter(({ deleted }) => deleted)
        .map(({ nativeId }) => nativeId)
        .sort(),
    ).toEqual([ada, bob].sort());
    tenant.restore(ada);
    const back = await changes("user", gone.cursor);
    expect(back.records).toEqual([expect.objectContaining({ nativeId: ada, attributes: expect.objectContaining({ displayName: "p0" }) })]);
  });

  test("an increment says what a full read says, in the same words", async () => {
    const since = await start("user");
    for (const [index, id] of here.people.entries())
      here.graph.tenant.change(id, { jobTitle: `Title ${index}`, businessPhones: [`${index}`] });
    const { records } = await changes("user", since);
    const full = await drain(source.readAll("user"));
    const byId = (left: SourceRecord, right: SourceRecord) => left.nativeId.localeCompare(right.nativeId);
    expect(records.toSorted(byId)).toEqual(full.records.toSorted(byId));
  });

  test("a replica that lags: the newer answer is given, and the next increment looks again", async () => {
    const { tenant, directory } = here.graph;
    const [ada = ""] = here.people;
    const since = await start("user");
    const old = tenant.objects.get(ada);
    if (!old) throw new Error("ada is there");
    directory.lagging.set(ada, { ...old, properties: { ...old.properties } });
    tenant.change(ada, { accountEnabled: false });
    const lagging = await changes("user", since);
    expect(lagging.records).toEqual([
      expect.objectContaining({ nativeId: ada, attributes: expect.objectContaining({ accountEnabled: false }) }),
    ]);
    directory.lagging.clear();
    const settled = await changes("user", lagging.cursor);
    expect(settled.records).toEqual([
      expect.objectContaining({ nativeId: ada, attributes: expect.objectContaining({ accountEnabled: false }) }),
    ]);
    expect((await changes("user", settled.cursor)).records).toEqual([]);
  });

  test("a full read in which somebody leaves and somebody changes ends with what is there", async () => {
    const { tenant } = here.graph;
    const read = source.readAll("user");
    const first = await read.next();
    const seen = first.done ? "" : (first.value.records[0]?.nativeId ?? "");
    const last = here.people.at(-1) ?? "";
    tenant.remove(last);
    here.graph.faults.plan({ kind: "repeated page", at: "GET /users/delta" });
    tenant.change(seen, { jobTitle: "Later" });
    const { records, end } = await drain(read);
    expect(records.filter(({ nativeId, deleted }) => nativeId === last && !deleted)).toEqual([]);
    expect(end.count).toBe(34);
    const { records: increment } = await changes("user", end.cursor ?? {});
    expect(increment.map(({ nativeId }) => nativeId).sort()).toEqual([seen, last].sort());
  });

  test("properties that are read since make the cursor expire", async () => {
    const since = await start("user");
    const other = await openEntraSource(openOptions(here.graph, { userProperties: ["userPrincipalName", "city"] }));
    await expect(changes("user", since, other)).rejects.toMatchObject({ kind: "expired" });
    await other.close();
  });

  test("a cursor of elsewhere is not followed", async () => {
    const since = await start("user");
    await expect(changes("user", { ...since, link: "https://attacker.example/v1.0/users/delta?$deltatoken=x" })).rejects.toMatchObject({
      kind: "misconfigured",
    });
  });
});

describe("groups", () => {
  test("members that are spread over many pages, and over many appearances of their group, are one list; devices are left out", async () => {
    const { tenant } = here.graph;
    const device = tenant.add("administrativeUnits", { displayName: "no person" });
    tenant.addMember(here.nested, device);
    const { records } = await drain(source.readAll("group"));
    expect(membersOf(records, here.large)).toEqual(here.people.slice(1).sort());
    expect(membersOf(records, here.nested)).toEqual([here.large]);
    expect(records).toHaveLength(5);
  });

  test("who joins and who leaves; a renamed group keeps its members", async () => {
    const { tenant } = here.graph;
    const [ada = "", bob = ""] = here.people;
    const since = await start("group");
    tenant.addMember(here.large, ada);
    tenant.removeMember(here.large, bob);
    tenant.change(here.nested, { displayName: "Renamed" });
    const { records, cursor } = await changes("group", since);
    expect(records).toHaveLength(2);
    expect(membersOf(records, here.large)).toEqual(here.people.filter((id) => id !== bob).sort());
    expect(records.find(({ nativeId }) => nativeId === here.nested)).toMatchObject({
      attributes: { displayName: "Renamed" },
      members: { set: [here.large] },
    });
    expect((await changes("group", cursor)).records).toEqual([]);
  });

  test("in, out and in again within one round", async () => {
    const { tenant } = here.graph;
    const [ada = "", bob = ""] = here.people;
    const since = await start("group");
    for (let times = 0; times < 3; times++) {
      tenant.addMember(here.large, ada);
      tenant.removeMember(here.large, ada);
      tenant.removeMember(here.large, bob);
      tenant.addMember(here.large, bob);
    }
    expect(membersOf((await changes("group", since)).records, here.large)).toEqual(here.people.slice(1).sort());
  });

  test("a list of members that lags is completed by what the delta query says, and looked at again", async () => {
    const { tenant, directory } = here.graph;
    const [ada = "", bob = ""] = here.people;
    const since = await start("group");
    const old = tenant.objects.get(here.large);
    if (!old) throw new Error("the group is there");
    directory.lagging.set(here.large, { ...old, members: new Set(old.members) });
    tenant.addMember(here.large, ada);
    tenant.removeMember(here.large, bob);
    const lagging = await changes("group", since);
    expect(membersOf(lagging.records, here.large)).toEqual(here.people.filter((id) => id !== bob).sort());
    directory.lagging.clear();
    expect(membersOf((await changes("group", lagging.cursor)).records, here.large)).toEqual(here.people.filter((id) => id !== bob).sort());
  });

  test("a deleted group", async () => {
    const since = await start("group");
    here.graph.tenant.remove(here.nested);
    expect((await changes("group", since)).records).toEqual([expect.objectContaining({ nativeId: here.nested, deleted: true })]);
  });
});

describe("units", () => {
  const opened = (units: string) => openEntraSource(openOptions(here.graph, { units }));

  test("administrative units: who is in which, who moves, and a unit that is deleted", async () => {
    const { tenant } = here.graph;
    const [north = "", south = ""] = here.units;
    const [ada = ""] = here.people;
    const from = await opened("administrativeUnits");
    const { records, end } = await drain(from.readAll("user"));
    expect(records.find(({ nativeId }) => nativeId === ada)?.attributes["administrativeUnits"]).toEqual([north]);
    tenant.removeMember(north, ada);
    tenant.addMember(south, ada);
    const moved = await changes("user", end.cursor ?? {}, from);
    expect(moved.records).toEqual([
      expect.objectContaining({ nativeId: ada, attributes: expect.objectContaining({ administrativeUnits: [south] }) }),
    ]);
    const units = await start("unit", from);
    tenant.change(south, { displayName: "Far south" });
    tenant.remove(north);
    expect((await changes("unit", units, from)).records).toEqual(
      expect.arrayContaining([
        { kind: "unit", nativeId: south, attributes: { id: south, name: "Far south", displayName: "Far south" } },
        { kind: "unit", nativeId: north, deleted: true, attributes: {} },
      ]),
    );
    await expect(changes("user", moved.cursor, from)).rejects.toMatchObject({ kind: "expired" });
    await from.close();
  });

  test("companies and their departments, with names of any characters; somebody who moves makes a new one", async () => {
    const from = await opened("companyNameAndDepartment");
    const { records } = await drain(from.readAll("unit"));
    expect(records.map(({ attributes, parent }) => ({ name: attributes["name"], parent }))).toEqual(
      expect.arrayContaining([
        { name: "Lab", parent: undefined },
        { name: "Research", parent: "company=Lab" },
        { name: "R & D/Æ", parent: "company=Lab" },
      ]),
    );
    for (const record of records) expect(await from.readOne("unit", record.nativeId)).toEqual(record);
    const since = await start("unit", from);
    const newcomer = here.graph.tenant.add("users", personCalled("zed", { department: "O'Hara's" }));
    const { records: fresh } = await changes("unit", since, from);
    const people = await drain(from.readAll("user"));
    const unit = people.records.find(({ nativeId }) => nativeId === newcomer)?.attributes["unit"];
    expect(fresh.map(({ nativeId }) => nativeId)).toContain(unit);
    expect(await from.readOne("unit", String(unit))).toMatchObject({ attributes: { name: "O'Hara's" } });
    here.graph.tenant.remove(newcomer);
    expect(await from.readOne("unit", String(unit))).toBe("gone");
    await from.close();
  });
});
