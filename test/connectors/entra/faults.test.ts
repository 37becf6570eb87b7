import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { Fault, type Cursor, type Kind, type Source, type SourceRecord } from "../../../connectors/contract.ts";
import { openEntraSource } from "../../../connectors/entra/read.ts";
import type { FaultKind } from "../../counterparts/graph/faults.ts";
import { drain } from "../../contract/source.ts";
import { company, openOptions, type Company } from "./opened.ts";

let here: Company;
let source: Source;
beforeAll(async () => {
  here = await company({ pageSize: 10 });
  source = await openEntraSource(openOptions(here.graph));
});
afterAll(async () => {
  await source.close();
  await here.graph.close();
});
beforeEach(() => here.graph.faults.clear());

const PATHS = { user: "GET /users/delta", group: "GET /groups/delta" } as const;
const KINDS = ["user", "group"] as const satisfies readonly Kind[];
/** 35 people by 10; two groups of 34 and 1 members by 20, and three empty ones. */
const PAGES = { user: 4, group: 1 } as const;

async function contents(kind: Kind, from = source): Promise<string[]> {
  const { records, end } = await drain(from.readAll(kind));
  expect(end).toMatchObject({ finalCursor: true, count: new Set(records.map(({ nativeId }) => nativeId)).size });
  return [...new Map(records.map((record) => [record.nativeId, JSON.stringify(record)])).values()].sort();
}

async function changes(since: Cursor | undefined): Promise<SourceRecord[]> {
  if (!source.readChanges || !since) throw new Error("entra has increments");
  return (await drain(source.readChanges("user", since))).records;
}

const PASSING: readonly FaultKind[] = [
  "throttled",
  "throttled without Retry-After",
  "near the limit",
  "server error",
  "unavailable",
  "reset",
  "reset after the work",
  "truncated",
  "unauthorised",
  "empty page",
  "repeated page",
];

describe("what goes wrong in passing changes nothing, at whatever page it strikes", () => {
  for (const kind of KINDS)
    for (const fault of PASSING)
      test(`${kind}s: ${fault}`, async () => {
        const undisturbed = await contents(kind);
        for (let after = 0; after < PAGES[kind]; after++) {
          here.graph.faults.plan({ kind: fault, at: PATHS[kind], after });
          expect(await contents(kind)).toEqual(undisturbed);
          expect(here.graph.faults.pending()).toBe(0);
        }
      });

  test("an answer that does not come", async () => {
    const undisturbed = await contents("user");
    const impatient = await openEntraSource(openOptions(here.graph, { timeoutMs: 500 }));
    here.graph.faults.plan({ kind: "slow", at: PATHS.user, after: 2 });
    expect(await contents("user", impatient)).toEqual(undisturbed);
    await impatient.close();
  });

  test("several at once", async () => {
    const undisturbed = await contents("user");
    const patient = await openEntraSource(openOptions(here.graph, { retry: { attempts: PASSING.length + 1, firstDelayMs: 1 } }));
    for (const [after, kind] of PASSING.entries()) here.graph.faults.plan({ kind, at: PATHS.user, after: after % 4 });
    expect(await contents("user", patient)).toEqual(undisturbed);
    await patient.close();
  });
});

describe("invariant 1: a read that is cut short ends with an error, never with evidence", () => {
  const CUTS = [
    ["no link", "transient"],
    ["foreign link", "misconfigured"],
    ["expired", "transient"],
    ["syncStateNotFound", "transient"],
  ] as const;
  for (const kind of KINDS)
    for (const [fault, expected] of CUTS)
      test(`${kind}s: ${fault}`, async () => {
        for (let after = 0; after < PAGES[kind]; after++) {
          here.graph.faults.clear();
          here.graph.faults.plan({ kind: fault, at: PATHS[kind], after });
          await expect(drain(source.readAll(kind))).rejects.toMatchObject({ name: "Fault", kind: expected });
        }
      });

  test("what does not pass is thrown, with its kind", async () => {
    const lasting = [
      ["throttled", "throttled"],
      ["server error", "transient"],
      ["reset", "transient"],
      ["truncated", "transient"],
      ["denied", "denied"],
      ["unauthorised", "denied"],
    ] as const;
    for (const [fault, kind] of lasting) {
      here.graph.faults.clear();
      here.graph.faults.plan({ kind: fault, at: PATHS.user, after: 1, times: 1000 });
      await expect(drain(source.readAll("user"))).rejects.toMatchObject({ name: "Fault", kind });
    }
  });

  test("the credential is not sent after a link to elsewhere, and the sentence says whither it led", async () => {
    here.graph.faults.plan({ kind: "foreign link", at: PATHS.user });
    await expect(drain(source.readAll("user"))).rejects.toThrow(/attacker\.example.*credential is not sent/);
  });

  test("a listing that lost a link is no evidence: the directory's own count says more", async () => {
    const listed = async () => {
      const listing = source.listIds?.("user");
      if (!listing) throw new Error("entra lists ids");
      let step = await listing.next();
      while (!step.done) step = await listing.next();
      return step.value;
    };
    expect(await listed()).toEqual({ finalCursor: true, count: 35 });
    for (let after = 0; after < 3; after++) {
      here.graph.faults.plan({ kind: "no link", at: "GET /users", after });
      expect(await listed()).toEqual({ finalCursor: false, count: (after + 1) * 10 });
    }
  });
});

