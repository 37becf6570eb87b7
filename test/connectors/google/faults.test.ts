import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Source, SourceRecord } from "../../../connectors/contract.ts";
import { openGoogleSource } from "../../../connectors/google/read.ts";
import { drain } from "../../contract/source.ts";
import type { Called, FaultName } from "../../counterparts/google/faults.ts";
import { startGoogle, type GoogleFake } from "../../counterparts/google/server.ts";
import { fillCompany, googleOptions, type Company } from "./opened.ts";

const START = Date.parse("2026-03-01T08:00:00Z");

let fake: GoogleFake;
let company: Company;
let time = START;
const sources: Source[] = [];

beforeEach(async () => {
  time = START;
  fake = await startGoogle({ now: () => new Date(time), slowMs: 1000 });
  company = fillCompany(fake);
});
afterEach(async () => {
  await Promise.all(sources.splice(0).map((source) => source.close()));
  await fake.stop();
});

async function open(settings: Record<string, unknown> = {}): Promise<Source> {
  const source = await openGoogleSource(googleOptions(fake, { pageSize: 7, groupPageSize: 10, ...settings }));
  sources.push(source);
  return source;
}

const everybody = () => [...fake.organisation.users.keys()].sort();

/** The calls of the listing of people itself: not those of the deleted, nor one of addresses. */
const isPeople = ({ path, query }: Called) =>
  path.endsWith("/users") && query.get("showDeleted") === null && (query.get("fields") ?? "").includes("suspended");
const isMembers = (group: string) => (call: Called) => call.path.endsWith(`/groups/${group}/members`);

/** Strikes the given call of those that match, once. */
function nth(matches: (call: Called) => boolean, number: number): (call: Called) => boolean {
  let seen = 0;
  return (call) => matches(call) && ++seen === number;
}

/** Strikes the first, the third and so on: each page once, since it is asked for again. */
function everySecond(matches: (call: Called) => boolean): (call: Called) => boolean {
  let seen = 0;
  return (call) => matches(call) && seen++ % 2 === 0;
}

describe("managers", () => {
  const listings = () =>
    fake.calls.filter(({ path, query }) => path.endsWith("/users") && query.get("showDeleted") === null && query.get("pageToken") === null);
  const managersIn = (records: readonly SourceRecord[]) =>
    new Map(records.flatMap(({ nativeId, attributes: { manager } }) => (manager === undefined ? [] : [[nativeId, manager]])));

  test("who manages those who are listed before is found by the one listing of people, whatever its order", async () => {
    const { organisation } = fake;
    const boss = organisation.addUser({ email: "zoe@lab.test", aliases: ["the.boss@lab.test"] }).id;
    const manages = (value: string) => [{ type: "manager", value }];
    const first = organisation.addUser({ email: "aaron@lab.test", relations: manages("Zoe@lab.test") }).id;
    const second = organisation.addUser({ email: "abel@lab.test", relations: manages("the.boss@lab.test") }).id;
    const elsewhere = organisation.addUser({ email: "abi@lab.test", relations: manages("boss@elsewhere.test") }).id;
    const source = await open();
    const before = listings().length;
    const { records, end } = await drain(source.readAll("user"));
    expect(listings().length - before).toBe(1);
    expect(end).toEqual({ finalCursor: true, count: everybody().length });
    expect(records.map(({ nativeId }) => nativeId).sort()).toEqual(everybody());
    const managers = managersIn(records);
    expect([first, second, elsewhere].map((id) => managers.get(id))).toEqual([boss, boss, undefined]);
    for (const id of [first, second, elsewhere])
      expect(await source.readOne("user", id)).toEqual(records.find(({ nativeId }) => nativeId === id));
  });

  test.each([
    ["few managers outside of what is read are asked for, each once", 3, 0],
    ["many are found by one listing of addresses", 30, 1],
  ])("%s", async (_, bosses, more) => {
    const { organisation } = fake;
    const expected = new Map<string, string>();
    for (let number = 0; number < bosses; number++) {
      const boss = organisation.addUser({ email: `boss${number}@elsewhere.test` }).id;
      for (const name of ["aaron", "abel"]) {
        const relations = [{ type: "manager", value: `boss${number}@elsewhere.test` }];
        expected.set(organisation.addUser({ email: `${name}${number}@lab.test`, relations }).id, boss);
      }
    }
    const source = await open({ domain: "lab.test" });
    const before = listings().length;
    const managers = managersIn((await drain(source.readAll("user"))).records);
    expect(listings().length - before).toBe(1 + more);
    for (const [id, boss] of expected) expect(managers.get(id)).toBe(boss);
    expect(fake.calls.filter(({ path }) => path.endsWith("/users/boss0%40elsewhere.test"))).toHaveLength(1);
  });

  test("invariant 1: a listing that ends too early, and seems whole, leaves nobody without a manager who has one", async () => {
    const before = managersIn((await drain((await open()).readAll("user"))).records);
    fake.inject({ fault: "unlinked", when: nth(isPeople, 2) });
    const { records } = await drain((await open()).readAll("user"));
    expect(fake.struck).toEqual(["unlinked"]);
    expect(records.length).toBeLessThan(everybody().length);
    for (const { nativeId, attributes } of records) expect(attributes["manager"]).toBe(before.get(nativeId));
  });

  test("who waits for a manager and changes meanwhile is given as listed last", async () => {
    const { organisation } = fake;
    const id = organisation.addUser({ email: "aaron@lab.test", relations: [{ type: "manager", value: "zoe@lab.test" }] }).id;
    organisation.addUser({ email: "zoe@lab.test" });
    let pages = 0;
    fake.onAnswer = (call) => {
      if (isPeople(call) && ++pages === 1) organisation.changeUser(id, { relations: [], organizations: [{ title: "Alone" }] });
    };
    fake.inject({ fault: "repeated", when: nth(isPeople, 1) });
    const { records } = await drain((await open()).readAll("user"));
    expect(fake.struck).toEqual(["repeated"]);
    const given = records.filter(({ nativeId }) => nativeId === id);
    expect(given.map(({ attributes: { title, manager } }) => ({ title, manager }))).toEqual([{ title: "Alone", manager: undefined }]);
  });
});

