import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openDoor, type Door } from "./door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const PEOPLE = 23;

let door: Door;
let now = new Date("2026-03-01T12:00:00Z");
const ids: string[] = [];
beforeAll(async () => {
  door = await openDoor({ now: () => now });
  for (let index = 0; index < PEOPLE; index += 1) {
    const name = `person${String(index).padStart(2, "0")}`;
    const body = { schemas: [USER], userName: name, ...(index % 4 ? { title: `Title ${index % 3}` } : {}) };
    // A later instant sorts later, and ids begin with it.
    now = new Date(now.getTime() + 1000);
    ids.push((await door.request("POST", "/Users", { body })).body.id);
  }
});
afterAll(() => door.close());

type Query = Record<string, string>;
const list = async (query: Query, path = "/Users") => (await door.request("GET", `${path}?${new URLSearchParams(query)}`)).body;
interface Page {
  totalResults: number;
  startIndex?: number;
  nextCursor?: string;
  previousCursor?: string;
  Resources: { id: string }[];
}
const idsOf = (page: Page) => page.Resources.map(({ id }) => id);

/** Follows nextCursor to the end; every page and what it held. */
async function walk(query: Query, from = ""): Promise<{ pages: Page[]; ids: string[] }> {
  const pages: Page[] = [];
  for (let cursor: string | undefined = from; cursor !== undefined; cursor = pages.at(-1)?.nextCursor)
    pages.push(await list({ ...query, cursor }));
  return { pages, ids: pages.flatMap(idsOf) };
}

describe("M1: paging by index", () => {
  test.each<Query>([
    {},
    { filter: 'userName sw "person"' },
    { sortBy: "meta.lastModified" },
    { sortBy: "userName", sortOrder: "descending" },
  ])("M1: pages of any size cover everybody once, from either half: %p", async (query: Query) => {
    const all = idsOf(await list({ ...query, count: "1000" }));
    expect([...all].sort()).toEqual([...ids].sort());
    for (const count of [1, 4, 7, 23, 30]) {
      for (let startIndex = 1; startIndex <= PEOPLE + count; startIndex += count) {
        const page = await list({ ...query, startIndex: String(startIndex), count: String(count) });
        expect(idsOf(page)).toEqual(all.slice(startIndex - 1, startIndex - 1 + count));
        expect(page).toMatchObject({ totalResults: PEOPLE, startIndex, itemsPerPage: page.Resources.length });
      }
    }
  });

  test("M1: past the end there is nothing, and count=0 tells only the total", async () => {
    expect(await list({ startIndex: "24" })).toMatchObject({ totalResults: PEOPLE, startIndex: 24, itemsPerPage: 0, Resources: [] });
    expect(await list({ startIndex: "2000000" })).toMatchObject({ totalResults: PEOPLE, itemsPerPage: 0, Resources: [] });
    expect(await list({ count: "0" })).toMatchObject({ totalResults: PEOPLE, itemsPerPage: 0, Resources: [] });
    expect(await list({ count: "0", filter: "title pr" })).toMatchObject({ totalResults: 17, itemsPerPage: 0, Resources: [] });
  });
});

