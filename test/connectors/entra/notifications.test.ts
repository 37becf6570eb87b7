import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { HookHint, HookSubscription } from "../../../connectors/contract.ts";
import { openClient, type GraphClient } from "../../../connectors/entra/client.ts";
import { receiveNotifications } from "../../../connectors/entra/notifications.ts";
import { bringSubscriptions } from "../../../connectors/entra/subscriptions.ts";
import { ALL_PERMISSIONS, startGraph, type Graph } from "../../counterparts/graph/server.ts";
import { openOptions } from "./opened.ts";

const SECRET = "a-secret-that-comes-back";
const DAY_MS = 24 * 3_600_000;
let clock = Date.parse("2026-01-01T00:00:00Z");
let graph: Graph;
let client: GraphClient;
let door: Server;
let url = "";
const hints: HookHint[] = [];
/** What was stored last, as it comes back from a database. */
let held: readonly HookSubscription[] = [];

/** The part that a door does: hands the call over, answers what it is told. */
beforeEach(async () => {
  hints.length = 0;
  held = [];
  graph = await startGraph({ now: () => new Date(clock), granted: [...ALL_PERMISSIONS, "Group.Read.All"] });
  client = openClient({ ...openOptions(graph), now: () => new Date(clock) });
  door = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const text = Buffer.concat(chunks).toString();
      const query = Object.fromEntries(new URL(request.url ?? "", "http://door").searchParams);
      const body = text === "" ? undefined : (JSON.parse(text) as unknown);
      const answer = receiveNotifications({ method: "POST", query, headers: {}, body }, { secret: SECRET });
      if (answer === "refused") return void response.writeHead(403).end();
      if (answer.hint) hints.push(answer.hint);
      response.writeHead(answer.status, { "content-type": "text/plain" }).end(answer.text);
    });
  });
  await new Promise<void>((resolve) => door.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(door.address() as AddressInfo).port}/hooks/entra`;
});
afterEach(async () => {
  await client.close();
  await graph.close();
  door.closeAllConnections();
  await new Promise((resolve) => door.close(resolve));
});

const store = async (change: readonly HookSubscription[]): Promise<void> => void (held = structuredClone(change));
const bring = (more: { wanted?: boolean; address?: string; renew?: boolean; store?: typeof store } = {}) =>
  bringSubscriptions(client, {
    address: url,
    secret: SECRET,
    wanted: true,
    renew: false,
    now: () => new Date(clock),
    store,
    ...more,
    held,
  });
const there = () => [...graph.subscriptions.held.keys()].sort();
const heldIds = () => held.map(({ id }) => id).sort();
const lastsUntil = (about: string) => held.find((each) => each.about === about)?.expiresAt?.getTime() ?? 0;

describe("subscriptions", () => {
  test("are made, validated by the echo of a token, and kept as they are", async () => {
    await bring();
    expect(held.map(({ about, address }) => [about, address])).toEqual([
      ["users", url],
      ["groups", url],
    ]);
    const made = held;
    await bring();
    expect(held).toEqual(made);
    expect(there()).toEqual(heldIds());
  });

  test("are renewed in time or when asked for, made again when they ended, and ended", async () => {
    await bring();
    const [made, until] = [heldIds(), lastsUntil("users")];
    clock += DAY_MS;
    await bring({ renew: true });
    expect(heldIds()).toEqual(made);
    expect(lastsUntil("users")).toBe(until + DAY_MS);
    clock += 20 * DAY_MS;
    await bring();
    expect(heldIds()).toEqual(made);
    expect(lastsUntil("groups")).toBe(until + 21 * DAY_MS);
    clock += 40 * DAY_MS;
    await bring();
    expect(heldIds()).not.toEqual(made);
    await bring({ wanted: false });
    expect([there().length, held]).toEqual([expect.any(Number), []]);
    expect([...graph.subscriptions.held.values()].filter((each) => Date.parse(String(each["expirationDateTime"])) > clock)).toEqual([]);
  });

  test("one that nobody remembers was made with another secret: it is replaced", async () => {
    await bring();
    const made = heldIds();
    held = [];
    await bring();
    expect(there()).toEqual(heldIds());
    expect(heldIds().some((id) => made.includes(id))).toBe(false);
  });

  test("another address means other subscriptions, and none is left behind", async () => {
    await bring();
    await bring({ address: `${url}-elsewhere` });
    expect(there()).toEqual(heldIds());
    expect([...graph.subscriptions.held.values()].map((each) => each["notificationUrl"])).toEqual([`${url}-elsewhere`, `${url}-elsewhere`]);
  });

  test("an answer that was lost leaves no second one for long", async () => {
    graph.faults.plan({ kind: "reset after the work", at: "POST /subscriptions" });
    await bring();
    expect(there().length).toBe(3);
    await bring();
    expect(there()).toEqual(heldIds());
  });

  test("a node that dies between any two steps leaves nothing that the next call does not clean up", async () => {
    for (let step = 1; step <= 4; step++) {
      for (const wanted of [true, false]) {
        await bring({ wanted: !wanted });
        let left = step;
        const dying = async (change: readonly HookSubscription[]) => {
          if (--left === 0) throw new Error("the node died");
          await store(change);
        };
        await expect(bring({ wanted, store: dying })).rejects.toThrow("the node died");
        await bring({ wanted });
        expect(there()).toEqual(heldIds());
        expect(held.length).toBe(wanted ? 2 : 0);
      }
    }
  });

  test("without the permission for groups people are subscribed to all the same", async () => {
    graph.application.granted.delete("Group.Read.All");
    graph.signIn.revokeTokens();
    await expect(bring()).rejects.toMatchObject({ kind: "denied" });
    expect(held.map(({ about }) => about)).toEqual(["users"]);
    expect(there()).toEqual(heldIds());
  });
});

describe("notifications", () => {
  test("a change is a reason to read its kind; twice is no harm", async () => {
    await bring();
    expect(await graph.subscriptions.notify("users", "1")).toEqual([202]);
    expect(await graph.subscriptions.notify("groups", "1")).toEqual([202]);
    expect(await graph.subscriptions.notify("groups", "1")).toEqual([202]);
    expect(hints).toEqual([{ kinds: ["user"] }, { kinds: ["group"] }, { kinds: ["group"] }]);
  });

  test("what becomes of the subscription: looked after, and what was missed is read", async () => {
    await bring();
    for (const event of ["missed", "reauthorizationRequired", "subscriptionRemoved"] as const)
      expect(await graph.subscriptions.notifyLifecycle(event)).toEqual([202, 202]);
    expect(hints.filter((_, index) => index % 2 === 0)).toEqual([
      { kinds: ["user", "group"] },
      { kinds: [], keep: "renew" },
      { kinds: ["user", "group"], keep: "look" },
    ]);
  });

  test("without our secret nothing starts, and what is no notification is told nothing else", () => {
    const receive = (body: unknown, secret: string | undefined = SECRET) =>
      receiveNotifications({ method: "POST", query: {}, headers: {}, body }, { secret });
    const from = (clientState: string | null | undefined) => ({ clientState, resource: "Users/1" });
    for (const clientState of ["another", "", null, undefined]) expect(receive({ value: [from(clientState)] })).toBe("refused");
    expect(receive({ value: [from("")] }, "")).toBe("refused");
    for (const body of [undefined, null, [], {}, { value: [] }, { value: "x" }, { value: [1] }]) expect(receive(body)).toBe("refused");
    expect(receive({ value: [from("another"), from(SECRET)] })).toEqual({ status: 202, hint: { kinds: ["user"] } });
    const validating = (validationToken: string, method: "GET" | "POST" = "POST") =>
      receiveNotifications({ method, query: { validationToken }, headers: {} }, { secret: undefined });
    expect(validating("x")).toEqual({ status: 200, text: "x" });
    expect([validating("x", "GET"), validating(""), validating("x".repeat(5000))]).toEqual(["refused", "refused", "refused"]);
  });
});
