import { Fault, type CheckResult, type Kind, type OpenOptions } from "../contract.ts";
import { customerOf, openGoogle, type GoogleClient } from "./client.ts";
import { parseServiceAccount, type GoogleSettings } from "./config.ts";
import { isObject, objectsIn, textOf } from "./json.ts";
import { DELEGATION, SCOPES, type Purpose } from "./scopes.ts";

const NAMES = { unit: "Org units", user: "Users", group: "Groups" } as const;
const PURPOSES = { unit: "readUnits", user: "readUsers", group: "readGroups" } as const satisfies Record<Kind, Purpose>;
const PRIVILEGES = {
  unit: "Organizational Units > Read",
  user: "Users > Read",
  group: "Groups > Read",
} as const;

/** Asks for each scope and each listing once. Nothing is changed: of writing, only the delegation and the administrator can be judged. */
export async function checkGoogle(options: OpenOptions<GoogleSettings>): Promise<CheckResult[]> {
  const client = openGoogle(options);
  try {
    const looks = [
      ...client.settings.kinds.map((kind) => () => checkReading(client, kind)),
      () => checkScope(client, { name: "Suspending users", purpose: "writeUsers" }),
      ...(client.settings.signOut ? [() => checkScope(client, { name: "Signing users out", purpose: "signOut" })] : []),
      () => checkScope(client, { name: "Removing group members", purpose: "writeMembers" }),
    ];
    const results: CheckResult[] = [];
    for (const look of looks) {
      const { unreachable, ...result } = await look();
      results.push(result);
      // Every other question would wait as long, to be told the same.
      if (unreachable) return results;
    }
    return results;
  } finally {
    await client.close();
  }
}

async function checkReading(client: GoogleClient, kind: Kind): Promise<Finding> {
  const purpose = PURPOSES[kind];
  return finding({ name: NAMES[kind], kind, purpose, privilege: PRIVILEGES[kind], client }, async () => {
    const [sample] = await firstOf(client, kind);
    if (sample === undefined) return { ok: false, message: `Google lists no ${kind} at all. Check domain, userQuery and groupQuery.` };
    const called = textOf(sample["primaryEmail"]) ?? textOf(sample["email"]) ?? textOf(sample["orgUnitPath"]) ?? "without a name";
    return { ok: true, message: `${called}: ID ${textOf(sample["id"]) ?? textOf(sample["orgUnitId"]) ?? "unknown"}` };
  });
}

async function firstOf(client: GoogleClient, kind: Kind) {
  const { settings } = client;
  if (kind === "unit") {
    const page = await client.read({
      purpose: "readUnits",
      path: `/customer/${settings.customer}/orgunits`,
      kind: "admin#directory#orgUnits",
      query: { type: "allIncludingParent" },
    });
    return objectsIn(page["organizationUnits"]);
  }
  const items = `${kind}s`;
  const page = await client.read({
    purpose: PURPOSES[kind],
    path: `/${items}`,
    kind: `admin#directory#${items}`,
    query: { ...customerOf(settings), query: kind === "user" ? settings.userQuery : settings.groupQuery, maxResults: 1 },
  });
  return objectsIn(page[items]);
}

/** The scope is delegated; for writing users the administrator's own role is looked at, too. */
async function checkScope(client: GoogleClient, { name, purpose }: { name: string; purpose: Purpose }): Promise<Finding> {
  return finding({ name, purpose, client, privilege: "Users > Update" }, async () => {
    if (purpose !== "writeUsers") {
      // Nobody has these ids: whatever the answer, the token before it says that the scope is delegated.
      const path = purpose === "signOut" ? "/users/000000000000000000000/tokens" : "/groups/000000000000000/members/000000000000000000000";
      await client.call({ method: "GET", purpose, path, expect: [400, 403, 404] });
      return { ok: true, message: `${SCOPES[purpose]} is delegated` };
    }
    const { body } = await client.call({
      method: "GET",
      purpose,
      path: `/users/${encodeURIComponent(client.settings.administrator)}`,
      query: { fields: "primaryEmail,isAdmin,isDelegatedAdmin" },
    });
    const admin = isObject(body) ? body : {};
    if (admin["isAdmin"] === true) return { ok: true, message: `${client.settings.administrator} is a super administrator` };
    return admin["isDelegatedAdmin"] === true
      ? { ok: true, message: `${client.settings.administrator} has an administrator role; it needs the privilege Users > Update` }
      : {
          ok: false,
          message: `${client.settings.administrator} has no administrator role. Assign one in the Admin console, under Account > Admin roles.`,
          permission: "Users > Update",
        };
  });
}

interface Subject {
  name: string;
  kind?: Kind;
  purpose: Purpose;
  /** What the administrator's role needs, as the console names it. */
  privilege: string;
  client: GoogleClient;
}

/** One finding, and whether nothing at all could be asked. */
type Finding = CheckResult & { unreachable?: true };

type Seen = Pick<CheckResult, "ok" | "message" | "permission">;

async function finding({ name, kind, purpose, privilege, client }: Subject, look: () => Promise<Seen>): Promise<Finding> {
  const about = kind === undefined ? { name } : { name, kind };
  try {
    return { ...about, ...(await look()) };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    if (isOfTheWay(error)) return { ...about, ok: false, message: error.message, unreachable: true };
    if (error.kind !== "denied") return { ...about, ok: false, message: error.message };
    return { ...about, ok: false, ...advice(error, { purpose, privilege, settings: client.settings }) };
  }
}

/** Something went wrong on the way there, before Google could say anything. */
function isOfTheWay({ cause }: Fault): boolean {
  return cause !== undefined;
}

/** The grant's own sentence says what to delegate; the API's says only no, for reasons that it names in passing. */
function advice(
  { message }: Fault,
  { purpose, privilege, settings }: { purpose: Purpose; privilege: string; settings: GoogleSettings },
): Pick<CheckResult, "message" | "permission"> {
  if (message.includes(SCOPES[purpose])) return { message: `${message} ${clientId(settings)}`.trim(), permission: SCOPES[purpose] };
  if (/has not been used|is disabled|accessNotConfigured/i.test(message))
    return {
      message: `${message} Enable the Admin SDK API in the Google Cloud console, under APIs & Services > Library.`,
      permission: "Admin SDK API",
    };
  if (/insufficient/i.test(message))
    return { message: `${message} Delegate ${SCOPES[purpose]} under ${DELEGATION}.`, permission: SCOPES[purpose] };
  if (/not authorized/i.test(message))
    return {
      message: `${message} In the Admin console, under Account > Admin roles, give ${settings.administrator} a role with the privilege ${privilege}.`,
      permission: privilege,
    };
  return { message };
}

function clientId({ serviceAccountKey }: GoogleSettings): string {
  const id = parseServiceAccount(serviceAccountKey)?.client_id;
  return id === undefined ? "" : `The client ID is ${id}.`;
}
