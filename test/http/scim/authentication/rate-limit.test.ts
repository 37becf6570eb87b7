import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { createOauthClient, issueAccessToken } from "../../../../src/auth/oauth-clients.ts";
import { addConnection } from "../../../../src/connections/store.ts";
import { inTransaction } from "../../../../src/db/database.ts";
import { createTokenBuckets } from "../../../../src/http/middleware/token-buckets.ts";
import { testContext } from "../../../helpers/database.ts";
import { keyRing, openDoor, type Door } from "../door.ts";

let clock = new Date("2026-11-01T12:00:00Z").getTime();
let door: Door;
beforeAll(async () => {
  door = await openDoor({ now: () => new Date(clock), http: { rateLimit: { perSecond: 2, burst: 3 } } });
});
afterAll(() => door.close());

const get = (token: string) => door.request("GET", "/ServiceProviderConfig", { token });

describe("M1: requests are limited by token", () => {
  test("M1: beyond the limit 429 says when to try again; then it goes on, and other tokens never notice", async () => {
    for (let sent = 0; sent < 3; sent += 1) expect((await get(door.token)).status).toBe(200);
    const { status, headers, body } = await get(door.token);
    expect([status, headers["retry-after"], body.status, body.schemas]).toEqual([
      429,
      "1",
      "429",
      ["urn:ietf:params:scim:api:messages:2.0:Error"],
    ]);
    expect((await get((await door.newToken()).token)).status).toBe(200);
    clock += 500;
    expect((await get(door.token)).status).toBe(200);
    expect((await get(door.token)).status).toBe(429);
  });

  test("M1: a connection may have a limit of its own", async () => {
    const { id: connectionId } = await inTransaction(door.db, testContext(), (work) =>
      addConnection(work, {
        definition: { name: "busy", connector: "scim-inbound", settings: { rateLimit: { perSecond: 25, burst: 30 } } },
        keyRing,
      }),
    );
    const { token } = await door.newToken({ connectionId });
    const answers = await Promise.all(Array.from({ length: 40 }, () => get(token)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(30);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(10);
  });

  test("M1: the connection's own address and the common one are one door", async () => {
    const { id: connectionId } = await inTransaction(door.db, testContext(), (work) =>
      addConnection(work, { definition: { name: "v2", connector: "scim-inbound", settings: {} }, keyRing }),
    );
    const { token } = await door.newToken({ connectionId });
    const statuses = [];
    for (const path of ["/scim/v2/v2/Users", "/scim/v2/Users", "/scim/v2/v2/Users", "/scim/v2/Users", "/scim/v2/v2/Users"])
      statuses.push((await door.request("GET", path, { token })).status);
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
  });

  test("M1: a client of the token endpoint has one limit, however many tokens it fetches", async () => {
    const work = <T>(act: Parameters<typeof inTransaction<T>>[2]) =>
      inTransaction(door.db, testContext({ now: () => new Date(clock) }), act);
    const { id: connectionId } = await work((w) =>
      addConnection(w, { definition: { name: "fetching", connector: "scim-inbound", settings: {} }, keyRing }),
    );
    const client = await work((w) => createOauthClient(w, { name: "app", connectionId }));
    const statuses = [];
    for (let fetched = 0; fetched < 5; fetched += 1) {
      const { token } = await work((w) => issueAccessToken(w, client));
      statuses.push((await get(token)).status);
    }
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
  });

  test("M1: in any stretch of time no more come through than the burst and what has flowed in; waiting as told always helps", () => {
    fc.assert(
      fc.property(
        fc.record({ perSecond: fc.double({ min: 0.1, max: 50, noNaN: true }), burst: fc.integer({ min: 1, max: 20 }) }),
        fc.array(fc.integer({ min: 0, max: 2000 }), { maxLength: 100 }),
        (limit, pauses) => {
          let at = 0;
          let letIn = 0;
          const buckets = createTokenBuckets({ now: () => new Date(at) });
          for (const pause of pauses) {
            at += pause;
            const wait = buckets.take("one", limit);
            if (wait === undefined) letIn += 1;
            expect(letIn).toBeLessThanOrEqual(limit.burst + (at / 1000) * limit.perSecond + 1e-6);
            if (wait === undefined) continue;
            at += Math.ceil(wait * 1000);
            expect(buckets.take("one", limit)).toBeUndefined();
            letIn += 1;
          }
        },
      ),
    );
  });
});
