import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type AddressInfo } from "node:net";
import path from "node:path";
import { text as wholeText } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Source } from "../../../connectors/contract.ts";
import { createApp } from "../../../src/app.ts";
import { runSync } from "../../../src/sync/run.ts";
import { silentLog, testContext } from "../../helpers/database.ts";
import { world as memoryWorld } from "../../helpers/memory-source.ts";
import { person, syncWorld, testConnection } from "../../helpers/sync.ts";
import { until } from "../../jobs/waiting.ts";
import { keyRing } from "../scim/door.ts";
import { people, startMachinery, type Machinery } from "./machinery.ts";

let world: Machinery;
beforeAll(async () => {
  world = await startMachinery();
  world.write([...people(30), { number: "2000", login: "p0" }]);
  await world.door.request("POST", "/connections", { body: world.hr("hr") }).expect(201);
});
afterAll(() => world?.close());

interface Sent {
  id?: number;
  event: string;
  data: Record<string, unknown>;
}

/** Follows a run; ends when the server ends it, or when the caller breaks off. */
async function* follow(
  id: number,
  { after, token = world.door.token, url = world.door.url }: { after?: number; token?: string; url?: string } = {},
): AsyncGenerator<Sent> {
  const ending = new AbortController();
  const response = await fetch(`${url}/api/v1/runs/${id}/events`, {
    headers: { Authorization: `Bearer ${token}`, ...(after === undefined ? {} : { "Last-Event-ID": String(after) }) },
    signal: ending.signal,
  });
  expect(response.headers.get("content-type")).toContain("text/event-stream");
  let text = "";
  try {
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString();
      const whole = text.split("\n\n");
      text = whole.pop() ?? "";
      for (const each of whole) {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(each)?.[1];
        const number = field("id");
        yield {
          event: field("event") ?? "",
          data: JSON.parse(field("data") ?? "{}"),
          ...(number === undefined ? {} : { id: Number(number) }),
        };
      }
    }
  } finally {
    ending.abort();
  }
}

async function all(events: AsyncIterable<Sent>): Promise<Sent[]> {
  const sent = [];
  for await (const event of events) sent.push(event);
  return sent;
}

const states = (events: readonly Sent[]) => events.filter(({ event }) => event === "state").map(({ data }) => data["state"]);