describe("reads by id", () => {
  test("invariant 1: whom a full read lists twice, and one replica has not, is asked for again before they are gone", async () => {
    const undisturbed = await contents("user");
    here.graph.faults.plan({ kind: "repeated page", at: PATHS.user, after: 1 });
    here.graph.faults.plan({ kind: "not found", at: "GET /users/", after: PAGES.user + 1 });
    expect(await contents("user")).toEqual(undisturbed);
    expect(here.graph.faults.pending()).toBe(0);
  });

  test("invariant 1: a replica that has a group and not its members empties no group", async () => {
    const undisturbed = await source.readOne("group", here.large);
    const missing = { kind: "not found", at: `GET /groups/${here.large}/members` } as const;
    here.graph.faults.plan(missing);
    expect(await source.readOne("group", here.large)).toEqual(undisturbed);
    here.graph.faults.plan({ ...missing, times: 1000 });
    await expect(source.readOne("group", here.large)).rejects.toMatchObject({ kind: "transient", message: /404 for its members/ });
  });

  test("who may not look at the owner of what was answered with 404 is told the permission for that owner", async () => {
    const [id = ""] = here.people;
    here.graph.faults.plan({ kind: "not found", at: `GET /users/${id}/memberOf` });
    here.graph.faults.plan({ kind: "denied", at: `GET /users/${id}`, after: 1 });
    await expect(source.groupsOf?.(id)).rejects.toMatchObject({ kind: "denied", message: expect.stringContaining("User.Read.All") });
    here.graph.faults.plan({ kind: "not found", at: `GET /groups/${here.large}/members` });
    here.graph.faults.plan({ kind: "denied", at: `GET /groups/${here.large}`, after: 2 });
    const refused = { kind: "denied", message: expect.stringContaining("GroupMember.Read.All") };
    await expect(source.readOne("group", here.large)).rejects.toMatchObject(refused);
  });

  test("pages that lead in a circle end them with an error: of a group's members, and of a department's people", async () => {
    here.graph.faults.plan({ kind: "circle", at: `GET /groups/${here.large}/members`, times: 10 });
    await expect(source.readOne("group", here.large)).rejects.toMatchObject({ kind: "transient", message: /does not come to an end/ });
    const placed = await openEntraSource(openOptions(here.graph, { units: "department" }));
    here.graph.faults.clear();
    here.graph.faults.plan({ kind: "circle", at: "GET /users", times: 10 });
    const nobodys = { kind: "unit", nativeId: "department=Closed" } as const;
    await expect(placed.readOne(nobodys.kind, nobodys.nativeId)).rejects.toMatchObject({ kind: "transient" });
    await placed.close();
  });
});

describe("increments", () => {
  test("a lost state is `expired`, at whatever page", async () => {
    const { end } = await drain(source.readAll("user"));
    for (const id of here.people) here.graph.tenant.change(id, { jobTitle: "Anew" });
    for (const kind of ["expired", "syncStateNotFound"] as const)
      for (let after = 0; after < PAGES.user; after++) {
        here.graph.faults.clear();
        here.graph.faults.plan({ kind, at: PATHS.user, after });
        await expect(changes(end.cursor)).rejects.toMatchObject({
          kind: "expired",
        });
      }
    here.graph.faults.clear();
    here.graph.expireTokens();
    await expect(changes(end.cursor)).rejects.toBeInstanceOf(Fault);
  });

  test("what goes wrong in passing changes nothing, nor do reads that are throttled within a batch", async () => {
    const { end } = await drain(source.readAll("user"));
    for (const id of here.people) here.graph.tenant.change(id, { jobTitle: "Again" });
    const undisturbed = await changes(end.cursor);
    expect(undisturbed).toHaveLength(35);
    for (const fault of PASSING) {
      here.graph.faults.plan({ kind: fault, at: PATHS.user, after: 1 });
      expect(await changes(end.cursor)).toEqual(undisturbed);
    }
    for (const fault of ["throttled", "reset", "truncated", "throttled in the batch"] as const) {
      here.graph.faults.plan({ kind: fault, at: "POST /$batch", after: 1 });
      expect(await changes(end.cursor)).toEqual(undisturbed);
    }
    expect(here.graph.faults.pending()).toBe(0);
  });
});
