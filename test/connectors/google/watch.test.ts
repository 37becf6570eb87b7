import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { HookSubscription } from "../../../connectors/contract.ts";
import { openGoogle, type GoogleClient } from "../../../connectors/google/client.ts";
import { bringChannels, receiveNotification } from "../../../connectors/google/watch.ts";
import { startGoogle, type GoogleFake } from "../../counterparts/google/server.ts";
import { googleOptions } from "./opened.ts";

const HOUR_MS = 3_600_000;
const ALL = ["add", "delete", "undelete", "update"];
const address = "https://rollcall.test/hooks/google";
const secret = "a-secret-of-ours";

let fake: GoogleFake;
let client: GoogleClient;
let time = Date.parse("2026-03-01T08:00:00Z");
/** What was stored last, as it comes back from a database. */
let held: readonly HookSubscription[] = [];

beforeEach(async () => {
  held = [];
  fake = await startGoogle({ now: () => new Date(time) });
  client = openGoogle(googleOptions(fake, { attempts: 1 }));
});
afterEach(async () => {
  await client.close();
  await fake.stop();
});

const store = async (change: readonly HookSubscription[]): Promise<void> => void (held = structuredClone(change));
const bring = (more: { wanted?: boolean; address?: string; renew?: boolean; store?: typeof store } = {}) =>
  bringChannels(client, { address, secret, wanted: true, renew: false, store, ...more, held });
const events = () => [...fake.organisation.channels.values()].map(({ event }) => event).sort();
const ids = () => [...fake.organisation.channels.keys()].sort();
const heldIds = () => held.map(({ id }) => id).sort();

test("one channel an event, for two days; renewed before they end, the old ones stopped", async () => {
  await bring();
  expect(events()).toEqual(ALL);
  expect(held.map(({ expiresAt }) => expiresAt?.getTime())).toEqual(held.map(() => time + 48 * HOUR_MS));
  const first = heldIds();
  await bring();
  expect([ids(), heldIds()]).toEqual([first, first]);
  time += 37 * HOUR_MS;
  await bring();
  expect(events()).toEqual(ALL);
  expect(ids()).toEqual(heldIds());
  expect(ids()).not.toEqual(first);
  await bring({ wanted: false });
  await bring({ wanted: false });
  expect([events(), held]).toEqual([[], []]);
});

test("another address means other channels", async () => {
  await bring();
  await bring({ address: "https://elsewhere.test/hooks/google" });
  expect(events()).toEqual(ALL);
  expect(new Set([...fake.organisation.channels.values()].map((each) => each.address))).toEqual(
    new Set(["https://elsewhere.test/hooks/google"]),
  );
});

test.each([true, false])("a channel whose answer was lost is stopped at the next call (still wanted: %s)", async (wanted) => {
  fake.inject({ fault: "truncated", when: ({ path }) => path.endsWith("/watch") });
  await expect(bring()).rejects.toMatchObject({ kind: "transient" });
  expect([events().length, held.length]).toEqual([1, 1]);
  await bring({ wanted });
  expect(events()).toEqual(wanted ? ALL : []);
  expect(ids()).toEqual(heldIds());
});

test("a node that dies between any two steps leaves nothing that the next call does not clean up", async () => {
  await bring();
  time += 37 * HOUR_MS;
  for (let step = 1; step <= 12; step++) {
    let left = step;
    const dying = async (change: readonly HookSubscription[]) => {
      if (--left === 0) throw new Error("the node died");
      await store(change);
    };
    await expect(bring({ renew: true, store: dying })).rejects.toThrow("the node died");
    await bring();
    expect([events(), ids()]).toEqual([ALL, heldIds()]);
  }
});

test("a refusal for one event leaves what is open as it is, and is told", async () => {
  fake.inject({ fault: "forbidden", when: ({ path, query }) => path.endsWith("/watch") && query.get("event") === "update" });
  await expect(bring()).rejects.toMatchObject({ kind: "denied" });
  await bring();
  expect([events(), ids()]).toEqual([ALL, heldIds()]);
});

test("a notification counts only with our token; the first one only says that the channel is there", () => {
  const receive = (headers: Record<string, string>, given: string | undefined = secret) =>
    receiveNotification({ method: "POST", query: {}, headers }, { secret: given });
  const headers = { "x-goog-channel-token": secret, "x-goog-resource-state": "update" };
  expect(receive(headers)).toEqual({ status: 204, hint: { kinds: ["user"] } });
  expect(receive({ ...headers, "x-goog-resource-state": "sync" })).toEqual({ status: 204 });
  expect(receive({ ...headers, "x-goog-channel-token": "another" })).toBe("refused");
  expect(receive({ "x-goog-resource-state": "update" })).toBe("refused");
  expect(receiveNotification({ method: "POST", query: {}, headers }, { secret: undefined })).toBe("refused");
  expect(receiveNotification({ method: "GET", query: {}, headers }, { secret })).toBe("refused");
});