describe("M2: runs by API", () => {
  test("a run that is asked for is followed from the queue to its end, and shows counts, evidence, problems and times", async () => {
    const { door } = world;
    const asked = await door.request("POST", "/connections/hr/sync", { body: { mode: "full" } }).expect(202);
    expect(asked.body).toMatchObject({ connection: "hr", state: "queued", trigger: "api", requestedBy: "token:test" });
    const events = await all(follow(asked.body.id));
    expect(states(events)).toEqual(["queued", "pulling", "planned", "applying", "done"]);
    expect(events.some(({ event, data }) => event === "progress" && data["stage"] === "read people" && data["done"] === 31)).toBe(true);
    expect(events.at(-1)).toMatchObject({ event: "end", data: { id: asked.body.id, state: "done" } });
    const run = (await door.request("GET", `/runs/${asked.body.id}`).expect(200)).body;
    expect(run).toMatchObject({
      mode: "full",
      read: { user: { read: 31, problems: 1 } },
      evidence: { user: { finalCursor: true, count: 31 } },
      plan: { user: { create: 30 } },
      problems: 1,
      planState: "applied",
      times: { changedAt: expect.any(String), seenAt: expect.any(String), decidedAt: expect.any(String), appliedAt: expect.any(String) },
    });
    const problems = await door.request("GET", `/runs/${run.id}/problems`).expect(200);
    expect(problems.body).toMatchObject({
      items: [{ nativeId: "2000", kind: "user", message: expect.stringContaining("p0") }],
      next: null,
    });
    const list = await door.request("GET", "/runs?connection=hr&state=done&limit=1").expect(200);
    expect(list.body.items).toMatchObject([{ id: run.id }]);
  });

  test("who comes back with Last-Event-ID gets what came since, and nothing twice", async () => {
    const { id } = await world.sync("hr");
    const whole = await all(follow(id));
    const cut = whole[2]?.id ?? 0;
    const rest = await all(follow(id, { after: cut }));
    expect(rest).toEqual(whole.filter((event) => event.id === undefined || event.id > cut));
    expect(await all(follow(id, { after: 999_999_999 }))).toHaveLength(1);
  });

  test("one waits at most; cancelled before a worker comes, it never begins", async () => {
    const { door } = world;
    await world.stopWorker();
    const asked = await door.request("POST", "/connections/hr/sync", { body: {}, headers: { "Idempotency-Key": "once" } }).expect(202);
    const again = await door.request("POST", "/connections/hr/sync", { body: {}, headers: { "Idempotency-Key": "once" } }).expect(202);
    expect(again.body.id).toBe(asked.body.id);
    const refused = await door.request("POST", "/connections/hr/sync", { body: {} }).expect(409);
    expect(refused.body.detail).toContain(`Run ${asked.body.id}`);
    await door.request("POST", `/runs/${asked.body.id}/cancel`, { body: {} }).expect(422);
    const cancelled = await door.request("POST", `/runs/${asked.body.id}/cancel`, { body: { reason: "not now" } }).expect(200);
    expect(cancelled.body).toMatchObject({ state: "cancelled", cancelledBy: "token:test", planId: null });
    await door.request("POST", `/runs/${asked.body.id}/cancel`, { body: { reason: "twice" } }).expect(409);
    await world.startWorker();
    expect(await world.sync("hr")).toMatchObject({ state: "done" });
    expect((await door.request("GET", `/runs/${asked.body.id}`).expect(200)).body).toMatchObject({ state: "cancelled", read: {} });
    const { rows } = await door.db.pool.query("select reason from audit_events where name = 'run.cancelled'");
    expect(rows).toEqual([{ reason: "not now" }]);
  });

  test("a run that reads is cancelled from any node: it stops, nothing is applied, and nothing counts as a failure", async () => {
    const { door } = world;
    const before = (await door.db.pool.query("select count(*)::int as n from people")).rows;
    let closed = false;
    const endless: Source = {
      kinds: ["user"],
      async *readAll() {
        for (let count = 0; ; count++) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          yield { records: [person(`endless${count}`)] };
        }
      },
      readOne: async () => "gone",
      close: async () => void (closed = true),
    };
    await testConnection(door.db, testContext(), { name: "endless" });
    const running = runSync(testContext(), { db: door.db, keyRing, connection: "endless", mode: "full", trigger: "cli", source: endless });
    const stopped = expect(running).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringContaining("cancelled by token:test"),
    });
    const { id } = await until(
      async () => (await door.request("GET", "/runs?connection=endless&state=pulling").expect(200)).body.items[0] ?? { id: 0 },
      (run) => run.id > 0,
    );
    await door.request("POST", `/runs/${id}/cancel`, { body: { reason: "the wrong server" } }).expect(200);
    await stopped;
    expect(closed).toBe(true);
    expect((await door.request("GET", `/runs/${id}`).expect(200)).body).toMatchObject({
      state: "cancelled",
      planState: "superseded",
      error: null,
    });
    expect((await door.request("GET", "/connections/endless").expect(200)).body).toMatchObject({ state: "ready", failures: 0 });
    expect((await door.db.pool.query("select count(*)::int as n from people")).rows).toEqual(before);
  });

  test("a run of another node is seen, with how far it is; killed, it stands as it was until the next run takes it up", async () => {
    const { door } = world;
    await testConnection(door.db, testContext());
    const child = spawn(process.execPath, [path.join(import.meta.dirname, "../../helpers/sync-child.mjs"), door.db.url, "3000", "apply"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    const [run] = (await door.request("GET", "/runs?connection=corp").expect(200)).body.items;
    expect(run).toMatchObject({ state: "applying", node: expect.stringContaining(`:${child.pid}`) });
    const followed: Sent[] = [];
    const following = (async () => {
      for await (const event of follow(run.id)) followed.push(event);
    })();
    await until(
      () => states(followed),
      (seen) => seen.includes("applying"),
    );
    expect(states(followed)).toEqual(["pulling", "planned", "applying"]);
    expect(followed).toContainEqual(
      expect.objectContaining({ event: "progress", data: expect.objectContaining({ stage: "read people" }) }),
    );
    child.kill("SIGKILL");
    await once(child, "exit");
    expect((await door.request("GET", `/runs/${run.id}`).expect(200)).body).toMatchObject({ state: "applying", finishedAt: null });
    await door.request("POST", `/runs/${run.id}/cancel`, { body: { reason: "it hangs" } }).expect(409);
    await until(
      () => syncWorld(door.db, testContext(), { world: memoryWorld([person("ada")]) }).catch(() => undefined),
      (summary) => summary !== undefined,
    );
    await following;
    expect(followed.at(-1)).toMatchObject({ event: "end", data: { id: run.id, state: "done", plan: { user: { create: 3000 } } } });
  });

  test("A6, invariant 7: who may not see runs any more is told nothing more of the one that they follow", async () => {
    const { door } = world;
    await world.stopWorker();
    const top = await door.newUnit({ type: "organization" });
    const { personId, token } = await door.newHolder({ role: "rollcall-operator", unitId: top });
    const asked = await door.request("POST", "/connections/hr/sync", { body: {} }).expect(202);
    const followed = follow(asked.body.id, { token });
    expect((await followed.next()).value).toMatchObject({ event: "state", data: { state: "queued" } });
    const grant = (await door.request("GET", `/grants?person=${personId}`).expect(200)).body.items[0].id;
    await door.request("POST", `/grants/${grant}/revoke`, { body: { reason: "over" } }).expect(204);
    await world.startWorker();
    await expect(followed.next()).rejects.toThrow();
    await world.untilRun(asked.body.id, ["done"]);
  });

  test("A6, G5: a stream in which nothing happens ends all the same with its token, its person's access, or their permission", async () => {
    const { door } = world;
    await world.stopWorker();
    const top = await door.newUnit({ type: "organization" });
    const asked = await door.request("POST", "/connections/hr/sync", { body: {} }).expect(202);
    const following = async () => {
      const { personId, token } = await door.newHolder({ role: "rollcall-operator", unitId: top });
      const followed = follow(asked.body.id, { token });
      expect((await followed.next()).value).toMatchObject({ event: "state", data: { state: "queued" } });
      return { personId, broken: expect(followed.next()).rejects.toThrow() };
    };
    const items = async (at: string) => (await door.request("GET", at).expect(200)).body.items as { id: string }[];
    const [first, second, third] = [await following(), await following(), await following()];
    const [token] = await items(`/tokens?person=${first.personId}`);
    await door.request("POST", `/tokens/${token?.id}/revoke`, { body: { reason: "leaked" } }).expect(200);
    await first.broken;
    await door.request("POST", `/people/${second.personId}/suspend`, { body: { reason: "lost the badge" } }).expect(200);
    await second.broken;
    const [grant] = await items(`/grants?person=${third.personId}`);
    await door.request("POST", `/grants/${grant?.id}/revoke`, { body: { reason: "over" } }).expect(204);
    await third.broken;
    await world.startWorker();
    await world.untilRun(asked.body.id, ["done"]);
  });

  test("one credential follows so many things at a time, and others as many; who goes makes room", async () => {
    const { door } = world;
    await world.stopWorker();
    const asked = await door.request("POST", "/connections/hr/sync", { body: {} }).expect(202);
    const [token, other] = [await door.newToken(), await door.newToken()];
    const begin = async (of: string) => {
      const followed = follow(asked.body.id, { token: of });
      expect((await followed.next()).value).toMatchObject({ event: "state" });
      return followed;
    };
    const open = await Promise.all(Array.from({ length: 20 }, () => begin(token)));
    const refused = await door.request("GET", `/runs/${asked.body.id}/events`, { token }).expect(429);
    expect([refused.body.code, refused.body.field, refused.headers["retry-after"]]).toEqual(["rate_limited", "token", "10"]);
    const elsewhere = await begin(other);
    await open[0]?.return(undefined);
    await until(
      () => begin(token).catch(() => undefined),
      (followed) => followed !== undefined && open.push(followed) > 0,
    );
    await Promise.all([...open, elsewhere].map((each) => each.return(undefined)));
    await world.startWorker();
    await world.untilRun(asked.body.id, ["done"]);
  });

  /** A server of its own beside the door's, which can be told to stop. */
  async function stoppable() {
    const stopping = new AbortController();
    const config = { http: { bodyLimit: 1024 * 1024, trustProxy: false } };
    const server = createApp({ db: world.door.db, keyRing, config, log: silentLog, stopping: stopping.signal }).listen(0, "127.0.0.1");
    await once(server, "listening");
    return { server, stopping, port: (server.address() as AddressInfo).port };
  }

  test("who follows a run keeps no server from stopping: the answer ends, and goes on elsewhere", async () => {
    const { door } = world;
    await world.stopWorker();
    const asked = await door.request("POST", "/connections/hr/sync", { body: {} }).expect(202);
    const { server, stopping, port } = await stoppable();
    const warnings: string[] = [];
    const note = ({ name }: Error) => warnings.push(name);
    process.on("warning", note);
    const url = `http://127.0.0.1:${port}`;
    const streams = Array.from({ length: 11 }, () => follow(asked.body.id, { url }));
    for (const followed of streams) expect((await followed.next()).value).toMatchObject({ event: "state", data: { state: "queued" } });
    stopping.abort();
    const closed = new Promise((resolve) => server.close(resolve));
    for (const followed of streams) expect(await followed.next()).toEqual({ done: true, value: undefined });
    await closed;
    process.off("warning", note);
    // Nobody is told of a leak where there are many.
    expect(warnings).not.toContain("MaxListenersExceededWarning");
    await world.startWorker();
    await world.untilRun(asked.body.id, ["done"]);
  });

  test("nor does who has stopped reading, be it a machine that sleeps", async () => {
    const { door } = world;
    await world.stopWorker();
    const asked = await door.request("POST", "/connections/hr/sync", { body: {} }).expect(202);
    const { server, stopping, port } = await stoppable();
    // Nothing but the answer's own end closes a connection.
    server.keepAliveTimeout = 0;
    const asleep = connect(port, "127.0.0.1").on("error", () => undefined);
    asleep.write(`GET /api/v1/runs/${asked.body.id}/events HTTP/1.1\r\nHost: rollcall\r\nAuthorization: Bearer ${door.token}\r\n\r\n`);
    await once(asleep, "readable");
    stopping.abort();
    await new Promise((resolve) => server.close(resolve));
    asleep.destroy();
    await world.startWorker();
    await world.untilRun(asked.body.id, ["done"]);
  });

  test("who asks for the headers alone gets nothing but them, and the connection is free for what comes next", async () => {
    const { door } = world;
    await world.stopWorker();
    const asked = await door.request("POST", "/connections/hr/sync", { body: {} }).expect(202);
    const { hostname, port } = new URL(door.url);
    const socket = connect(Number(port), hostname);
    const then = "GET /healthz HTTP/1.1\r\nHost: rollcall\r\nConnection: close\r\n\r\n";
    socket.write(
      `HEAD /api/v1/runs/${asked.body.id}/events HTTP/1.1\r\nHost: rollcall\r\nAuthorization: Bearer ${door.token}\r\n\r\n${then}`,
    );
    const answers = (await wholeText(socket)).split("HTTP/1.1 ").slice(1);
    expect(answers).toEqual([expect.stringMatching(/^200[^]*text\/event-stream/), expect.stringContaining('{"status":"ok"}')]);
    expect(answers[0]).toMatch(/\r\n\r\n$/);
    await world.startWorker();
    await world.untilRun(asked.body.id, ["done"]);
  });

  test("a caller who goes away stops the watch", async () => {
    const { door } = world;
    await world.stopWorker();
    const asked = await door.request("POST", "/connections/hr/sync", { body: {} }).expect(202);
    const asking = async () =>
      (
        await door.db.pool.query<{ n: number }>(
          "select count(*)::int as n from pg_stat_activity where application_name like '%:read' and query like '%run_events%' and datname = current_database() and query_start > clock_timestamp() - interval '2 seconds'",
        )
      ).rows[0]?.n ?? 0;
    for await (const event of follow(asked.body.id)) {
      expect(event).toMatchObject({ event: "state", data: { state: "queued" } });
      break;
    }
    // It would be asked twice a second.
    await until(asking, (count) => count === 0);
    await world.startWorker();
    await world.untilRun(asked.body.id, ["done"]);
  });

  test.each([
    ["GET", "/runs/0", undefined, 422],
    ["GET", "/runs/one", undefined, 422],
    ["GET", "/runs/999999", undefined, 404],
    ["GET", "/runs/999999/events", undefined, 404],
    ["GET", "/runs/999999/problems", undefined, 404],
    ["GET", "/runs?state=great", undefined, 422],
    ["GET", "/runs?limit=0", undefined, 422],
    ["GET", "/runs?cursor=WyJ4Il0", undefined, 422],
    ["GET", "/runs?connection=A", undefined, 422],
    ["POST", "/runs/999999/cancel", { reason: "x" }, 404],
    ["POST", "/runs/1/cancel", { reason: "" }, 422],
    ["POST", "/runs/1/cancel", { reason: "it has ended" }, 409],
  ])("wrong input: %s %s %j is answered with %d", async (method, at, body, status) => {
    await world.door.request(method, at, { body }).expect(status);
  });
});