describe("a read that meets trouble on its way", () => {
  test.each<FaultName>(["busy", "quota", "unavailable", "reset", "truncated", "repeated", "empty"])(
    "B9: %s at every page: everybody once, and the read is complete",
    async (fault) => {
      fake.inject({ fault, when: everySecond(isPeople), times: 99 });
      const { records, end } = await drain((await open()).readAll("user"));
      expect(records.map(({ nativeId }) => nativeId).sort()).toEqual(everybody());
      expect(end).toEqual({ finalCursor: true, count: everybody().length });
      expect(fake.struck.length).toBeGreaterThanOrEqual(4);
    },
  );

  test("Retry-After is waited for", async () => {
    fake.inject({ fault: "busyUntil", when: isPeople });
    expect((await drain((await open()).readAll("user"))).end.finalCursor).toBe(true);
  });

  test.each([1, 2, 3, 4])("invariant 1: cut short at page %i, it ends with an error and proves nothing", async (page) => {
    fake.inject({ fault: "reset", when: nth(isPeople, page) });
    await expect(drain((await open({ attempts: 1 })).readAll("user"))).rejects.toMatchObject({ name: "Fault", kind: "transient" });
  });

  test("a quota that stays used up is `throttled`; a refusal is `denied` and not repeated", async () => {
    fake.inject({ fault: "quota", when: isPeople, times: 99 });
    await expect(drain((await open({ attempts: 2 })).readAll("user"))).rejects.toMatchObject({ kind: "throttled" });
    fake.calls.length = 0;
    fake.inject({ fault: "forbidden", when: ({ path }) => path.endsWith("/orgunits") });
    await expect(drain((await open()).readAll("unit"))).rejects.toMatchObject({ kind: "denied" });
    expect(fake.calls).toHaveLength(1);
  });

  test("an answer that does not come in time is `transient`", async () => {
    fake.inject({ fault: "slow", when: isPeople });
    await expect(drain((await open({ attempts: 1, timeoutMs: 200 })).readAll("user"))).rejects.toMatchObject({ kind: "transient" });
  });

  test.each<FaultName>(["gone", "worn"])("a page token that is refused (%s) begins the listing anew, once", async (fault) => {
    fake.inject({ fault, when: nth(isPeople, 3) });
    const { records, end } = await drain((await open()).readAll("user"));
    expect(records.map(({ nativeId }) => nativeId).sort()).toEqual(everybody());
    expect(end).toEqual({ finalCursor: true, count: everybody().length });
    fake.inject({ fault, when: (call) => isPeople(call) && call.query.has("pageToken"), times: 99 });
    await expect(drain((await open()).readAll("user"))).rejects.toMatchObject({ name: "Fault" });
  });

  test("page tokens are good for three days: after that the listing begins anew", async () => {
    const read = (await open()).readAll("user");
    const first = await read.next();
    time += 4 * 86_400_000;
    const { records, end } = await drain(read);
    const seen = [...(first.done ? [] : first.value.records), ...records].map(({ nativeId }) => nativeId);
    expect(seen.sort()).toEqual(everybody());
    expect(end).toEqual({ finalCursor: true, count: everybody().length });
  });

  test("invariant 1: page tokens that lead in a circle prove nothing", async () => {
    fake.inject({ fault: "circle", when: (call) => isPeople(call) && call.query.has("pageToken"), times: 99 });
    expect((await drain((await open()).readAll("user"))).end.finalCursor).toBe(false);
  });

  test("invariant 1: a missing next link looks like the end; the recount finds more", async () => {
    fake.inject({ fault: "unlinked", when: nth(isPeople, 2) });
    const source = await open();
    const { end } = await drain(source.readAll("user"));
    expect(await source.count?.("user")).toBeGreaterThan(end.count);
  });

  test("units without the one at the top are not all", async () => {
    fake.organisation.units.delete("/");
    expect((await drain((await open()).readAll("unit"))).end.finalCursor).toBe(false);
  });

  test("a token that ends before its time is replaced", async () => {
    const source = await open();
    await drain(source.readAll("unit"));
    fake.delegation.endTokens();
    expect((await drain(source.readAll("unit"))).end.finalCursor).toBe(true);
    expect(fake.delegation.given).toBe(2);
    time += 3_560_000;
    await drain(source.readAll("unit"));
    expect(fake.delegation.given).toBe(3);
  });
});

