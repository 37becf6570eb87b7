import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openDoor, type Door } from "./door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group";
const SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

interface Named {
  userName?: string;
  displayName?: string;
}

let door: Door;
beforeAll(async () => {
  door = await openDoor();
  for (const body of [
    { userName: "ann", title: "Chief", active: false, emails: [{ value: "z@example.com" }, { value: "b@example.com", primary: true }] },
    { userName: "bob", title: "Chief", active: true, emails: [{ value: "c@example.com" }] },
    { userName: "cid", active: true, emails: [{ value: "a@example.com" }, { value: "y@example.com", primary: false }] },
  ])
    await door.request("POST", "/Users", { body: { schemas: [USER], ...body } });
  for (const displayName of ["Staff", "Chiefs"]) await door.request("POST", "/Groups", { body: { schemas: [GROUP], displayName } });
});
afterAll(() => door.close());

const ask = (path: string, more: object) => door.request("POST", `${path}/.search`, { body: { schemas: [SEARCH], ...more } });
const names = (resources: readonly Named[]) => resources.map(({ userName, displayName }) => userName ?? displayName);
const found = async (path: string, filter: string) => names((await ask(path, { filter })).body.Resources as Named[]).sort();

describe("RFC 7644 section 3.4: queries", () => {
  test("3.4.2: a part of a list says where it begins, how many it has, and of how many", async () => {
    const { body } = await ask("/Users", { startIndex: 2, count: 1 });
    expect([body.totalResults, body.startIndex, body.itemsPerPage, body.Resources.length]).toEqual([3, 2, 1, 1]);
  });

  test.each([
    ["userName pr", ["ann", "bob", "cid"]],
    ["not (userName pr)", ["Chiefs", "Staff"]],
    ['userName eq "ann" or displayName eq "Staff"', ["Staff", "ann"]],
    ['userName eq "ann" and displayName eq "Staff"', []],
    ['userName ne "ann"', ["Chiefs", "Staff", "bob", "cid"]],
    ['emails[value eq "c@example.com"] or not (title pr or displayName pr)', ["bob", "cid"]],
    ['userName pr and not (title eq "Chief")', ["cid"]],
  ])("3.4.2.1: of several types, an attribute that one lacks has no value there: %s", async (filter, expected) => {
    expect(await found("", filter)).toEqual(expected);
    const { body } = await ask("", { filter, count: 0 });
    expect(body.totalResults).toBe(expected.length);
  });

  test("3.4.2.1: an order by what a type lacks hides none of it; what no type knows is refused", async () => {
    const { body } = await ask("", { sortBy: "userName", sortOrder: "descending" });
    expect(names(body.Resources as Named[]).slice(0, 3)).toEqual(["cid", "bob", "ann"]);
    expect(body.totalResults).toBe(5);
    expect((await ask("", { sortBy: "nonsense" })).body.scimType).toBe("invalidPath");
    expect((await ask("", { filter: "nonsense pr" })).body.scimType).toBe("invalidFilter");
  });

  test.each([
    ['userName eq "ann" or userName eq "bob" and active eq false', ["ann"]],
    ['(userName eq "ann" or userName eq "bob") and active eq true', ["bob"]],
    ['not (userName eq "ann") and active eq true', ["bob", "cid"]],
    ['not (userName eq "ann" and active eq true)', ["ann", "bob", "cid"]],
  ])("3.4.2.2: brackets bind first, then not, and, or: %s", async (filter, expected) => {
    expect(await found("/Users", filter)).toEqual(expected);
  });

  test.each(["/Users", ""])("3.4.2.2: what is no filter, or several, is not taken for none: %s", async (path) => {
    for (const filter of [{ userName: "ann" }, true, 7, ['userName eq "ann"', "title pr"]]) {
      const refused = await ask(path, { filter });
      expect([refused.status, refused.body.scimType]).toEqual([400, "invalidFilter"]);
    }
    const asked = (query: string) => door.request("GET", `${path}/?${query}`);
    const [ann, bob] = ['userName eq "ann"', 'userName eq "bob"'].map((filter) => `filter=${encodeURIComponent(filter)}`);
    expect((await asked(`${ann}&${bob}`)).body.detail).toBe("filter: comes more than once; join the conditions by `and`.");
    expect((await asked(`filter=&${bob}`).expect(200)).body.totalResults).toBe(1);
    expect((await asked(`${bob}&${bob}`).expect(200)).body.totalResults).toBe(1);
  });

  test("3.4.2.2: of several values one is enough", async () => {
    expect(await found("/Users", 'emails.value eq "y@example.com"')).toEqual(["cid"]);
    expect(await found("/Users", 'emails.value gt "c@example.com"')).toEqual(["ann", "cid"]);
  });

  test("3.4.2.3: of several values the primary counts, or else the first", async () => {
    const { body } = await ask("/Users", { sortBy: "emails" });
    expect(names(body.Resources as Named[])).toEqual(["cid", "ann", "bob"]);
  });
});

describe("RFC 7644 section 3.9: what an answer has", () => {
  test("3.9: names that contradict each other are refused before anything is written, not after", async () => {
    const both = "?attributes=userName&excludedAttributes=title";
    const { body: dan } = await door.request("POST", "/Users", { body: { schemas: [USER], userName: "dan" } });
    const patch = { schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], Operations: [{ op: "add", path: "title", value: "T" }] };
    for (const [method, path, body] of [
      ["POST", "/Users", { schemas: [USER], userName: "eve" }],
      ["PUT", `/Users/${dan.id}`, { schemas: [USER], userName: "dan", title: "T" }],
      ["PATCH", `/Users/${dan.id}`, patch],
      ["POST", "/Groups", { schemas: [GROUP], displayName: "Both" }],
    ] as const)
      expect((await door.request(method, `${path}${both}`, { body })).status).toBe(400);
    expect(await found("", 'userName eq "eve" or displayName eq "Both" or title eq "T"')).toEqual([]);
    await door.request("DELETE", `/Users/${dan.id}`);
  });

  test("3.9: an element of which nothing is left is left out", async () => {
    const [ann] = (await ask("/Users", { filter: 'userName eq "ann"' })).body.Resources;
    const asked = async (query: string) => (await door.request("GET", `/Users/${ann.id}?${query}`)).body;
    expect((await asked("attributes=emails.display")).emails).toBeUndefined();
    expect((await asked("attributes=emails.primary")).emails).toEqual([{ primary: true }]);
    expect((await asked("attributes=emails.primary,emails.value")).emails).toEqual([
      { value: "z@example.com" },
      { value: "b@example.com", primary: true },
    ]);
    expect((await asked("excludedAttributes=emails.value")).emails).toEqual([{ primary: true }]);
    expect((await asked("excludedAttributes=emails.value,emails.primary")).emails).toBeUndefined();
  });

  test("3.14: what the client holds already is told to HEAD as to GET", async () => {
    const [ann] = (await ask("/Users", { filter: 'userName eq "ann"' })).body.Resources;
    for (const method of ["GET", "HEAD"]) {
      const { status, headers } = await door.request(method, `/Users/${ann.id}`, { headers: { "If-None-Match": ann.meta.version } });
      expect([status, headers["etag"]]).toEqual([304, ann.meta.version]);
    }
  });
});
