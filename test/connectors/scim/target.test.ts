import { createServer, type IncomingMessage, type Server } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { settingsSchema } from "../../../connectors/scim/config.ts";
import { scim } from "../../../connectors/scim/index.ts";
import { openTarget } from "../../../connectors/scim/target.ts";
import type { Completeness, Kind, OpenOptions, Target } from "../../../connectors/contract.ts";
import type { ScimSettings } from "../../../connectors/scim/config.ts";
import { startDownstream, type Downstream } from "../../../demo/downstream.ts";
import { loopback, silentLog } from "../../helpers/database.ts";

const NOW = new Date("2026-01-01T00:00:00Z");
const options = (settings: Record<string, unknown>): OpenOptions<ScimSettings> => ({
  settings: settingsSchema.parse(settings),
  log: silentLog,
  signal: new AbortController().signal,
  now: () => NOW,
  network: loopback,
});

async function listed(target: Target, kind: Kind = "user"): Promise<{ ids: string[]; evidence: Completeness }> {
  const ids: string[] = [];
  const pages = target.list(kind);
  for (;;) {
    const next = await pages.next();
    if (next.done) return { ids, evidence: next.value };
    ids.push(...next.value.map(({ nativeId }) => nativeId));
  }
}

describe.each(["patch", "put"] as const)("the SCIM target against an application that somebody else wrote, by %s", (patch) => {
  let downstream: Downstream;
  let target: Target;
  beforeAll(async () => {
    downstream = await startDownstream();
    target = await openTarget(options({ url: downstream.url, token: downstream.token, pageSize: 3, patch }));
  });
  afterAll(async () => {
    await target.close();
    await downstream.stop();
  });

  const anna = {
    userName: "anna",
    displayName: "Anna",
    name: { givenName: "Anna", familyName: "Berg" },
    emails: [{ value: "anna@example.com", type: "work", primary: true }],
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { department: "Sales", employeeNumber: "7" },
  };

  test("M4: creates, finds, updates by difference, disables, enables and removes", async () => {
    const { nativeId, active } = await target.create("user", { ...anna, active: true });
    expect(active).toBe(true);
    for (const sought of [{ userName: "ANNA" }, { emails: anna.emails }])
      expect((await target.find("user", sought)).map((account) => account.nativeId)).toEqual([nativeId]);
    expect(await target.find("user", { userName: "nobody" })).toEqual([]);
    await expect(target.create("user", anna)).rejects.toMatchObject({
      kind: "exists",
      message: expect.stringContaining("userName anna is taken"),
    });

    downstream.tamper(nativeId, { nickName: "theirs" });
    const after = {
      userName: "anna",
      displayName: "Anna B.",
      title: "Lead",
      name: { givenName: "Anna", middleName: "M." },
      emails: [{ value: "ab@example.com", type: "work", primary: true }],
      "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { department: "IT" },
    };
    await target.update("user", nativeId, { before: anna, after });
    const stored = downstream.users()[0];
    expect(stored).toMatchObject({ ...after, nickName: "theirs" });
    expect(stored?.["name"]).toEqual({ givenName: "Anna", middleName: "M." });
    expect(stored?.["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]).toEqual({ department: "IT" });
    await target.update("user", nativeId, { before: after, after });

    for (const [call, wanted] of [
      ["disable", false],
      ["disable", false],
      ["enable", true],
      ["enable", true],
    ] as const) {
      await target[call](nativeId);
      expect(await target.get("user", nativeId)).toMatchObject({ active: wanted });
    }
    expect(downstream.users()[0]).toMatchObject({ displayName: "Anna B.", nickName: "theirs" });
    await target.remove("user", nativeId);
    await target.remove("user", nativeId);
    expect(await target.get("user", nativeId)).toBe("gone");
    await expect(target.disable(nativeId)).rejects.toMatchObject({ kind: "gone" });
  });

  test("an account whose past is unknown is brought to what is wanted; what we don't speak of stays", async () => {
    const { id } = downstream.seedUser({ userName: "bert", title: "theirs", name: { givenName: "B", honorificPrefix: "Dr" } });
    await target.update("user", id, { before: null, after: { userName: "bert", name: { givenName: "Bert" } } });
    expect(downstream.users().find((user) => user.id === id)).toMatchObject({
      title: "theirs",
      name: { givenName: "Bert", honorificPrefix: "Dr" },
    });
    downstream.forget(id);
  });

  test("members come and go in batches; what is so already stays so", async () => {
    const ids = Array.from({ length: 7 }, (_, index) => downstream.seedUser({ userName: `m${index}` }).id);
    const small = await openTarget(options({ url: downstream.url, token: downstream.token, memberBatch: 3, patch }));
    const { nativeId } = await small.create("group", { displayName: "Staff" });
    const members = () =>
      ((downstream.groups().find(({ id }) => id === nativeId)?.["members"] as { value: string }[] | undefined) ?? []).map(
        ({ value }) => value,
      );
    await small.members(nativeId, { add: ids, remove: [] });
    await small.members(nativeId, { add: ids, remove: ["nobody"] });
    expect(members().sort()).toEqual([...ids].sort());
    await small.members(nativeId, { add: [], remove: ids.slice(0, 5) });
    await small.members(nativeId, { add: [], remove: ids.slice(0, 5) });
    expect(members().sort()).toEqual(ids.slice(5).sort());
    await expect(small.members("no-such-group", { add: ids, remove: [] })).rejects.toMatchObject({ kind: "gone" });
    await small.close();
  });

  test("lists everybody, page by page, with evidence", async () => {
    const { ids, evidence } = await listed(target);
    expect(new Set(ids).size).toBe(downstream.users().length);
    expect(evidence).toEqual({ finalCursor: true, count: downstream.users().length });
  });
});

describe("the SCIM target and trouble", () => {
  let server: Server | undefined;
  const stops: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop();
    await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
    server = undefined;
  });

  type Answer = { status: number; body?: unknown; headers?: Record<string, string> };
  async function fake(answer: (request: IncomingMessage) => Answer | "hang", settings: Record<string, unknown> = {}): Promise<Target> {
    server = createServer((request, response) => {
      const said = answer(request);
      if (said === "hang") return;
      response.writeHead(said.status, { "content-type": "application/scim+json", ...said.headers });
      response.end(typeof said.body === "string" ? said.body : JSON.stringify(said.body ?? {}));
    });
    const listening = server;
    await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
    const address = listening.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const target = await openTarget(
      options({ url: `http://127.0.0.1:${port}/scim`, token: "top-secret-token", timeoutMs: 30_000, ...settings }),
    );
    stops.push(
      () => target.close(),
      () =>
        new Promise((resolve) => {
          listening.closeAllConnections();
          resolve();
        }),
    );
    return target;
  }

  test.each([
    [400, "rejected"],
    [401, "denied"],
    [403, "denied"],
    [404, "gone"],
    [409, "exists"],
    [413, "rejected"],
    [429, "throttled"],
    [500, "transient"],
    [502, "transient"],
    [503, "transient"],
  ])("answers %i with the fault %s and the application's own words", async (status, kind) => {
    const target = await fake(() => ({ status, body: { detail: "in its own words; you sent top-secret-token" } }));
    const failure = target.create("user", { userName: "anna" });
    await expect(failure).rejects.toMatchObject({ kind, message: expect.stringContaining(`answered ${status}: in its own words`) });
    await expect(failure).rejects.not.toMatchObject({ message: expect.stringContaining("top-secret-token") });
  });

  test.each([
    ["7", 7000],
    ["Wed, 21 Oct 2099 07:28:00 GMT", Date.parse("2099-10-21T07:28:00Z") - NOW.getTime()],
  ])("Retry-After %s is understood", async (header, wait) => {
    const target = await fake(() => ({ status: 503, headers: { "retry-after": header } }));
    const error = await target
      .create("user", { userName: "anna" })
      .catch((thrown: unknown) => thrown as { kind: string; retryAfterMs: number });
    expect(error).toMatchObject({ kind: "throttled", retryAfterMs: wait });
  });

  test("a redirect is refused, and the credential goes nowhere else", async () => {
    const target = await fake(() => ({ status: 302, headers: { location: "https://elsewhere.example/scim" } }));
    await expect(target.create("user", {})).rejects.toMatchObject({
      kind: "misconfigured",
      message: expect.stringContaining("https://elsewhere.example"),
    });
  });

  test("no answer in time, a refused connection and a page for people each have their sentence", async () => {
    await expect((await fake(() => "hang", { timeoutMs: 500 })).create("user", {})).rejects.toMatchObject({
      kind: "transient",
      message: expect.stringContaining("did not answer within 500 ms"),
    });
    const nobody = await openTarget(options({ url: "http://127.0.0.1:1/scim", token: "t" }));
    await expect(nobody.create("user", {})).rejects.toMatchObject({
      kind: "transient",
      message: expect.stringContaining("refuses the connection"),
    });
    await nobody.close();
  });

  test("an HTML page is no SCIM answer", async () => {
    await expect((await fake(() => ({ status: 200, body: "<html>" }))).create("user", {})).rejects.toMatchObject({ kind: "misconfigured" });
  });

  const resources = (ids: readonly number[]) => ids.map((id) => ({ id: String(id), userName: `u${id}` }));
  test.each([
    ["repeats its first page", () => ({ totalResults: 4, Resources: resources([1, 2]) })],
    ["ends before its total", (start: number) => ({ totalResults: 4, Resources: start === 1 ? resources([1, 2]) : [] })],
    [
      "changes its total",
      (start: number) => (start === 1 ? { totalResults: 4, Resources: resources([1, 2]) } : { totalResults: 3, Resources: resources([3]) }),
    ],
    ["names no total", () => ({ Resources: resources([1, 2]) })],
    ["is empty of all", () => ({})],
  ])("invariant 1: a listing that %s proves nothing, and ends", async (_name, page: (start: number) => unknown) => {
    const target = await fake(({ url = "" }) => ({
      status: 200,
      body: page(Number(new URL(url, "http://x").searchParams.get("startIndex"))),
    }));
    expect((await listed(target)).evidence.finalCursor).toBe(false);
  });

  test("where there are no filters the account is found in the listing", async () => {
    const target = await fake(({ url = "" }) =>
      url.includes("ServiceProviderConfig")
        ? { status: 200, body: { patch: { supported: true }, filter: { supported: false } } }
        : { status: 200, body: { totalResults: 2, Resources: resources([1, 2]) } },
    );
    expect((await target.find("user", { userName: "U2" })).map(({ nativeId }) => nativeId)).toEqual(["2"]);
  });

  test("check says what it saw, and in whose words it failed", async () => {
    const downstream = await startDownstream();
    stops.push(() => downstream.stop());
    expect((await scim.check?.(options({ url: downstream.url, token: downstream.token })))?.map(({ ok }) => ok)).toEqual([
      true,
      true,
      true,
    ]);
    const refused = await scim.check?.(options({ url: downstream.url, token: "wrong" }));
    expect(refused?.every(({ ok, message }) => !ok && message.includes("not known here"))).toBe(true);
  });

  test("settings are strict", () => {
    expect(settingsSchema.safeParse({ url: "ftp://x", token: "t" }).success).toBe(false);
    expect(settingsSchema.safeParse({ url: "https://x", token: "t", tokn: "t" }).success).toBe(false);
  });
});
