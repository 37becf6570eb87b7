import { Fault, type Kind, type SourceRecord } from "../contract.ts";
import { getMany } from "./batch.ts";
import type { HttpAnswer } from "../kit/http.ts";
import { valueOf, type GraphClient, type GraphRequest } from "./client.ts";
import { isPersonOrGroup } from "./gather.ts";
import { isObject, textOf, type WireObject } from "./json.ts";
import { groupRecord, isId, isProblem, unitRecord, userRecord } from "./records.ts";
import type { Reading } from "./reading.ts";
import { placeOf, unitsOf } from "./unit-names.ts";

/** Largest page of a plain listing. */
export const LARGEST_PAGE = 999;

/** One object by its id. A user who is nowhere is looked for among the deleted, and asked for once more: replicas lag behind each other. */
export async function readOne(reading: Reading, kind: Kind, nativeId: string): Promise<SourceRecord | "gone"> {
  if (kind === "unit" && reading.settings.units !== "administrativeUnits") return readPlace(reading, nativeId);
  if (!isId(nativeId)) return "gone";
  const object =
    (await find(reading, kind, nativeId)) ?? ((await isDeleted(reading, nativeId)) ? undefined : await find(reading, kind, nativeId));
  if (object === undefined) return "gone";
  const record = await recordOf(reading, { kind, object });
  if (isProblem(record)) throw new Fault("rejected", record.message);
  return record;
}

async function recordOf(reading: Reading, { kind, object }: { kind: Kind; object: WireObject }) {
  const { settings } = reading;
  const id = String(object["id"]);
  if (kind === "unit") return unitRecord(object);
  if (kind === "group") return groupRecord(object, { settings, members: await listMembers(reading, id) });
  return userRecord(object, {
    settings,
    ...(settings.units === "administrativeUnits" ? { administrativeUnits: await administrativeUnitsOf(reading, id) } : {}),
  });
}

async function find(reading: Reading, kind: Kind, id: string): Promise<WireObject | undefined> {
  const { path, query, needs } = objectAt(reading, kind, id);
  const { status, body } = await reading.client.call({ method: "GET", path, query, needs, expect: [404] });
  if (status === 404) return undefined;
  if (!isObject(body) || body["id"] !== id)
    throw new Fault("transient", `Microsoft Graph answered for the ${kind} ${id} with something else. It will be asked again.`);
  return body;
}

/** Whether it lies among the deleted (it can be restored for 30 days). A directory that does not let us look there has said enough. */
async function isDeleted({ client }: Reading, id: string): Promise<boolean> {
  try {
    const { status } = await client.call({
      method: "GET",
      path: `/directory/deletedItems/${id}`,
      query: { $select: "id" },
      needs: "User.Read.All",
      expect: [404],
    });
    return status !== 404;
  } catch (error) {
    if (error instanceof Fault && error.kind === "denied") return false;
    throw error;
  }
}

/** Where an object is read, with all that its record needs. */
function objectAt({ settings, tracked }: Reading, kind: Kind, id: string) {
  const select = tracked(kind).select.filter((name) => name !== "members" && name !== "manager");
  const query: Record<string, string> = { $select: ["id", ...select].join(",") };
  if (kind === "user" && settings.manager) query["$expand"] = "manager($select=id)";
  const folder = { user: "/users", group: "/groups", unit: "/directory/administrativeUnits" }[kind];
  return { path: `${folder}/${id}`, query, needs: tracked(kind).needs };
}

/** Many objects by id, twenty a request; undefined for who is not there. */
export function findMany(reading: Reading, kind: Kind, ids: readonly string[]): Promise<(WireObject | undefined)[]> {
  const gets = ids.map((id) => {
    const { path, query, needs } = objectAt(reading, kind, id);
    return {
      url: `${path}?${Object.entries(query)
        .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
        .join("&")}`,
      needs,
    };
  });
  return getMany(reading.client, gets, reading);
}

/** A group's direct members that are people or groups. */
export async function listMembers(reading: Reading, groupId: string): Promise<string[]> {
  const members = await listRelated(reading, { path: `/groups/${groupId}/members`, needs: "GroupMember.Read.All", what: "members" });
  return members.filter(isPersonOrGroup).flatMap(({ id }) => (isId(id) ? [id] : []));
}

/** What a user is directly in. */
export function listMemberships(reading: Pick<Reading, "client">, userId: string): Promise<WireObject[]> {
  return listRelated(reading, { path: `/users/${userId}/memberOf`, needs: "GroupMember.Read.All", what: "memberships" });
}

