import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { openOktaSource } from "../../../connectors/okta/read.ts";
import { drain } from "../../contract/source.ts";
import type { FaultName } from "../../counterparts/okta/faults.ts";
import type { FakeOkta } from "../../counterparts/okta/server.ts";
import { faultOf } from "../../helpers/ldap.ts";
import { addPeople, addServiceApp, oktaOptions, openOrgServer } from "./opened.ts";

let fake: FakeOkta;
let people: string[];
beforeEach(async () => {
  fake = await openOrgServer();
  people = addPeople(fake, 25);
  for (const name of ["a", "b", "c"]) {
    const { id } = fake.org.addGroup({ name });
    for (const person of people) fake.org.addMember(id, person);
  }
});
afterEach(() => fake.close());

const readUsers = async (settings: Record<string, unknown> = {}) => {
  const options = oktaOptions(fake, settings);
  const source = await openOktaSource(options);
  try {
    return { ...(await drain(source.readAll("user"))), waited: options.waited };
  } finally {
    await source.close();
  }
};
const readGroups = async (settings: Record<string, unknown> = {}) => {
  const source = await openOktaSource(oktaOptions(fake, settings));
  try {
    return await drain(source.readAll("group"));
  } finally {
    await source.close();
  }
};
/** Every page of 25 people, seven a page. */
const PAGES = [0, 1, 2, 3];

describe("what passes by itself is asked again", () => {
  const passing: FaultName[] = ["throttled", "throttled-bare", "broken", "unavailable", "reset", "lost-answer", "truncated"];
  test.each(passing.flatMap((name) => PAGES.map((skip) => ({ name, skip }))))(
    "$name at page $skip: the read is whole",
    async ({ name, skip }) => {
      fake.faults.order({ name, skip, path: /\/users\?/ });
      const { records, end } = await readUsers();
      expect(fake.faults.waiting()).toBe(0);
      expect(records.map(({ nativeId }) => nativeId)).toEqual(people);
      expect(end).toMatchObject({ finalCursor: true, count: 25 });
    },
  );

  test("invariant 1: what does not pass ends the read with an error, never with evidence", async () => {
    for (const name of passing) {
      fake.faults.clear();
      fake.faults.order({ name, skip: 2, times: 10, path: /\/users\?/ });
      expect(["transient", "throttled"]).toContain((await faultOf(readUsers())).kind);
    }
  });
});

describe("pages that are not what they should be", () => {
  test.each(PAGES)("an empty page with a next link is not the end (page %s)", async (skip) => {
    fake.faults.order({ name: "empty-page", skip, path: /\/users\?/ });
    expect((await readUsers()).records.map(({ nativeId }) => nativeId)).toEqual(people);
  });

  test.each(PAGES)("a repeated page loses nobody (page %s)", async (skip) => {
    fake.faults.order({ name: "repeated-page", skip, path: /\/users\?/ });
    const { records } = await readUsers();
    expect([...new Set(records.map(({ nativeId }) => nativeId))]).toEqual(people);
  });

  test("pages that lead in a circle end the read with an error", async () => {
    fake.faults.order({ name: "repeated-page", times: 1000, path: /\/users\?/ });
    expect(await faultOf(readUsers())).toMatchObject({ kind: "transient", message: expect.stringContaining("in a circle") });
  });

  test.each([0, 1, 2])("invariant 1: a full page whose next link was lost is not taken for the end (page %s)", async (skip) => {
    fake.faults.order({ name: "no-next", skip, path: /\/users\?/ });
    const { records, end } = await readUsers();
    expect(records).toHaveLength(25);
    expect(end.finalCursor).toBe(true);
  });

  test("invariant 1: an answer without any Link header proves nothing", async () => {
    fake.faults.order({ name: "no-links", skip: 3, times: 5, path: /\/users\?/ });
    expect((await readUsers()).end.finalCursor).toBe(false);
  });

  test("invariant 1: members of whom Okta does not say that they are all stop the read: a shorter list would take access away", async () => {
    fake.faults.order({ name: "no-links", times: 9, path: /\/groups\/[^/]+\/users\?/ });
    expect(await faultOf(readGroups())).toMatchObject({ kind: "transient" });
  });

  test("the credential goes to no other host: a next link elsewhere ends the read", async () => {
    fake.faults.order({ name: "foreign-next", skip: 1, path: /\/users\?/ });
    expect(await faultOf(readUsers())).toMatchObject({ kind: "misconfigured", message: expect.stringContaining("evil.example") });
  });

  test("something else than a list, and a position that Okta has forgotten, end the read", async () => {
    fake.faults.order({ name: "no-list", skip: 1, path: /\/users\?/ });
    expect(await faultOf(readUsers())).toMatchObject({ kind: "transient", message: expect.stringContaining("no list") });
    fake.faults.order({ name: "gone", skip: 2, times: 9, path: /\/users\?/ });
    expect(await faultOf(readUsers())).toMatchObject({ kind: "transient", message: expect.stringContaining("position") });
  });

  test("a group that is deleted while groups are read is left out; the others are read", async () => {
    const [first] = [...fake.org.groups.values()].filter(({ type }) => type === "OKTA_GROUP");
    const source = await openOktaSource(oktaOptions(fake, { pageSize: 200 }));
    const answer = fake.org.group.bind(fake.org);
    // Gone between the listing and the reading of its members.
    fake.org.group = (id) => {
      if (id === first?.id) fake.org.groups.delete(id);
      return answer(id);
    };
    const { records, end } = await drain(source.readAll("group"));
    expect(records.map(({ attributes }) => attributes["name"])).toEqual(["b", "c"]);
    expect(end).toMatchObject({ finalCursor: true, count: 2 });
    await source.close();
  });

  test("invariant 1: a group that is there is not gone because Okta does not find its members", async () => {
    const [first] = [...fake.org.groups.values()].filter(({ type }) => type === "OKTA_GROUP");
    const source = await openOktaSource(oktaOptions(fake));
    fake.faults.order({ name: "gone", times: 9, path: /\/groups\/[^/]+\/users\?/ });
    expect(await faultOf(source.readOne("group", first?.id ?? ""))).toMatchObject({
      kind: "transient",
      message: expect.stringContaining("404 for its members"),
    });
    await source.close();
  });
});

