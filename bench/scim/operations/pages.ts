import { expectEqual, record, type Operation, type Target } from "../operation.ts";
import { resourcesOf } from "./reads.ts";

const PAGE = 100;
const BOTH = [1, 16];

function sizeOf({ directory }: Target): number {
  return Math.min(PAGE, directory.people);
}

/** Whole resources, as many as the page has, and the true number of all. */
function checkPage(target: Target, body: unknown, count: number): void {
  const list = record(body);
  expectEqual("totalResults", list["totalResults"], target.directory.people);
  const resources = resourcesOf(list);
  expectEqual("Resources", resources.length, count);
  expectEqual("different ids", new Set(resources.map(({ id }) => id)).size, count);
  for (const { userName, emails } of resources) {
    expectEqual("userName", typeof userName, "string");
    expectEqual("emails", Array.isArray(emails), true);
  }
}

function byIndex(key: string, title: string, startIndex: (target: Target, number: number) => number): Operation {
  return {
    key,
    title,
    turns: [title],
    concurrency: BOTH,
    request: (target, number) => ({ method: "GET", path: `/Users?startIndex=${startIndex(target, number)}&count=${PAGE}` }),
    check: (target, _number, { body }) => checkPage(target, body, sizeOf(target)),
  };
}

/** RFC 9865. The walk to the last page goes through everybody once: that alone is worth checking. */
function byCursor(key: string, title: string, last: boolean): Operation {
  const cursors = new WeakMap<Target, { cursor: string; count: number }>();
  return {
    key,
    title,
    turns: [title],
    concurrency: BOTH,
    async prepare(target) {
      const walked = await walk(target, last);
      if (walked) cursors.set(target, walked);
      return walked !== undefined;
    },
    request: (target) => ({ method: "GET", path: pathOf(cursors.get(target)?.cursor ?? "") }),
    check: (target, _number, { body }) => checkPage(target, body, cursors.get(target)?.count ?? 0),
  };
}

function pathOf(cursor: string): string {
  return `/Users?cursor=${encodeURIComponent(cursor)}&count=${PAGE}`;
}

/** To the last full page; undefined where the server knows no cursors. */
async function walk(target: Target, toTheEnd: boolean): Promise<{ cursor: string; count: number } | undefined> {
  const seen = new Set<unknown>();
  let cursor = "";
  let lastFull = { cursor, count: sizeOf(target) };
  for (;;) {
    const list = record(await target.ask({ method: "GET", path: pathOf(cursor) }));
    const next = list["nextCursor"];
    if (cursor === "" && seen.size === 0 && typeof next !== "string" && target.directory.people > PAGE) return undefined;
    const resources = resourcesOf(list);
    for (const { id } of resources) seen.add(id);
    if (resources.length === sizeOf(target)) lastFull = { cursor, count: resources.length };
    if (!toTheEnd) return lastFull;
    if (typeof next !== "string" || next === "") break;
    cursor = next;
  }
  expectEqual("people seen from page to page by cursor", seen.size, target.directory.people);
  return lastFull;
}

export const PAGES: readonly Operation[] = [
  byIndex("first", "page of 100, first", () => 1),
  byIndex("last", "page of 100, last by index", (target) => target.directory.people - sizeOf(target) + 1),
  // No two at once ask for the same one.
  byIndex("anywhere", "page of 100, anywhere", (target, number) => 1 + ((number * 7919) % (target.directory.people - sizeOf(target) + 1))),
  byCursor("cursor-first", "page of 100, first by cursor", false),
  byCursor("cursor-last", "page of 100, last by cursor", true),
];
