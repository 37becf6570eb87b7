import type { Kind, SourceRecord } from "../contract.ts";
import { Fault } from "../contract.ts";
import { customerOf, type GoogleClient } from "./client.ts";
import { isObject, objectsIn, textOf } from "./json.ts";
import { askForManager } from "./managers.ts";
import { withMembers } from "./members.ts";
import { GROUP_FIELDS, groupRecord, isProblem, projectionOf, UNIT_FIELDS, unitRecord, USER_FIELDS, userRecord } from "./records.ts";
import type { Purpose } from "./scopes.ts";

export interface OneOptions {
  kind: Kind;
  nativeId: string;
  everybody: () => Promise<readonly string[]>;
}

type Resource = Readonly<Record<string, unknown>>;

/** One record by its id, as a full read gives it; deleted users are gone, though Google keeps them for a while. */
export async function findOne(client: GoogleClient, { kind, nativeId, everybody }: OneOptions): Promise<SourceRecord | "gone"> {
  switch (kind) {
    case "user":
      return findUser(client, nativeId);
    case "group":
      return findGroup(client, nativeId, everybody);
    case "unit":
      return findUnit(client, nativeId);
  }
}

async function findUser(client: GoogleClient, nativeId: string): Promise<SourceRecord | "gone"> {
  const user = await get(client, {
    purpose: "readUsers",
    path: `/users/${encodeURIComponent(nativeId)}`,
    query: { ...projectionOf(client.settings), fields: `kind,deletionTime,${USER_FIELDS}` },
    kind: "admin#directory#user",
  });
  if (user === undefined || user["deletionTime"] !== undefined) return "gone";
  const record = userRecord(user);
  if (isProblem(record)) throw new Fault("rejected", record.message);
  const resolved = await askForManager(client, record);
  return (await isListed(client, { kind: "user", resource: user, query: client.settings.userQuery }))
    ? resolved
    : { ...resolved, outOfScope: true };
}

async function findGroup(
  client: GoogleClient,
  nativeId: string,
  everybody: () => Promise<readonly string[]>,
): Promise<SourceRecord | "gone"> {
  const find = () =>
    get(client, {
      purpose: "readGroups",
      path: `/groups/${encodeURIComponent(nativeId)}`,
      query: { fields: `kind,${GROUP_FIELDS}` },
      kind: "admin#directory#group",
    });
  const group = await find();
  if (group === undefined) return "gone";
  const record = groupRecord(group);
  if (isProblem(record)) throw new Fault("rejected", record.message);
  const read = await withMembers(client, { group: record, atLeast: Number(group["directMembersCount"] ?? 0), everybody });
  if (read === undefined) {
    if ((await find()) === undefined) return "gone";
    throw new Fault("transient", `Google has the group ${nativeId}, and answers 404 for its members: it is not taken to be gone.`);
  }
  return (await isListed(client, { kind: "group", resource: group, query: client.settings.groupQuery }))
    ? read.record
    : { ...read.record, outOfScope: true };
}

async function findUnit(client: GoogleClient, nativeId: string): Promise<SourceRecord | "gone"> {
  const unit = await get(client, {
    purpose: "readUnits",
    path: `/customer/${client.settings.customer}/orgunits/${encodeURIComponent(nativeId)}`,
    query: { fields: `kind,${UNIT_FIELDS}` },
    kind: "admin#directory#orgUnit",
  });
  if (unit === undefined) return "gone";
  const record = unitRecord(unit);
  if (isProblem(record)) throw new Fault("rejected", record.message);
  return record;
}

/** Undefined when Google knows nothing by that id. */
async function get(
  client: GoogleClient,
  { purpose, path, query, kind }: { purpose: Purpose; path: string; query: Readonly<Record<string, string | undefined>>; kind: string },
): Promise<Resource | undefined> {
  const { status, body } = await client.call({ method: "GET", purpose, path, query, expect: [404] });
  if (status === 404) return undefined;
  if (isObject(body) && body["kind"] === kind) return body;
  throw new Fault("transient", `Google answered ${path} with something that is no ${kind}. Check apiUrl if it goes on.`);
}

/** Whether a full read would list it. Only Google can judge its own queries: clauses that stand together must all hold. */
async function isListed(
  client: GoogleClient,
  { kind, resource, query }: { kind: "user" | "group"; resource: Resource; query: string | undefined },
): Promise<boolean> {
  const { settings } = client;
  if (query === undefined && settings.domain === undefined) return true;
  const email = textOf(resource[kind === "user" ? "primaryEmail" : "email"]) ?? "";
  const page = await client.read({
    purpose: kind === "user" ? "readUsers" : "readGroups",
    path: `/${kind}s`,
    kind: `admin#directory#${kind}s`,
    query: {
      ...customerOf(settings),
      query: [query, `email='${email.replace(/['\\]/g, "\\$&")}'`].filter((clause) => clause !== undefined).join(" "),
      fields: `kind,${kind}s(id)`,
    },
  });
  return objectsIn(page[`${kind}s`]).some(({ id }) => id === resource["id"]);
}