describe("members", () => {
  const read = async (group: string) => {
    const { records, problems } = await drain((await open()).readAll("group"));
    return { members: records.find(({ nativeId }) => nativeId === group)?.members, problems };
  };

  test("come over many pages, people and groups, repeated ones once", async () => {
    const [all = "", few = "", none = ""] = company.groups;
    fake.inject({ fault: "repeated", when: nth(isMembers(all), 2) });
    expect((await read(all)).members).toEqual({ set: [...company.people].sort() });
    expect((await read(few)).members).toEqual({ set: expect.arrayContaining([all, company.people[0]]) });
    expect((await read(none)).members).toEqual({ set: [] });
  });

  test("invariant 1: a list that ends too early is read again; nobody is taken out of a group for it", async () => {
    const [all = ""] = company.groups;
    fake.inject({ fault: "unlinked", when: isMembers(all) });
    expect((await read(all)).members).toEqual({ set: [...company.people].sort() });
    fake.inject({ fault: "unlinked", when: isMembers(all), times: 2 });
    const { members, problems } = await read(all);
    expect(members).toEqual({ add: company.people.slice().sort().slice(0, 10), remove: [] });
    expect(problems).toMatchObject([{ kind: "group", nativeId: all, code: "members_incomplete" }]);
  });

  test("a group that is deleted while it is read is left out, the others are read", async () => {
    const [all = "", few = ""] = company.groups;
    const { organisation } = fake;
    fake.inject({
      fault: "unavailable",
      when: (call) => {
        if (!isMembers(few)(call)) return false;
        organisation.deleteGroup(few);
        return false;
      },
    });
    const { records, end } = await drain((await open({ parallel: 1 })).readAll("group"));
    expect(records.map(({ nativeId }) => nativeId)).not.toContain(few);
    expect(records.map(({ nativeId }) => nativeId)).toContain(all);
    expect(end).toMatchObject({ finalCursor: true, count: records.length });
  });

  test("invariant 1: a group that is there is not gone because Google does not find its members", async () => {
    const [all = ""] = company.groups;
    fake.inject({ fault: "gone", when: isMembers(all), times: 9 });
    await expect((await open()).readOne("group", all)).rejects.toMatchObject({
      kind: "transient",
      message: expect.stringContaining("404 for its members"),
    });
  });

  test("a group to which the whole organisation belongs has everybody", async () => {
    const { id } = fake.organisation.addGroup({ email: "everybody@lab.test" });
    fake.organisation.addMember(id, { id: fake.organisation.customerId, type: "CUSTOMER" });
    const { members } = await read(id);
    expect(members && "set" in members ? [...members.set].sort() : members).toEqual(everybody());
  });

  test("invariant 1: nobody is taken out of it because the listing of everybody led in a circle, or lost a page", async () => {
    const { id } = fake.organisation.addGroup({ email: "everybody@lab.test" });
    fake.organisation.addMember(id, { id: fake.organisation.customerId, type: "CUSTOMER" });
    const isIds = ({ path, query }: Called) => path.endsWith("/users") && query.get("fields") === "kind,nextPageToken,users(id)";
    const source = await open();
    await drain(source.readAll("user"));
    fake.inject({ fault: "unlinked", when: nth(isIds, 2) });
    const { records } = await drain(source.readAll("group"));
    const members = records.find(({ nativeId }) => nativeId === id)?.members;
    expect(members && "set" in members ? [...members.set].sort() : members).toEqual(everybody());
    fake.inject({ fault: "circle", when: (call) => isIds(call) && call.query.has("pageToken"), times: 99 });
    await expect((await open()).readOne("group", id)).rejects.toMatchObject({
      kind: "transient",
      message: expect.stringContaining("in a circle"),
    });
  });
});

describe("who was deleted", () => {
  test("is listed with the time at which it happened; who was restored is there again, under the same id", async () => {
    const [anna = "", bert = ""] = company.people;
    fake.organisation.deleteUser(anna);
    fake.organisation.deleteUser(bert);
    fake.organisation.undeleteUser(bert);
    const { records } = await drain((await open()).readAll("user"));
    expect(records.filter(({ deleted }) => deleted)).toEqual([
      { kind: "user", nativeId: anna, deleted: true, attributes: {}, changedAt: new Date(START) },
    ]);
    expect(records.find(({ nativeId }) => nativeId === bert)).toMatchObject({ attributes: { primaryEmail: "p1@lab.test" } });
  });
});
