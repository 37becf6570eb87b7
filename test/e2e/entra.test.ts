import { describe, expect, test } from "@jest/globals";
import { personCalled, settingsOf } from "../connectors/entra/opened.ts";
import { startGraph, type Graph } from "../counterparts/graph/server.ts";
import { startWorld } from "../provision/world.ts";
import { bothWays } from "./both-ways.ts";
import { connectUpstream } from "./upstream.ts";

describe("Entra ID, both directions (a stand-in of Microsoft Graph)", () => {
  let graph: Graph;
  bothWays("Entra ID", async () => {
    const world = await startWorld();
    graph = await startGraph({ membersPerPage: 2, now: world.clock.now });
    graph.tenant.add("groups", { displayName: "Staff" });
    const connected = await connectUpstream({
      shipped: "entra",
      world,
      settings: ({ units }) => settingsOf(graph, { units, pageSize: 3 }),
      stop: () => graph.close(),
    });
    return {
      ...connected,
      hire: async (name) => graph.tenant.add("users", personCalled(name)),
      disable: async (id) => graph.tenant.change(id, { accountEnabled: false }),
      enable: async (id) => graph.tenant.change(id, { accountEnabled: true }),
      isEnabled: async (id) => graph.tenant.objects.get(id)?.properties["accountEnabled"] === true,
    };
  });

  test("M4: who is disabled from here is signed out there as well", () => {
    expect(graph.asked.filter((line) => line.endsWith("/revokeSignInSessions"))).toHaveLength(1);
  });
});