describe("M1: paging by cursor (RFC 9865)", () => {
  test.each<Query>([
    {},
    { filter: "title pr" },
    { sortBy: "userName" },
    { sortBy: "title" },
    { sortBy: "title", sortOrder: "descending" },
    { sortBy: "meta.lastModified", sortOrder: "descending" },
    { sortBy: "active" },
    { sortBy: "id", sortOrder: "descending" },
  ])("M1: from the first page to the last and back, in the order of the list: %p", async (query: Query) => {
    const all = idsOf(await list({ ...query, count: "1000" }));
    for (const count of ["1", "5", "23"]) {
      const { pages, ids: seen } = await walk({ ...query, count });
      expect(seen).toEqual(all);
      expect(pages[0]?.previousCursor).toBeUndefined();
      expect(pages.every((page) => page.totalResults === all.length && page.startIndex === undefined)).toBe(true);
      const back = pages.slice(-1);
      for (let cursor = back[0]?.previousCursor; cursor !== undefined; cursor = back[0]?.previousCursor)
        back.unshift(await list({ ...query, count, cursor }));
      expect(back.flatMap(idsOf)).toEqual(all);
    }
  });

  test("M1: somebody made or deleted between two pages moves nobody from page to page", async () => {
    const first = await list({ cursor: "", count: "10" });
    now = new Date(now.getTime() + 1000);
    const { body: made } = await door.request("POST", "/Users", { body: { schemas: [USER], userName: "late" } });
    await door.request("DELETE", `/Users/${first.Resources[3].id}`);
    const rest = await walk({ count: "10" }, first.nextCursor);
    expect([...idsOf(first), ...rest.ids]).toEqual([...ids, made.id]);
    expect(rest.pages[0]?.totalResults).toBe(PEOPLE);
    ids.splice(3, 1);
    ids.push(made.id);
  });

  test("M1: a cursor is good for its own list, its own client and its own time", async () => {
    const { nextCursor } = await list({ cursor: "", count: "5" });
    const refused = (scimType: string) => ({ status: "400", scimType });
    expect(await list({ cursor: nextCursor, filter: "title pr" })).toMatchObject(refused("invalidCursor"));
    expect(await list({ cursor: nextCursor, sortBy: "userName" })).toMatchObject(refused("invalidCursor"));
    expect(await list({ cursor: nextCursor }, "/Groups")).toMatchObject(refused("invalidCursor"));
    expect(await list({ cursor: `${nextCursor.slice(0, -4)}AAAA` })).toMatchObject(refused("invalidCursor"));
    expect(await list({ cursor: "x" })).toMatchObject(refused("invalidCursor"));
    const { rows } = await door.db.pool.query("insert into connections (name, connector) values ('another', 'scim-inbound') returning id");
    const { token } = await door.newToken({ connectionId: rows[0].id });
    const other = await door.request("GET", `/Users?${new URLSearchParams({ cursor: nextCursor })}`, { token });
    expect(other.body).toMatchObject(refused("invalidCursor"));
    const before = now;
    now = new Date(now.getTime() + 3_601_000);
    expect(await list({ cursor: nextCursor })).toMatchObject(refused("expiredCursor"));
    now = before;
    expect((await list({ cursor: nextCursor })).itemsPerPage).toBeGreaterThan(0);
  });

  test("M1: a count that is none is refused by its own name", async () => {
    for (const count of ["-1", "many", "1.5"])
      expect(await list({ cursor: "", count })).toMatchObject({ status: "400", scimType: "invalidCount" });
    expect((await list({ cursor: "", count: "1000000" })).itemsPerPage).toBe(PEOPLE);
  });

  test("M1: POST .search pages by cursor, too", async () => {
    const schemas = ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"];
    const { body: first } = await door.request("POST", "/Users/.search", { body: { schemas, cursor: "", count: 9 } });
    const { body: second } = await door.request("POST", "/Users/.search", { body: { schemas, cursor: first.nextCursor, count: 9 } });
    expect([...idsOf(first), ...idsOf(second)]).toEqual(ids.slice(0, 18));
  });
});

describe("M1: searching over all types", () => {
  const GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group";
  const schemas = ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"];
  const search = async (body: object) => (await door.request("POST", "/.search", { body: { schemas, ...body } })).body;
  const groups: string[] = [];
  beforeAll(async () => {
    for (const displayName of ["Alpha", "Beta", "person group"]) {
      now = new Date(now.getTime() + 1000);
      groups.push((await door.request("POST", "/Groups", { body: { schemas: [GROUP], displayName } })).body.id);
    }
  });

  test("M1: pages by index and by cursor hold everybody and every group once", async () => {
    const all = [...ids, ...groups];
    for (const count of [1, 7, 24, 100]) {
      const seen: string[] = [];
      for (let startIndex = 1; startIndex <= all.length; startIndex += count) {
        const page = await search({ startIndex, count });
        expect(page).toMatchObject({ totalResults: all.length, startIndex, itemsPerPage: page.Resources.length });
        seen.push(...idsOf(page));
      }
      expect(seen).toEqual(all);
      const walked: string[] = [];
      for (let cursor: string | undefined = ""; cursor !== undefined;) {
        const page: Page = await search({ cursor, count });
        expect(page.totalResults).toBe(all.length);
        walked.push(...idsOf(page));
        cursor = page.nextCursor;
      }
      expect(walked).toEqual(all);
    }
  });

  test("M1: who asks for none is not led past the first type", async () => {
    const none = await search({ cursor: "", count: 0 });
    expect(none).toMatchObject({ totalResults: ids.length + groups.length, itemsPerPage: 0, Resources: [] });
    expect(none.nextCursor).toBeUndefined();
  });

  test("M1: an attribute that only some types have matches in those; one that none has is refused", async () => {
    expect(idsOf(await search({ filter: 'displayName eq "beta"' }))).toEqual([groups[1]]);
    expect(idsOf(await search({ filter: 'userName eq "PERSON05"' }))).toEqual([ids[4]]);
    expect((await search({ filter: 'meta.resourceType eq "Group"' })).totalResults).toBe(3);
    expect(await search({ filter: 'shoeSize eq "44"' })).toMatchObject({ status: "400", scimType: "invalidFilter" });
    expect(await search({ cursor: "nonsense" })).toMatchObject({ status: "400", scimType: "invalidCursor" });
  });

  test("M1: the root takes the same as a query", async () => {
    expect(idsOf(await list({ filter: 'displayName co "person"', attributes: "displayName" }, "/"))).toEqual([groups[2]]);
  });
});
