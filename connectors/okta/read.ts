import { Fault, type Completeness, type Cursor, type Kind, type Page, type Source, type SourceRecord } from "../contract.ts";
import { inOrder } from "../kit/in-order.ts";
import { openClient, SCOPES, type OktaClient, type OktaOptions } from "./client.ts";
import type { OktaSettings } from "./config.ts";
import { cursorAfter, resumeFrom } from "./cursor.ts";
import { readMembers } from "./members.ts";
import { readPages, type JsonObject, type Listing, type ListingEnd } from "./pages.ts";
import { groupRecord, isProblem, userRecord } from "./records.ts";

/** A page of groups is handed on once its members are this many, so that memory stays flat. */
const MEMBERS_A_PAGE = 10_000;
/** A condition that everybody meets: without one, Okta leaves deactivated people out. */
const EVER = 'lastUpdated ge "1970-01-01T00:00:00.000Z"';

interface Reading {
  client: OktaClient;
  options: OktaOptions;
}

/** An Okta org as a source of people and groups. */
export async function openOktaSource(options: OktaOptions): Promise<Source> {
  const client = openClient(options, { scopes: SCOPES.read });
  const reading = { client, options };
  return {
    kinds: ["user", "group"],
    readAll: (kind) => readAll(reading, kind),
    readChanges: (kind, since) => readChanges(reading, kind, since),
    listIds: (kind) => listIds(reading, kind),
    // A deactivation is a change; a deletion leaves no word behind, neither of groups nor of who was deactivated a moment before.
    listedKinds: options.settings.listPeople ? ["user", "group"] : ["group"],
    readOne: async (kind, nativeId) => (known(kind) === "user" ? readUser(client, nativeId) : readGroup(reading, nativeId)),
    close: () => client.close(),
  };
}

type OktaKind = Exclude<Kind, "unit">;

function known(kind: Kind): OktaKind {
  if (kind === "unit") throw new Fault("misconfigured", "Okta has no organisation units: map an attribute of people to `units` instead.");
  return kind;
}

function usersListing({ userQuery, pageSize }: OktaSettings, condition: string, what: string): Listing {
  return { path: "/api/v1/users", query: { [userQuery]: condition, limit: pageSize }, what };
}

function groupsListing({ groups, pageSize }: OktaSettings, since: string | undefined, what: string): Listing {
  const types = groups.types.map((type) => `type eq "${type}"`).join(" or ");
  const changed = since === undefined ? "" : ` and (lastUpdated ge "${since}" or lastMembershipUpdated ge "${since}")`;
  return {
    path: "/api/v1/groups",
    query: { filter: `${groups.types.length > 1 ? `(${types})` : types}${changed}`, limit: pageSize },
    what,
  };
}

async function* readAll(reading: Reading, asked: Kind): AsyncGenerator<Page, Completeness> {
  const { client, options } = reading;
  const kind = known(asked);
  const what = `the listing of ${kind}s`;
  const listing = kind === "user" ? usersListing(options.settings, EVER, what) : groupsListing(options.settings, undefined, what);
  const { end, count, nameless } = yield* records(reading, kind, listing);
  return {
    // An id that can't be read could be anybody's: then nothing proves that somebody is gone.
    finalCursor: end.final && nameless === 0,
    count,
    cursor: cursorAfter({ kind, origin: client.origin, startedAt: end.startedAt, now: options.now() }),
  };
}

async function* readChanges(reading: Reading, asked: Kind, cursor: Cursor): AsyncGenerator<Page, Cursor> {
  const { client, options } = reading;
  const kind = known(asked);
  const { settings } = options;
  const since = resumeFrom(cursor, { kind, origin: client.origin, overlapSeconds: settings.overlapSeconds });
  const what = `the listing of changed ${kind}s`;
  const listing = kind === "user" ? usersListing(settings, `lastUpdated ge "${since}"`, what) : groupsListing(settings, since, what);
  const { end } = yield* records(reading, kind, listing);
  if (!end.final) throw new Fault("transient", `Okta ended ${what} without saying that it was complete. It will be read again.`);
  return cursorAfter({ kind, origin: client.origin, startedAt: end.startedAt, now: options.now() });
}

interface ReadEnd {
  end: ListingEnd;
  count: number;
  nameless: number;
}

