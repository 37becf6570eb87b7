import { createHash } from "node:crypto";
import { Fault, type AttributeObject, type Cursor, type Kind } from "../contract.ts";
import { valueOf, type GraphClient } from "./client.ts";
import { isObject, textOf, type WireObject } from "./json.ts";
import type { Permission } from "./permissions.ts";

/** A collection whose changes Microsoft Graph tracks. */
export interface Tracked {
  path: "/users/delta" | "/groups/delta" | "/directory/administrativeUnits/delta";
  /** Properties and relationships: only what is selected is tracked. */
  select: readonly string[];
  needs: Permission;
  /** What it reads, for sentences. */
  what: string;
}

export interface DeltaPage {
  objects: WireObject[];
}

/**
 * One round of a delta query, from the beginning or from a deltaLink; ends with the next deltaLink. A page may be empty and
 * still have a nextLink; only a deltaLink is the end. Throws `expired` when the state is lost, `transient` when the
 * answer ends without a link: nothing half is taken for whole.
 */
export async function* deltaPages(
  client: GraphClient,
  { tracked, link }: { tracked: Tracked; link?: string },
): AsyncGenerator<DeltaPage, string> {
  const { path, select, needs, what } = tracked;
  const headers = { prefer: `odata.maxpagesize=${client.settings.pageSize}` };
  const asked = new Set<string>();
  let coming =
    link === undefined
      ? client.call({ method: "GET", path, query: { $select: select.join(",") }, needs, headers })
      : client.follow(link, { needs, headers });
  for (;;) {
    const { body } = await coming;
    const { page, value } = valueOf(body);
    const nextLink = textOf(page["@odata.nextLink"]);
    const deltaLink = textOf(page["@odata.deltaLink"]);
    const digest = nextLink === undefined ? undefined : createHash("sha1").update(nextLink).digest("base64");
    const circle = digest !== undefined && asked.has(digest);
    if (nextLink !== undefined && digest !== undefined && !circle) {
      asked.add(digest);
      // Asked for while the caller works on this page; awaited in the next round, unless the caller never comes back.
      coming = client.follow(nextLink, { needs, headers });
      coming.catch(() => undefined);
    }
    yield { objects: value.filter(isObject) };
    if (nextLink === undefined && deltaLink !== undefined) return deltaLink;
    if (nextLink === undefined)
      throw new Fault(
        "transient",
        `Microsoft Graph ended the read of ${what} without a link, so it is not complete. It will be read again.`,
      );
    if (circle) throw new Fault("transient", `Microsoft Graph leads the read of ${what} in a circle. It will be read again.`);
  }
}

/** In a full read a lost state is no reason to read in full: the read begins anew, with the next run. */
export function notExpired(error: unknown): unknown {
  if (!(error instanceof Fault) || error.kind !== "expired") return error;
  return new Fault("transient", `${error.message} The full read will begin anew.`, { cause: error });
}

/** Most objects that are looked at again by the next increment, because two answers about them differ. */
const MOST_AGAIN = 1000;

export interface Position {
  link: string;
  /** Ids whose state the round left in doubt. */
  again: readonly string[];
  /** The deltaLink of administrative units, where memberships of theirs belong to what is read. */
  unitsLink?: string;
}

export function cursorOf(kind: Kind, { tracked, position }: { tracked: Tracked; position: Position }): Cursor {
  if (position.again.length > MOST_AGAIN)
    throw new Fault(
      "expired",
      `Microsoft Graph's answers about ${position.again.length} ${tracked.what} contradict each other. They are read in full.`,
    );
  const { link, again, unitsLink } = position;
  return { version: 1, kind, select: tracked.select.join(","), link, again: [...again], ...(unitsLink === undefined ? {} : { unitsLink }) };
}

/** Throws `expired` for a cursor of another kind, version, or set of properties. */
export function positionOf(cursor: Cursor, { kind, tracked }: { kind: Kind; tracked: Tracked }): Position {
  const { version, link, again, select, unitsLink } = cursor as AttributeObject;
  if (version !== 1 || cursor["kind"] !== kind || typeof link !== "string" || !Array.isArray(again))
    throw new Fault("expired", "The cursor was not made by this version of the Entra ID connector.");
  if (select !== tracked.select.join(","))
    throw new Fault("expired", `Other properties of ${tracked.what} are read than when the cursor was made.`);
  return {
    link,
    again: again.filter((id) => typeof id === "string"),
    ...(typeof unitsLink === "string" ? { unitsLink } : {}),
  };
}
