import { Fault, type Completeness, type Kind, type OpenOptions, type Page, type RecordProblem, type Source } from "../contract.ts";
import { inOrder } from "../kit/in-order.ts";
import { customerOf, openGoogle, type GoogleClient } from "./client.ts";
import type { GoogleSettings } from "./config.ts";
import { firstTimes } from "./first-times.ts";
import { textOf } from "./json.ts";
import { listPages, type ListingOptions } from "./listing.ts";
import { withMembers, type MembersRead } from "./members.ts";
import { findOne } from "./one.ts";
import { GROUP_FIELDS, groupRecord, isProblem, projectionOf, unitRecord } from "./records.ts";
import { readUsers } from "./users.ts";

/** Groups whose members stand in memory together. */
const GROUPS_A_PAGE = 50;

/**
 * Google Workspace has no increments: there is no `readChanges`, every run reads the listings, and what has not changed goes no
 * further than the comparison of hashes. An etag is compared only within a read, where a page may come again.
 */
export async function openGoogleSource(options: OpenOptions<GoogleSettings>): Promise<Source> {
  const client = openGoogle(options);
  const { kinds } = client.settings;
  let users: Promise<readonly string[]> | undefined;
  let peopleRead = 0;
  const everybody = () => (users ??= listEverybody(client, peopleRead));
  async function* readPeople(of: GoogleClient): AsyncGenerator<Page, Completeness> {
    const end = yield* readUsers(of, listingOf(of.settings, "user"));
    peopleRead = end.count;
    return end;
  }
  const readers = {
    user: readPeople,
    group: (of: GoogleClient) => readGroups(of, everybody),
    unit: readUnits,
  };
  return {
    kinds,
    readAll: (kind) => (kinds.includes(kind) ? readers[kind](client) : refuse(kind)),
    count: async (kind) => (await listIds(client, kind)).length,
    readOne: (kind, nativeId) => findOne(client, { kind, nativeId, everybody }),
    close: () => client.close(),
  };
}

// eslint-disable-next-line require-yield -- it refuses before there is anything to give
async function* refuse(kind: Kind): AsyncGenerator<Page, Completeness> {
  throw new Fault("misconfigured", `This connection does not read ${kind}s: add ${kind} to the setting kinds.`);
}

async function* readGroups(client: GoogleClient, everybody: () => Promise<readonly string[]>): AsyncGenerator<Page, Completeness> {
  const { parallel } = client.settings;
  const times = firstTimes("id");
  const pages = listPages(client, { ...listingOf(client.settings, "group"), fields: GROUP_FIELDS });
  const work = async (group: Readonly<Record<string, unknown>>): Promise<MembersRead | { problem: RecordProblem } | undefined> => {
    const record = groupRecord(group);
    if (isProblem(record)) return { problem: record };
    return withMembers(client, { group: record, atLeast: countOf(group["directMembersCount"]), everybody });
  };
  let deleted = 0;
  let step = await pages.next();
  for (; !step.done; step = await pages.next()) {
    const groups = step.value.filter(times.fresh);
    for (let at = 0; at < groups.length; at += GROUPS_A_PAGE) {
      const page: Required<Page> = { records: [], problems: [] };
      for await (const read of inOrder(groups.slice(at, at + GROUPS_A_PAGE), { atOnce: parallel, work })) {
        if (read === undefined) deleted += 1;
        else {
          if ("record" in read) page.records.push(read.record);
          if (read.problem) page.problems.push(read.problem);
        }
      }
      if (page.records.length + page.problems.length > 0) yield page;
    }
  }
  return { finalCursor: step.value, count: times.ids.size - deleted };
}

/** Org units come all at once. The one at the top is always there: without it the answer was not whole. */
async function* readUnits(client: GoogleClient): AsyncGenerator<Page, Completeness> {
  const page: Required<Page> = { records: [], problems: [] };
  const times = firstTimes("orgUnitId");
  let finished = false;
  const pages = listPages(client, listingOf(client.settings, "unit"));
  let step = await pages.next();
  for (; !step.done; step = await pages.next()) {
    for (const unit of step.value.filter(times.fresh)) {
      const record = unitRecord(unit);
      if (isProblem(record)) page.problems.push(record);
      else page.records.push(record);
    }
  }
  finished = step.value && page.records.some(({ reference }) => reference === "/");
  yield page;
  return { finalCursor: finished, count: page.records.length };
}

/** Who is in a group to which the whole organisation belongs. Of fewer than the read of people found, a page may be missing: then it is asked again. */
async function listEverybody(client: GoogleClient, peopleRead: number): Promise<readonly string[]> {
  const ids = await listIds(client, "user");
  return ids.length >= peopleRead ? ids : [...new Set([...ids, ...(await listIds(client, "user"))])];
}

/** Ids alone, by a listing of its own: a recount, and who everybody is. Throws `transient` where it does not come to its end. */
async function listIds(client: GoogleClient, kind: Kind): Promise<string[]> {
  const name = kind === "unit" ? "orgUnitId" : "id";
  const ids = new Set<string>();
  const pages = listPages(client, { ...listingOf(client.settings, kind), fields: name });
  let step = await pages.next();
  for (; !step.done; step = await pages.next()) {
    for (const resource of step.value) {
      const id = textOf(resource[name]);
      if (id !== undefined) ids.add(id);
    }
  }
  if (step.value) return [...ids];
  throw new Fault("transient", `Google's page tokens lead in a circle in the listing of ${kind} ids. It will be read again.`);
}

function listingOf(settings: GoogleSettings, kind: Kind): ListingOptions {
  switch (kind) {
    case "user":
      return {
        purpose: "readUsers",
        path: "/users",
        query: {
          ...customerOf(settings),
          query: settings.userQuery,
          ...projectionOf(settings),
          maxResults: settings.pageSize,
          orderBy: "email",
        },
        kind: "admin#directory#users",
        items: "users",
      };
    case "group":
      return {
        purpose: "readGroups",
        path: "/groups",
        query: { ...customerOf(settings), query: settings.groupQuery, maxResults: settings.groupPageSize, orderBy: "email" },
        kind: "admin#directory#groups",
        items: "groups",
      };
    case "unit":
      return {
        purpose: "readUnits",
        path: `/customer/${settings.customer}/orgunits`,
        query: { type: "allIncludingParent" },
        kind: "admin#directory#orgUnits",
        items: "organizationUnits",
      };
  }
}

/** Google writes the number as a text. */
function countOf(value: unknown): number {
  const count = Number(value);
  return Number.isSafeInteger(count) && count > 0 ? count : 0;
}
