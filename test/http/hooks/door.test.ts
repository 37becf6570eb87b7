import { once } from "node:events";
import { createConnection, type AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import express from "express";
import fc from "fast-check";
import { flagConnection } from "../../../src/connections/state.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { createHooksDoor } from "../../../src/http/hooks/door.ts";
import { settingsOf } from "../../connectors/entra/opened.ts";
import { deliverEvents, eventDelivery, verifyEventHook } from "../../counterparts/okta/event-hook.ts";
import { ALL_PERMISSIONS, startGraph, type Graph } from "../../counterparts/graph/server.ts";
import { silentLog } from "../../helpers/database.ts";
import { startDeployment, type Deployment } from "./deployment.ts";

const OKTA_SECRET = "a-secret-of-the-event-hook";
const oktaSettings = { url: "https://example.okta.com", apiToken: "00TestToken", eventHookSecret: OKTA_SECRET };

let here: Deployment;
let graph: Graph;
let secret: string;
const ids = new Map<string, number>();

beforeAll(async () => {
  here = await startDeployment({ nodes: 2 });
  graph = await startGraph({ granted: [...ALL_PERMISSIONS, "Group.Read.All"], route: here.route });
  ids.set("entra", await here.connect({ mapping: "entra", name: "entra", settings: settingsOf(graph) }));
  ids.set("okta", await here.connect({ mapping: "okta", name: "okta", settings: oktaSettings }));
  const off = { mapping: "okta", settings: oktaSettings } as const;
  await here.connect({ ...off, name: "disabled", enabled: false });
  await here.connect({ ...off, name: "unasked", notifications: { enabled: false } });
  await here.keep(ids.get("entra") ?? 0);
  secret = await here.secretOf("entra");
});
afterAll(async () => {
  await graph?.close();
  await here?.stop();
});
afterEach(() => here.db.pool.query("delete from graphile_worker._private_jobs"));

const addressOf = (connection: string, query = "") => here.route(`${here.publicUrl}/hooks/${connection}${query}`);
const change = (clientState: string) => JSON.stringify({ value: [{ clientState, resource: "Users/1", changeType: "updated" }] });

/** What comes back for these bytes, until the server hangs up. */
function spoken(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = createConnection(Number(port), hostname);
    let text = "";
    socket.on("data", (chunk) => void (text += chunk.toString()));
    socket.on("close", () => resolve(text));
    socket.on("error", reject);
    socket.write(bytes);
  });
}

/** All that a caller sees, but what is never the same. */
async function seen(connection: string, { query = "", ...init }: RequestInit & { query?: string } = {}) {
  const answer = await fetch(addressOf(connection, query), init);
  const headers = [...answer.headers].filter(([name]) => !["date", "x-request-id"].includes(name));
  return { status: answer.status, headers, body: await answer.text() };
}