export async function groupsOf(reading: Reading, userId: string): Promise<string[]> {
  const all = await listMemberships(reading, userId);
  return all.flatMap(({ id, "@odata.type": type }) => (type === "#microsoft.graph.group" && isId(id) ? [id] : []));
}

export async function administrativeUnitsOf(reading: Reading, userId: string): Promise<string[]> {
  const all = await listMemberships(reading, userId);
  return all.flatMap(({ id, "@odata.type": type }) => (type === "#microsoft.graph.administrativeUnit" && isId(id) ? [id] : []));
}

async function listRelated(
  { client }: Pick<Reading, "client">,
  { path, needs, what }: { path: string; needs: "GroupMember.Read.All"; what: string },
): Promise<WireObject[]> {
  const related = new Map<string, WireObject>();
  const first = await relatedOf(client, { path, needs, what });
  if (first === undefined) return [];
  for await (const page of pagesFrom(client, { first, needs, what: `the ${what} at ${path}` }))
    for (const object of page) related.set(String(object["id"]), object);
  return [...related.values()];
}

/** The first page; undefined where its owner is gone. One replica may have the owner, and another none of its relations: then it is asked again. */
async function relatedOf(
  client: GraphClient,
  { path, needs, what }: { path: string; needs: "GroupMember.Read.All"; what: string },
): Promise<HttpAnswer | undefined> {
  const { attempts, firstDelayMs } = client.settings.retry;
  const owner = path.slice(0, path.lastIndexOf("/"));
  for (let attempt = 1; ; attempt++) {
    const answer = await client.call({ method: "GET", path, query: { $select: "id", $top: LARGEST_PAGE }, needs, expect: [404] });
    if (answer.status !== 404) return answer;
    const look = { path: owner, needs: owner.startsWith("/users/") ? "User.Read.All" : needs } as const;
    const { status } = await client.call({ method: "GET", ...look, query: { $select: "id" }, expect: [404] });
    if (status === 404) return undefined;
    if (attempt >= attempts)
      throw new Fault(
        "transient",
        `Microsoft Graph has ${owner}, and answers 404 for its ${what}, which says of nobody that they are out.`,
      );
    await client.pause(firstDelayMs * 2 ** attempt);
  }
}

/** More than any group's members fill. */
const MOST_PAGES = 10_000;

/** The objects of a listing, page by page, wherever its links lead; it must come to an end. */
async function* pagesFrom(
  client: GraphClient,
  { first, what, ...options }: { first: HttpAnswer; what: string } & Pick<GraphRequest, "needs" | "headers">,
): AsyncGenerator<WireObject[], void> {
  const followed = new Set<string>();
  for (let answer = first; ;) {
    const { page, value } = valueOf(answer.body);
    yield value.filter(isObject);
    const next = textOf(page["@odata.nextLink"]);
    if (next === undefined) return;
    if (followed.has(next) || followed.size >= MOST_PAGES)
      throw new Fault("transient", `Microsoft Graph does not come to an end of ${what}. It will be read again.`);
    followed.add(next);
    answer = await client.follow(next, options);
  }
}

/** A department or company is there while somebody is in it. Filters compare without regard to case, names here do not. */
async function readPlace({ client, settings }: Reading, nativeId: string): Promise<SourceRecord | "gone"> {
  const place = placeOf(nativeId, settings.units);
  // The company of a department is a unit of its own, which its department's users hold, too.
  if (!place) return "gone";
  const filter = Object.entries(place)
    .map(([name, value]) => `${name} eq '${String(value).replaceAll("'", "''")}'`)
    .join(" and ");
  const select = ["id", ...Object.keys(place)].join(",");
  const options = { headers: { consistencylevel: "eventual" }, needs: "User.Read.All" } as const;
  const query = { $filter: filter, $select: select, $count: "true", $top: LARGEST_PAGE };
  const first = await client.call({ method: "GET", path: "/users", query, ...options });
  const counted = isObject(first.body) ? first.body["@odata.count"] : undefined;
  let listed = 0;
  for await (const users of pagesFrom(client, { first, what: `the users of ${nativeId}`, ...options })) {
    listed += users.length;
    for (const user of users) {
      const unit = unitsOf(user, settings.units).find((each) => each.nativeId === nativeId);
      if (unit) return unit;
    }
  }
  if (typeof counted === "number" && counted > listed)
    throw new Fault("transient", `Microsoft Graph lists ${listed} users of ${nativeId} but counts ${counted}. It will be read again.`);
  return "gone";
}
