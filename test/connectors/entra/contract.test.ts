import type { EntraSettings } from "../../../connectors/entra/config.ts";
import { openEntraSource } from "../../../connectors/entra/read.ts";
import { openEntraWriteBack } from "../../../connectors/entra/write.ts";
import type { Graph } from "../../counterparts/graph/server.ts";
import { sourceContract, type SourceWorld } from "../../contract/source.ts";
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