describe("rate limits", () => {
  test("a 429 is waited for until the window ends by Okta's own clock, and a second more", async () => {
    fake.faults.order({ name: "throttled", skip: 1, path: /\/users\?/ });
    const { waited, records } = await readUsers();
    expect(records).toHaveLength(25);
    const [delay = 0] = waited;
    // The window ends within a minute of the org's clock, whatever ours says.
    expect(delay).toBeGreaterThanOrEqual(1000);
    expect(delay).toBeLessThanOrEqual(62_000);
  });

  test("our share of a limit is all that we use of a window; the rest stays for others", async () => {
    fake.limits.perMinute["GET /api/v1/users"] = 10;
    const { records } = await readUsers({ pageSize: 1, rateLimitShare: 0.3 });
    expect(records).toHaveLength(25);
    expect(fake.limits.busiest.get("GET /api/v1/users")).toBe(3);
  });

  test("what others have used of a window is theirs: we wait before we ask for more than the rest", async () => {
    fake.limits.perMinute["GET /api/v1/users"] = 10;
    for (let other = 0; other < 8; other++) fake.limits.count("GET /api/v1/users");
    const { records } = await readUsers({ rateLimitShare: 0.5 });
    expect(records).toHaveLength(25);
    expect(fake.limits.busiest.get("GET /api/v1/users")).toBeLessThanOrEqual(9);
  });
});

describe("groups' members", () => {
  const MEMBERS = "GET /api/v1/groups/{id}/users";

  test("are asked for side by side, once the first answer has told what is left of the window", async () => {
    let asked = 0;
    let bothThere: () => void;
    const both = new Promise<void>((resolve) => (bothThere = resolve));
    fake.hold = async (line) => {
      if (!/\/groups\/.*\/users/.test(line) || ++asked === 1) return;
      if (asked === 3) bothThere();
      // One after the other, the third is never asked for.
      await both;
    };
    const { records, end } = await readGroups();
    expect(records.map(({ attributes }) => attributes["name"])).toEqual(["a", "b", "c"]);
    for (const { members } of records) expect(members).toEqual({ set: people.toSorted() });
    expect(end.count).toBe(3);
  });

  test.each([
    [10, 0.3, 4],
    [10, 1, 16],
    [4, 0.5, 4],
    [3, 0.2, 8],
  ])("of %i calls a minute, no more than a share of %d is used by %i at once", async (limit, rateLimitShare, parallel) => {
    for (let group = 0; group < 12; group++) fake.org.addGroup({ name: `more ${group}` });
    fake.limits.perMinute[MEMBERS] = limit;
    const { records } = await readGroups({ rateLimitShare, parallel });
    expect(records).toHaveLength(15);
    // Where the share is less than one call, one has to ask.
    expect(fake.limits.busiest.get(MEMBERS)).toBeLessThanOrEqual(Math.max(1, Math.ceil(limit * rateLimitShare)));
  });

  test("a window that is used up at once is waited for once, by all", async () => {
    fake.limits.perMinute[MEMBERS] = 5;
    const options = oktaOptions(fake, { parallel: 8 });
    for (let group = 0; group < 12; group++) fake.org.addGroup({ name: `more ${group}` });
    const source = await openOktaSource(options);
    expect((await drain(source.readAll("group"))).records).toHaveLength(15);
    expect(options.waited).toHaveLength(2);
    await source.close();
  });
});

describe("signing in", () => {
  test("one access token serves a whole read, and another is fetched before it ends", async () => {
    const app = addServiceApp(fake);
    const source = await openOktaSource(oktaOptions(fake, app));
    await drain(source.readAll("user"));
    expect(fake.signIn.given()).toBe(1);
    fake.clock.advance(3_590_000);
    await drain(source.readAll("user"));
    expect(fake.signIn.given()).toBe(2);
    await source.close();
  });

  test("a token that Okta revoked in the middle of a read is replaced", async () => {
    const source = await openOktaSource(oktaOptions(fake, addServiceApp(fake)));
    const read = source.readAll("user");
    await read.next();
    fake.signIn.revokeAll();
    expect((await drain(read)).end.finalCursor).toBe(true);
    await source.close();
  });

  test("no secret is in a fault", async () => {
    const wrong = await faultOf(readUsers({ apiToken: "00WrongTokenOfNobody" }));
    expect(wrong.kind).toBe("denied");
    expect(wrong.message).toContain("Security > API > Tokens");
    expect(wrong.message).not.toContain("00WrongTokenOfNobody");
  });
});