async function* records({ client, options }: Reading, kind: OktaKind, listing: Listing): AsyncGenerator<Page, ReadEnd> {
  let count = 0;
  let nameless = 0;
  const pages = readPages(client, listing);
  try {
    for (let step = await pages.next(); ; step = await pages.next()) {
      if (step.done) return { end: step.value, count, nameless };
      for await (const page of kind === "user" ? [pageOf(step.value, userRecord)] : groupPages({ client, options }, step.value)) {
        count += page.records.length;
        nameless += page.problems?.filter(({ nativeId }) => nativeId === "").length ?? 0;
        yield page;
      }
    }
  } finally {
    await pages.return({ final: false });
  }
}

function pageOf(listed: readonly JsonObject[], read: typeof userRecord): Page {
  const page: Page = { records: [] };
  for (const json of listed) {
    const found = read(json);
    if (isProblem(found)) (page.problems ??= []).push(found);
    else page.records.push(found);
  }
  return page;
}

async function* groupPages({ client, options }: Reading, listed: readonly JsonObject[]): AsyncGenerator<Page> {
  const { records: groups, problems } = pageOf(listed, groupRecord);
  let page: Page = { records: [], ...(problems ? { problems } : {}) };
  let members = 0;
  const work = async (group: SourceRecord) => ({ group, set: await readMembers(client, group.nativeId) });
  for await (const { group, set } of inOrder(groups, { atOnce: options.settings.parallel, work })) {
    // Deleted since it was listed.
    if (set === "gone") continue;
    page.records.push({ ...group, members: { set } });
    members += set.length;
    if (members < MEMBERS_A_PAGE) continue;
    yield page;
    page = { records: [] };
    members = 0;
  }
  yield page;
}

async function* listIds({ client, options }: Reading, asked: Kind): AsyncGenerator<readonly string[], Completeness> {
  const kind = known(asked);
  const what = `the listing of ${kind} ids`;
  const listing = kind === "user" ? usersListing(options.settings, EVER, what) : groupsListing(options.settings, undefined, what);
  const lean = kind === "user" ? { ...listing, query: { ...listing.query, fields: "id" } } : listing;
  let count = 0;
  let nameless = 0;
  const pages = readPages(client, lean);
  try {
    for (let step = await pages.next(); ; step = await pages.next()) {
      if (step.done) return { finalCursor: step.value.final && nameless === 0, count };
      const ids = step.value.flatMap(({ id }) => (typeof id === "string" && id !== "" ? [id] : []));
      nameless += step.value.length - ids.length;
      count += ids.length;
      yield ids;
    }
  } finally {
    await pages.return({ final: false });
  }
}

async function readUser(client: OktaClient, nativeId: string): Promise<SourceRecord | "gone"> {
  return readRecord(client, { path: `/api/v1/users/${encodeURIComponent(nativeId)}`, what: `the reading of user ${nativeId}` }, userRecord);
}

async function readGroup({ client, options }: Reading, nativeId: string): Promise<SourceRecord | "gone"> {
  const path = `/api/v1/groups/${encodeURIComponent(nativeId)}`;
  const group = await readRecord(client, { path, what: `the reading of group ${nativeId}` }, groupRecord);
  if (group === "gone") return group;
  const types: readonly string[] = options.settings.groups.types;
  if (!types.includes(String(group.attributes["type"]))) return { ...group, outOfScope: true };
  const set = await readMembers(client, nativeId);
  if (set !== "gone") return { ...group, members: { set } };
  if ((await readRecord(client, { path, what: `the reading of group ${nativeId}` }, groupRecord)) === "gone") return "gone";
  throw new Fault("transient", `Okta has the group ${nativeId}, and answers 404 for its members: it is not taken to be gone.`);
}

async function readRecord(
  client: OktaClient,
  { path, what }: { path: string; what: string },
  read: (json: JsonObject) => ReturnType<typeof userRecord>,
): Promise<SourceRecord | "gone"> {
  try {
    const { body } = await client.call({ method: "GET", path, what });
    const found = read(typeof body === "object" && body !== null ? (body as JsonObject) : {});
    if (isProblem(found)) throw new Fault("rejected", found.message);
    return found;
  } catch (error) {
    if (error instanceof Fault && error.kind === "gone") return "gone";
    throw error;
  }
}
