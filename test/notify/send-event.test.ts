import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createHandlers } from "../../src/jobs/handlers.ts";
import { openNotifier } from "../../src/notify/notifier.ts";
import { openTargets } from "../../src/provision/targets.ts";
import { signInSettings } from "../../src/sign-in-settings.ts";
import { silentLog, testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { testKeyRing } from "../provision/world.ts";

let db: TestDatabase;
let server: Server;
let answer: { status: number; headers?: Record<string, string> };
const seen: string[] = [];

beforeEach(async () => {
  db = await testDatabase();
  seen.length = 0;
  server = createServer((request, response) => {
    seen.push(String(request.headers["rollcall-id"]));
    request.resume().once("end", () => response.writeHead(answer.status, answer.headers).end("no"));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => void server.close(resolve));
  await db.drop();
});

async function send(now: Date): Promise<void> {
  const ctx = testContext({ now: () => now });
  const keyRing = testKeyRing();
  const { network } = ctx;
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const { notify: settings } = signInSettings.parse({ notify: { webhook: { url, secret: "s".repeat(32) } } });
  const notifier = openNotifier({ settings, baseUrl: "https://rollcall.example.com", network });
  const targets = openTargets({ keyRing, log: silentLog, signal: ctx.signal, now: ctx.now, network });
  const handlers = createHandlers({ db, keyRing, targets, notifier });
  await handlers.send_webhook?.(ctx, { id: "event-1", event: "incident.opened", at: "2026-11-24T01:00:00.000Z", body: {} });
}

const waiting = async () =>
  (await db.pool.query<{ id: string; run_at: Date }>("select payload ->> 'id' as id, run_at from graphile_worker._private_jobs")).rows;
const NOW = new Date("2026-11-24T01:00:01Z");

test.each([400, 410, 413, 422])("W2: an event that the operator's system refuses for good (%d) is not sent again", async (status) => {
  answer = { status };
  await send(NOW);
  expect(seen).toEqual(["event-1"]);
  expect(await waiting()).toEqual([]);
});

test("W2: an event waits as long as the operator's system asks, under the same id, and is given up when it is no news any more", async () => {
  answer = { status: 429, headers: { "retry-after": "7200" } };
  await send(NOW);
  expect(await waiting()).toEqual([{ id: "event-1", run_at: new Date(NOW.getTime() + 7_200_000) }]);
  await send(new Date(NOW.getTime() + 3 * 86_400_000 - 3_600_000));
  expect(await waiting()).toHaveLength(1);
});

test.each([500, 401, 302])("W2: what may pass, or the operator can put right (%d), is left to the queue to try again", async (status) => {
  answer = { status };
  await expect(send(NOW)).rejects.toThrow(`answered ${status}`);
});