describe("the door for change notifications", () => {
  test("unknown, disabled, unasked for, or without the right secret: a caller can't tell one from another", async () => {
    const calls: fc.Arbitrary<RequestInit & { query?: string }> = fc.record(
      {
        method: fc.constantFrom("POST", "GET"),
        headers: fc.dictionary(
          fc.constantFrom("authorization", "x-okta-verification-challenge", "x-goog-channel-token", "x-goog-resource-state"),
          fc.constantFrom("", "guessed", "Bearer guessed", `${OKTA_SECRET}x`),
        ),
        body: fc.constantFrom("", "{", change("guessed"), JSON.stringify(eventDelivery([{ uuid: "1", eventType: "user.lifecycle.x" }]))),
        query: fc.constantFrom("", "?validationToken=", "?validationToken=it%20%3Ci%3Es", "?a=b"),
      },
      { requiredKeys: ["method"] },
    );
    await fc.assert(
      fc.asyncProperty(calls, async ({ body, ...call }) => {
        const sent = call.method === "GET" || body === undefined ? call : { ...call, body };
        const toNobody = await seen("nobody", sent);
        for (const name of ["entra", "okta", "disabled", "unasked", "No%20name"]) expect(await seen(name, sent)).toEqual(toNobody);
      }),
      { numRuns: 15 },
    );
    expect((await seen("entra", { method: "POST", body: change("guessed") })).status).toBe(403);
    expect(await here.waiting("sync")).toEqual([]);
  });

  test("a name that no connection can have is one that there is not, whatever PostgreSQL would say of it", async () => {
    const { status, body } = await seen("nobody", { method: "POST" });
    for (const name of ["a%00b", "Entra", "%F0%9F%99%82", "a".repeat(5000)])
      expect(await seen(name, { method: "POST" })).toMatchObject({ status, body });
    expect(status).toBe(403);
  });

  test("each system is answered in its own way", async () => {
    expect(await verifyEventHook({ url: addressOf("okta"), secret: OKTA_SECRET })).toBe(true);
    expect(await seen("entra", { method: "POST", query: "?validationToken=Validation%3A%20%3Cb%3E" })).toMatchObject({
      status: 200,
      headers: expect.arrayContaining([
        ["content-type", "text/plain; charset=utf-8"],
        ["x-content-type-options", "nosniff"],
      ]),
      body: "Validation: <b>",
    });
    expect((await seen("entra", { method: "POST", body: change(secret) })).status).toBe(202);
    expect((await seen("okta", { method: "POST", headers: { authorization: OKTA_SECRET }, body: "{" })).status).toBe(400);
    expect((await seen("entra", { method: "PUT", body: change(secret) })).status).toBe(405);
  });

  test("one job for all hints until it begins, at the time that the first one set", async () => {
    await fetch(addressOf("entra"), { method: "POST", body: change(secret) });
    const [first] = await here.waiting("sync");
    expect(first?.key).toBe(`sync:${ids.get("entra")}:hook`);
    await Promise.all(Array.from({ length: 20 }, () => fetch(addressOf("entra"), { method: "POST", body: change(secret) })));
    expect(await here.waiting("sync")).toEqual([first]);
  });

  test("a thousand notifications make one job", async () => {
    for (let sent = 0; sent < 1000; sent += 100) {
      const answers = await Promise.all(Array.from({ length: 100 }, () => graph.subscriptions.notify("users", "1")));
      // A machine that is too slow asks for some of them again, or does not hear them out.
      expect(answers.flat()).toContain(202);
      expect([202, 408, 503]).toEqual(expect.arrayContaining(answers.flat()));
    }
    expect(await here.waiting("sync")).toHaveLength(1);
  });

  test("Okta's events start something once, whichever node they come to, in any order", async () => {
    const hook = () => ({ url: addressOf("okta"), secret: OKTA_SECRET });
    const event = (number: number) => ({ uuid: `event-${number}`, eventType: "user.lifecycle.suspend" });
    expect(await Promise.all([3, 1, 2].map((number) => deliverEvents(hook(), [event(number)])))).toEqual([204, 204, 204]);
    expect(await here.waiting("sync")).toHaveLength(1);
    await here.db.pool.query("delete from graphile_worker._private_jobs");
    expect(await Promise.all([2, 3, 1, 1].map((number) => deliverEvents(hook(), [event(number)])))).toEqual([204, 204, 204, 204]);
    expect(await here.waiting("sync")).toEqual([]);
    await deliverEvents(hook(), [event(1), event(4)]);
    expect(await here.waiting("sync")).toHaveLength(1);
  });

  test("what a subscription wants is looked at, and nothing is read for it", async () => {
    await graph.subscriptions.notifyLifecycle("reauthorizationRequired");
    expect([await here.waiting("sync"), (await here.waiting("keep_hooks")).length]).toEqual([[], 1]);
    await graph.subscriptions.notifyLifecycle("missed");
    expect(await here.waiting("sync")).toHaveLength(1);
  });

  test("a connection that waits for somebody is not run by a hint", async () => {
    const id = await here.connect({ mapping: "okta", name: "flagged", settings: oktaSettings });
    await inTransaction(here.db, here.ctx, (work) => flagConnection(work, { id, state: "flagged", reason: "denied" }));
    const url = addressOf("flagged");
    expect(await deliverEvents({ url, secret: OKTA_SECRET }, [{ uuid: "1", eventType: "user.lifecycle.suspend" }])).toBe(204);
    expect(await here.waiting("sync")).toEqual([]);
  });

  test("huge, deep, broken or compressed bodies start nothing", async () => {
    const padding = (length: number) => JSON.stringify({ value: [{ clientState: secret, resource: "x".repeat(length) }] });
    expect((await seen("entra", { method: "POST", body: padding(600_000) })).status).toBe(413);
    expect((await seen("nobody", { method: "POST", body: padding(600_000) })).status).toBe(413);
    const deep = `{"value":[{"clientState":${JSON.stringify(secret)},"resourceData":${"[".repeat(100_000)}${"]".repeat(100_000)}}]}`;
    expect((await seen("entra", { method: "POST", body: deep })).status).toBe(403);
    expect((await seen("entra", { method: "POST", body: change(secret).slice(0, -2) })).status).toBe(403);
    expect((await seen("entra", { method: "POST", body: change(secret), headers: { "content-encoding": "gzip" } })).status).toBe(415);
    expect(await here.waiting("sync")).toEqual([]);
  });

  test("who sends too slowly is asked to come again", async () => {
    const answer = await spoken(addressOf("entra"), "POST /hooks/entra HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{");
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(answer).toMatch(/retry-after: 5/i);
  });
});

test("an address that floods the door is let in so often and no more", async () => {
  let at = Date.now();
  const limit = { perSecond: 1, burst: 5 };
  const app = express().set("trust proxy", 1);
  app.use("/hooks", createHooksDoor({ ...here, log: silentLog, now: () => new Date(at), limit }));
  const server = app.listen(0, "127.0.0.1");
  try {
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks/`;
    const statuses = async (count: number, from?: (number: number) => string) => {
      const forwarded = (number: number) => new Headers(from ? { "X-Forwarded-For": from(number) } : {});
      const call = (number: number) => fetch(`${url}${number}`, { method: "PUT", headers: forwarded(number) });
      const answers = await Promise.all(Array.from({ length: count }, (_, number) => call(number)));
      return answers.map(({ status, headers }) => [status, headers.get("retry-after")]).sort();
    };
    const taken = [405, null];
    const tooMany = [429, "1"];
    expect(await statuses(7)).toEqual([taken, taken, taken, taken, taken, tooMany, tooMany]);
    at += 2000;
    expect(await statuses(3)).toEqual([taken, taken, tooMany]);
    // Some proxies name the port, another with each connection.
    expect(await statuses(6, (number) => `203.0.113.5:${40_000 + number}`)).toEqual([taken, taken, taken, taken, taken, tooMany]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
