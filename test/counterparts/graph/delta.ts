import { randomBytes } from "node:crypto";
import { badRequest, failure, type Answer, type Asked } from "./answer.ts";
import type { FaultKind } from "./faults.ts";
import { tracked, unknownProperty } from "./properties.ts";
import { TYPES, type Change, type Collection, type Properties, type Tenant } from "./tenant.ts";

/** An object of a round, with the members that it shows on one page. */
interface Part {
  id: string;
  members?: readonly { id: string; isIn: boolean }[];
}

interface Round {
  collection: Collection;
  select: readonly string[] | undefined;
  parts: readonly Part[];
  /** The last change that it covers. */
  until: number;
  /** From the beginning: then nobody is told to have been removed before. */
  initial: boolean;
}

/** What a token stands for: a place in a round, or the end of one. */
type State = { round: Round; from: number } | { collection: Collection; select: readonly string[] | undefined; since: number };

export interface DeltaQueries {
  answer(collection: Collection, asked: Asked, fault: FaultKind | undefined): Answer;
  /** Every token given so far is worthless. */
  expireTokens(): void;
}

export interface DeltaOptions {
  /** The address below which links lie. */
  base: () => string;
  /** Objects a page, at most. */
  pageSize: number;
  /** Members that one page shows of one group, at most. */
  membersPerPage: number;
}

const RELATIONSHIPS: Readonly<Record<Collection, readonly string[]>> = {
  users: ["manager"],
  groups: ["members", "owners"],
  administrativeUnits: ["members"],
};

export function createDeltaQueries(tenant: Tenant, options: DeltaOptions): DeltaQueries {
  const states = new Map<string, State>();
  const tokenFor = (state: State): string => {
    const token = randomBytes(24).toString("base64url");
    states.set(token, state);
    return token;
  };
  const link = (collection: Collection, name: "$skiptoken" | "$deltatoken", state: State) =>
    `${options.base()}/${FOLDERS[collection]}/delta?${name}=${tokenFor(state)}`;

  const page = ({ round, from }: { round: Round; from: number }, fault: FaultKind | undefined, most: number): Answer => {
    const { collection, select, parts, until } = round;
    const context = { "@odata.context": `${options.base()}/$metadata#${collection}` };
    const here = { round, from };
    if (fault === "empty page")
      return { status: 200, body: { ...context, "@odata.nextLink": link(collection, "$skiptoken", here), value: [] } };
    const shown = parts.slice(from, from + most);
    const value = shown.flatMap((part) => show(tenant, round, part));
    const next = { round, from: fault === "repeated page" ? from : from + most };
    const more = next.from < parts.length;
    const links = more
      ? { "@odata.nextLink": link(collection, "$skiptoken", next) }
      : { "@odata.deltaLink": link(collection, "$deltatoken", { collection, select, since: until }) };
    if (fault === "foreign link")
      return { status: 200, body: { ...context, "@odata.nextLink": "https://attacker.example/v1.0/users/delta?$skiptoken=x", value } };
    return { status: 200, body: { ...context, ...(fault === "no link" ? {} : links), value } };
  };

  return {
    answer(collection, { query, headers }, fault) {
      const lost = fault === "expired" || fault === "syncStateNotFound";
      const token = query.get("$skiptoken") ?? query.get("$deltatoken");
      const most = Math.min(options.pageSize, Number(/odata\.maxpagesize=(\d+)/.exec(headers["prefer"] ?? "")?.[1] ?? options.pageSize));
      if (token !== null) {
        const state = states.get(token);
        if (!state || lost) return lostState(fault, `${options.base()}/${FOLDERS[collection]}/delta`);
        if ("round" in state) return page(state, fault, most);
        return page({ round: roundSince(tenant, state, options), from: 0 }, fault, most);
      }
      const refused = ["$top", "$expand", "$orderby", "$count", "$search"].find((name) => query.has(name));
      if (refused) return badRequest(`The query parameter ${refused} is not supported with delta.`, "Request_UnsupportedQuery");
      const select = query.get("$select")?.split(",");
      const unknown = select && unknownProperty(collection, select, RELATIONSHIPS[collection]);
      if (unknown) return badRequest(`Could not find a property named '${unknown}' on type '${TYPES[collection].slice(1)}'.`);
      if (lost) return lostState(fault, `${options.base()}/${FOLDERS[collection]}/delta`);
      return page({ round: firstRound(tenant, { collection, select }, options), from: 0 }, fault, most);
    },
    expireTokens: () => states.clear(),
  };
}

