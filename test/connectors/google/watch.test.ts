import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { openGoogle, type GoogleClient } from "../../../connectors/google/client.ts";
import { closeChannels, hintOf, openChannels, renewChannels } from "../../../connectors/google/watch.ts";
import { startGoogle, type GoogleFake } from "../../counterparts/google/server.ts";
import { googleOptions } from "./opened.ts";

const HOUR_MS = 3_600_000;
const options = { address: "https://rollcall.test/hints/google", token: "a-secret-of-ours" };

let fake: GoogleFake;
let client: GoogleClient;
let time = Date.parse("2026-03-01T08:00:00Z");

beforeEach(async () => {
  fake = await startGoogle({ now: () => new Date(time) });
  client = openGoogle(googleOptions(fake));
});
afterEach(async () => {
  await client.close();
  await fake.stop();
});

const events = () => [...fake.organisation.channels.values()].map(({ event }) => event).sort();

test("one channel an event, for two days; renewed before they end, the old ones stopped", async () => {
  const opened = await openChannels(client, options);
  expect(events()).toEqual(["add", "delete", "undelete", "update"]);
  expect(opened.map(({ expiresAt }) => expiresAt)).toEqual(opened.map(() => time + 48 * HOUR_MS));
  expect(await renewChannels(client, opened, options)).toBe(opened);
  time += 37 * HOUR_MS;
  const renewed = await renewChannels(client, opened, options);
  expect(events()).toEqual(["add", "delete", "undelete", "update"]);
  expect([...fake.organisation.channels.keys()].sort()).toEqual(renewed.map(({ id }) => id).sort());
  await closeChannels(client, renewed);
  await closeChannels(client, renewed);
  expect(events()).toEqual([]);
});

test("channels that can't all be opened leave none behind", async () => {
  fake.inject({ fault: "forbidden", when: ({ path, query }) => path.endsWith("/watch") && query.get("event") === "update" });
  await expect(openChannels(client, options)).rejects.toMatchObject({ kind: "denied" });
  expect(events()).toEqual([]);
});

test("a notification counts only with our token; the first one only says that the channel is there", () => {
  const headers = { "x-goog-channel-token": options.token, "x-goog-resource-state": "update" };
  expect(hintOf(headers, options)).toBe("read");
  expect(hintOf({ ...headers, "x-goog-resource-state": "sync" }, options)).toBe("opened");
  expect(hintOf({ ...headers, "x-goog-channel-token": "another" }, options)).toBe("refused");
  expect(hintOf({ "x-goog-resource-state": "update" }, options)).toBe("refused");
});
