import { describe, expect, test } from "@jest/globals";
import { API_TOKEN } from "../connectors/okta/opened.ts";
import type { Clock } from "../counterparts/okta/clock.ts";
import { openFakeOkta, type FakeOkta } from "../counterparts/okta/server.ts";
import { startWorld, type World } from "../provision/world.ts";
import { bothWays } from "./both-ways.ts";
import { connectUpstream } from "./upstream.ts";

/** The org shares the world's clock; no two of its changes share a time. */
function clockOf({ clock }: World): Clock {
  let last = 0;
  const peek = () => new Date(Math.max(last, clock.now().getTime()));
  return { peek, now: () => new Date((last = Math.max(last + 1, clock.now().getTime()))), advance: clock.pass };
}

describe("Okta, both directions (a stand-in of the Management API)", () => {
  let fake: FakeOkta;
  bothWays("Okta", async () => {
    const world = await startWorld();
    fake = await openFakeOkta(clockOf(world));
    fake.signIn.apiTokens.add(API_TOKEN);
    // An org without a single group is not believed.
    fake.org.addGroup({ name: "Staff" });
    const connected = await connectUpstream({
      shipped: "okta",
      world,
      settings: () => ({ url: fake.url, apiToken: API_TOKEN, pageSize: 2, rateLimitShare: 1 }),
      stop: () => fake.close(),
    });
    return {
      ...connected,
      hire: async (name) => {
        const login = `${name}@lab.test`;
        const { id } = fake.org.addUser({ login, email: login, firstName: name, lastName: "Lab" });
        fake.org.access.set(id, { sessions: 1, tokens: 1 });
        return id;
      },
      disable: async (id) => void fake.org.lifecycle(id, "suspend"),
      enable: async (id) => void fake.org.lifecycle(id, "unsuspend"),
      isEnabled: async (id) => fake.org.user(id).status === "ACTIVE",
    };
  });

  test("M4: who is suspended from here is signed out there as well", async () => {
    const dee = [...fake.org.users.values()].find(({ profile }) => profile["login"] === "dee@lab.test");
    expect(fake.org.access.get(dee?.id ?? "")).toEqual({ sessions: 0, tokens: 0 });
  });
});