const FOLDERS: Readonly<Record<Collection, string>> = {
  users: "users",
  groups: "groups",
  administrativeUnits: "directory/administrativeUnits",
};

function lostState(fault: FaultKind | undefined, location: string): Answer {
  return fault === "syncStateNotFound"
    ? failure(400, "syncStateNotFound", "The sync state generation is not found.")
    : failure(410, "resyncRequired", "Resync required. Replace any local items with the server's version.", { location });
}

function firstRound(tenant: Tenant, { collection, select }: Pick<Round, "collection" | "select">, { membersPerPage }: DeltaOptions): Round {
  const parts = tenant.all(collection).flatMap(({ id, members }) => {
    const shown = tracksMembers(collection, select) ? [...members].map((member) => ({ id: member, isIn: true })) : [];
    return split(id, shown, membersPerPage);
  });
  return { collection, select, parts, until: tenant.log.length, initial: true };
}

/** Each object that changed in what is selected, once; of its members those that came or went. */
function roundSince(
  tenant: Tenant,
  { collection, select, since }: { collection: Collection; select: readonly string[] | undefined; since: number },
  { membersPerPage }: DeltaOptions,
): Round {
  const changed = new Map<string, Map<string, boolean>>();
  const matters = ({ touched }: Change) => touched === undefined || select === undefined || touched.some((name) => select.includes(name));
  for (const change of tenant.log.slice(since)) {
    if (change.collection !== collection || !matters(change)) continue;
    const members = changed.get(change.id) ?? new Map<string, boolean>();
    changed.set(change.id, members);
    if (change.member) members.set(change.member.id, change.member.isIn);
    // New or restored: all that it has.
    else if (change.touched === undefined) for (const member of tenant.objects.get(change.id)?.members ?? []) members.set(member, true);
  }
  const parts = [...changed].flatMap(([id, members]) =>
    split(id, tracksMembers(collection, select) ? [...members].map(([member, isIn]) => ({ id: member, isIn })) : [], membersPerPage),
  );
  return { collection, select, parts, until: tenant.log.length, initial: false };
}

function tracksMembers(collection: Collection, select: readonly string[] | undefined): boolean {
  return collection !== "users" && (select === undefined || select.includes("members"));
}

/** A long list of members stands on several pages, each time with its group. */
function split(id: string, members: readonly { id: string; isIn: boolean }[], most: number): Part[] {
  if (members.length === 0) return [{ id }];
  return Array.from({ length: Math.ceil(members.length / most) }, (_, index) => ({
    id,
    members: members.slice(index * most, (index + 1) * most),
  }));
}

function show(tenant: Tenant, { collection, select, initial }: Round, { id, members }: Part): Properties[] {
  const object = tenant.objects.get(id);
  if (!object)
    return initial && !tenant.deleted.has(id) ? [] : [{ id, "@removed": { reason: tenant.deleted.has(id) ? "changed" : "deleted" } }];
  const managerTracked = collection === "users" && select?.includes("manager") === true;
  const managers = object.manager === undefined ? [] : [{ "@odata.type": TYPES.users, id: object.manager }];
  return [
    {
      ...tracked(
        object,
        select?.filter((name) => !RELATIONSHIPS[collection].includes(name)),
      ),
      ...(members ? { "members@delta": members.map((member) => memberOf(tenant, member)) } : {}),
      ...(managerTracked && managers.length > 0 ? { "manager@delta": managers } : {}),
    },
  ];
}

function memberOf(tenant: Tenant, { id, isIn }: { id: string; isIn: boolean }): Properties {
  const type = TYPES[tenant.collectionOf.get(id) ?? "users"];
  return { "@odata.type": type, id, ...(isIn ? {} : { "@removed": { reason: "deleted" } }) };
}
