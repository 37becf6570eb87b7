import { Fault, type Completeness, type Kind, type SourceRecord } from "../contract.ts";
import { valueOf } from "./client.ts";
import { isObject, textOf, type WireObject } from "./json.ts";
import { LARGEST_PAGE } from "./lookup.ts";
import type { Reading } from "./reading.ts";
import { isId } from "./records.ts";
import { placeProperties, unitsOf } from "./unit-names.ts";

/** Counting and listing together are advanced queries, answered from an index that may lag a little. */
const ADVANCED = { consistencylevel: "eventual" };

/** NativeIds alone, with the directory's own count as evidence: a listing that is shorter than that proves nothing. */
export async function* listIds(reading: Reading, kind: Kind): AsyncGenerator<readonly string[], Completeness> {
  if (kind === "unit" && reading.settings.units !== "administrativeUnits") {
    const { units, whole } = await listPlaces(reading);
    yield [...units.keys()];
    return { finalCursor: whole, count: units.size };
  }
  const seen = new Set<string>();
  const pages = list(reading, kind, ["id"]);
  for (;;) {
    const step = await pages.next();
    if (step.done) return { finalCursor: seen.size >= step.value, count: seen.size };
    const fresh = step.value.flatMap(({ id }) => (isId(id) && !seen.has(id) ? [id] : []));
    for (const id of fresh) seen.add(id);
    yield fresh;
  }
}

/** How many there are, as the directory counts. */
export async function count(reading: Reading, kind: Kind): Promise<number> {
  if (kind === "unit" && reading.settings.units !== "administrativeUnits") return (await listPlaces(reading)).units.size;
  const { body } = await reading.client.call({
    method: "GET",
    path: `${folderOf(kind)}/$count`,
    headers: { ...ADVANCED, accept: "text/plain" },
    needs: reading.tracked(kind).needs,
  });
  const counted = Number(body);
  if (!Number.isSafeInteger(counted) || counted < 0)
    throw new Fault("transient", `Microsoft Graph answered the count of ${reading.tracked(kind).what} with no number.`);
  return counted;
}

function folderOf(kind: Kind): string {
  return { user: "/users", group: "/groups", unit: "/directory/administrativeUnits" }[kind];
}

async function listPlaces(reading: Reading): Promise<{ units: Map<string, SourceRecord>; whole: boolean }> {
  const units = new Map<string, SourceRecord>();
  let users = 0;
  const pages = list(reading, "user", ["id", ...placeProperties(reading.settings.units)]);
  for (;;) {
    const step = await pages.next();
    if (step.done) return { units, whole: users >= step.value };
    users += step.value.length;
    for (const user of step.value) for (const unit of unitsOf(user, reading.settings.units)) units.set(unit.nativeId, unit);
  }
}

/** Pages of a plain listing; ends with how many the directory says there are. */
async function* list({ client, tracked }: Reading, kind: Kind, select: readonly string[]): AsyncGenerator<WireObject[], number> {
  const { needs, what } = kind === "user" ? { needs: "User.Read.All" as const, what: "users" } : tracked(kind);
  let answer = await client.call({
    method: "GET",
    path: folderOf(kind),
    query: { $select: select.join(","), $count: "true", $top: LARGEST_PAGE },
    headers: ADVANCED,
    needs,
  });
  const told = isObject(answer.body) ? answer.body["@odata.count"] : undefined;
  // Without a count nothing proves that the listing is whole.
  const counted = typeof told === "number" ? told : Number.POSITIVE_INFINITY;
  const followed = new Set<string>();
  for (;;) {
    const { page, value } = valueOf(answer.body);
    yield value.filter(isObject);
    const next = textOf(page["@odata.nextLink"]);
    if (next === undefined) return counted;
    if (followed.has(next))
      throw new Fault("transient", `Microsoft Graph leads the listing of ${what} in a circle. It will be read again.`);
    followed.add(next);
    answer = await client.follow(next, { needs, headers: ADVANCED });
  }
}
