import type { OpenOptions } from "../../../connectors/contract.ts";
import { entraSettings, type EntraSettings } from "../../../connectors/entra/config.ts";
import { startGraph, type Graph, type GraphOptions } from "../../counterparts/graph/server.ts";
import { silentLog } from "../../helpers/database.ts";

/** Settings for the tenant; it is asked again soon, since nobody else is there. */
export function settingsOf(graph: Graph, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    tenant: graph.tenantId,
    clientId: graph.application.clientId,
    ...("certificate" in more ? {} : { clientSecret: graph.application.clientSecret }),
    graphUrl: graph.graphUrl,
    loginUrl: graph.origin,
    pageSize: 10,
    timeoutMs: 30_000,
    retry: { attempts: 4, firstDelayMs: 5 },
    ...more,
  };
}

export function openOptions(
  graph: Graph,
  more: Record<string, unknown> = {},
  signal = new AbortController().signal,
): OpenOptions<EntraSettings> {
  return {
    settings: entraSettings.parse(settingsOf(graph, more)),
    log: silentLog,
    signal,
    now: () => new Date(),
    network: { allow: ["127.0.0.0/8"] },
  };
}

/** Somebody with everything that the default settings read. */
export function personCalled(name: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    userPrincipalName: `${name}@lab.example`,
    displayName: name,
    givenName: name,
    surname: "Lab",
    mail: `${name}@lab.example`,
    employeeId: `e-${name}`,
    jobTitle: "Engineer",
    department: "Research",
    companyName: "Lab",
    ...more,
  };
}

export interface Company {
  graph: Graph;
  people: string[];
  /** Everybody but the first. */
  large: string;
  nested: string;
  units: string[];
}

/** A tenant with 35 people, two groups, a device among the members, and two administrative units. */
export async function company(options: GraphOptions = {}): Promise<Company> {
  const graph = await startGraph(options);
  const { tenant } = graph;
  const people = Array.from({ length: 35 }, (_, index) =>
    tenant.add("users", personCalled(`p${index}`, { department: index % 2 ? "Research" : "R & D/Æ" })),
  );
  for (const id of people.slice(1)) tenant.setManager(id, people[0]);
  const large = tenant.add("groups", { displayName: "Large", description: "Everybody but one" });
  for (const id of people.slice(1)) tenant.addMember(large, id);
  const nested = tenant.add("groups", { displayName: "Nested", mail: "nested@lab.example" });
  tenant.addMember(nested, large);
  for (let index = 0; index < 3; index++) tenant.add("groups", { displayName: `Empty ${index}` });
  const units = ["North", "South"].map((displayName) => tenant.add("administrativeUnits", { displayName }));
  for (const [index, id] of people.entries()) tenant.addMember(units[index % 2] ?? "", id);
  return { graph, people, large, nested, units };
}
