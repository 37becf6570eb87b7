import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Cursor, Kind, Page, Source } from "../../../connectors/contract.ts";
import type { EntraSettings } from "../../../connectors/entra/config.ts";
import { openEntraSource } from "../../../connectors/entra/read.ts";
import { openEntraWriteBack } from "../../../connectors/entra/write.ts";
import type { Graph } from "../../counterparts/graph/server.ts";
import { drain, sourceContract, type SourceWorld } from "../../contract/source.ts";
import { writeBackContract } from "../../contract/write-back.ts";
import { company, openOptions, personCalled } from "./opened.ts";

const PLACES = { department: ["department=Research", "department=R%20%26%20D%2F%C3%86"] };

for (const units of [undefined, "administrativeUnits", "department"] as const satisfies readonly EntraSettings["units"][]) {
  let graph: Graph;
  const world = async (): Promise<SourceWorld> => {
    ({ graph } = await company());
    const { tenant } = graph;
    let added = 0;
    return {
      expected: async (kind) => {
        if (kind === "unit" && units === "department") return PLACES.department;
        const collection = ({ user: "users", group: "groups", unit: "administrativeUnits" } as const)[kind];
        return tenant.all(collection).map(({ id }) => id);
      },
      addPerson: async () => tenant.add("users", personCalled(`new${added++}`)),
      changePerson: async (id) => tenant.change(id, { jobTitle: `Title ${added++}` }),
      removePerson: async (id) => tenant.remove(id),
      unknownId: "00000000-0000-4000-8000-000000000000",
      spoil: (cursor) => ({ ...cursor, link: `${graph.graphUrl}/users/delta?$deltatoken=of-last-month` }),
      close: () => graph.close(),
    };
  };
  sourceContract({
    name: `entra, ${units ?? "no units"} (a stand-in of Microsoft Graph)`,
    world,
    open: ({ signal }) => openEntraSource(openOptions(graph, units === undefined ? {} : { units }, signal)),
  });
}

let graph: Graph;
writeBackContract({
  name: "entra (a stand-in of Microsoft Graph)",
  world: async () => {
    ({ graph } = await company());
    const { tenant } = graph;
    let added = 0;
    return {
      addPerson: async () => tenant.add("users", personCalled(`w${added++}`)),
      removePerson: async (id) => tenant.remove(id),
      maySignIn: async (id) => tenant.objects.get(id)?.properties["accountEnabled"] === true,
      addGroup: async (members) => {
        const id = tenant.add("groups", { displayName: `g${added++}` });
        for (const member of members) tenant.addMember(id, member);
        return id;
      },
      members: async (id) => [...(tenant.objects.get(id)?.members ?? [])],
      close: () => graph.close(),
    };
  },
  open: () => openEntraWriteBack(openOptions(graph)),
});

function changesOf(source: Source, kind: Kind, since: Cursor | undefined): AsyncGenerator<Page, Cursor> {
  if (!source.readChanges || !since) throw new Error("Entra ID tells what changed");
  return source.readChanges(kind, since);
}

describe("departments follow from people, who are listed once", () => {
  let tenant: Graph;
  const asked = () => tenant.asked.filter((each) => each === "GET /users/delta").length;
  const open = () => openEntraSource(openOptions(tenant, { units: "department" }));
  beforeAll(async () => {
    ({ graph: tenant } = await company());
  });
  afterAll(() => tenant.close());

  test("in a full read and in an increment", async () => {
    const source = await open();
    expect(source.kinds).toEqual(["user", "unit", "group"]);
    const people = await drain(source.readAll("user"));
    const pages = asked();
    const units = await drain(source.readAll("unit"));
    expect(units.records.map(({ nativeId }) => nativeId).sort()).toEqual([...PLACES.department].sort());
    expect(asked()).toBe(pages);

    const [first = ""] = people.records.map(({ nativeId }) => nativeId);
    tenant.tenant.change(first, { department: "Optics" });
    const before = asked();
    await drain(changesOf(source, "user", people.end.cursor));
    const rounds = asked() - before;
    const changed = await drain(changesOf(source, "unit", units.end.cursor));
    expect(changed.records.map(({ attributes }) => attributes["name"])).toEqual(["Optics"]);
    expect([rounds, asked() - before]).toEqual([1, 1]);
    await source.close();
  });

  test("who reads units alone, or reads them once more, gets them as they are now", async () => {
    const source = await open();
    const alone = await drain(source.readAll("unit"));
    const added = tenant.tenant.add("users", personCalled("late", { department: "Acoustics" }));
    const names = ({ records }: typeof alone) => records.map(({ attributes }) => attributes["name"]);
    expect(names(alone)).not.toContain("Acoustics");
    const changed = await drain(changesOf(source, "unit", alone.end.cursor));
    expect(changed.records.map(({ attributes }) => attributes["name"])).toContain("Acoustics");
    await drain(source.readAll("user"));
    await drain(source.readAll("unit"));
    tenant.tenant.removeForGood(added);
    expect(names(await drain(source.readAll("unit")))).not.toContain("Acoustics");
    await source.close();
  });
});
