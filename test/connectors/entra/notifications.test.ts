import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { openClient, type GraphClient } from "../../../connectors/entra/client.ts";
import { receiveNotifications, type NotificationHint } from "../../../connectors/entra/notifications.ts";
import { endSubscriptions, keepSubscriptions } from "../../../connectors/entra/subscriptions.ts";
import { ALL_PERMISSIONS, startGraph, type Graph } from "../../counterparts/graph/server.ts";
import { openOptions } from "./opened.ts";

const SECRET = "a-secret-that-comes-back";
let clock = Date.parse("2026-01-01T00:00:00Z");
let graph: Graph;
let client: GraphClient;
let door: Server;
let url = "";
const hints: NotificationHint[] = [];

/** The part that a door does: hands the call over, answers what it is told. */
beforeEach(async () => {
  hints.length = 0;
  graph = await startGraph({ now: () => new Date(clock), granted: [...ALL_PERMISSIONS, "Group.Read.All"] });
  client = openClient({ ...openOptions(graph), now: () => new Date(clock) });
  door = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const text = Buffer.concat(chunks).toString();
      const query = Object.fromEntries(new URL(request.url ?? "", "http://door").searchParams);
      const answer = receiveNotifications(
        { method: request.method ?? "", query, body: text === "" ? undefined : (JSON.parse(text) as unknown) },
        { clientState: SECRET },
      );
      if (answer.hint) hints.push(answer.hint);
      response.writeHead(answer.status, { "content-type": "text/plain" }).end(answer.text);
    });
  });
  await new Promise<void>((resolve) => door.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(door.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await client.close();
  await graph.close();
  door.closeAllConnections();
  await new Promise((resolve) => door.close(resolve));
});

const options = (more: object = {}) => ({
  notificationUrl: `${url}/changes`,
  lifecycleUrl: `${url}/lifecycle`,
  clientState: SECRET,
  kinds: ["user", "group"] as const,
  now: new Date(clock),
  ...more,
});

describe("subscriptions", () => {
  test("are made, validated by the echo of a token, and kept as they are", async () => {
    const made = await keepSubscriptions(client, options());
    expect(made.map(({ kind }) => kind)).toEqual(["user", "group"]);
    expect(await keepSubscriptions(client, options())).toEqual(made);
    expect(graph.subscriptions.held.size).toBe(2);
  });

  test("are renewed in time, made again when they ended, replaced with a new secret, and ended", async () => {
    const [first] = await keepSubscriptions(client, options());
    clock += 20 * 24 * 3_600_000;
    const [renewed] = await keepSubscriptions(client, options());
    expect(renewed?.id).toBe(first?.id);
    expect(renewed?.expiresAt.getTime()).toBeGreaterThan(first?.expiresAt.getTime() ?? 0);
    clock += 40 * 24 * 3_600_000;
    const [again] = await keepSubscriptions(client, options());
    expect(again?.id).not.toBe(first?.id);
    const [replaced] = await keepSubscriptions(client, options({ anew: true }));
    expect(replaced?.id).not.toBe(again?.id);
    await endSubscriptions(client, options());
    expect((await keepSubscriptions(client, options({ kinds: [] }))).length).toBe(0);
  });

  test("an answer that was lost leaves no second one for long", async () => {
    graph.faults.plan({ kind: "reset after the work", at: "POST /subscriptions" });
    await keepSubscriptions(client, options());
    expect(graph.subscriptions.held.size).toBe(3);
    await keepSubscriptions(client, options());
    expect(graph.subscriptions.held.size).toBe(2);
  });
});

describe("notifications", () => {
  test("a change is a reason to read its kind; twice is no harm", async () => {
    await keepSubscriptions(client, options());
    expect(await graph.subscriptions.notify("users", "1")).toEqual([202]);
    expect(await graph.subscriptions.notify("groups", "1")).toEqual([202]);
    expect(await graph.subscriptions.notify("groups", "1")).toEqual([202]);
    expect(hints).toEqual([
      { kinds: ["user"], keep: false },
      { kinds: ["group"], keep: false },
      { kinds: ["group"], keep: false },
    ]);
  });

  test("what becomes of the subscription: looked after, and what was missed is read", async () => {
    await keepSubscriptions(client, options({ kinds: ["user"] }));
    for (const event of ["missed", "reauthorizationRequired", "subscriptionRemoved"] as const)
      expect(await graph.subscriptions.notifyLifecycle(event)).toEqual([202]);
    expect(hints).toEqual([
      { kinds: ["user", "group"], keep: false },
      { kinds: [], keep: true },
      { kinds: ["user", "group"], keep: true },
    ]);
  });

  test("without our secret nothing starts; what is no notification is refused", () => {
    const receive = (body: unknown, clientState = SECRET) => receiveNotifications({ method: "POST", query: {}, body }, { clientState });
    for (const clientState of ["another", "", null, undefined])
      expect(receive({ value: [{ clientState, resource: "Users/1" }] })).toEqual({ status: 202 });
    expect(receive({ value: [{ clientState: "", resource: "Users/1" }] }, "")).toEqual({ status: 202 });
    for (const body of [undefined, null, [], {}, { value: "x" }, { value: [1] }]) expect(receive(body)).toEqual({ status: 400 });
    expect(receiveNotifications({ method: "GET", query: { validationToken: "x" } }, { clientState: SECRET })).toEqual({ status: 405 });
    expect(receiveNotifications({ method: "POST", query: { validationToken: "x".repeat(5000) } }, { clientState: SECRET })).toEqual({
      status: 400,
    });
  });
});
