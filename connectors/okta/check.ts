import { Fault, type CheckResult } from "../contract.ts";
import { openClient, SCOPES, type OktaClient, type OktaOptions } from "./client.ts";

const GRANT = "in the Admin Console, Applications > Applications > the app > Okta API Scopes > Grant";

/** Whether the org answers, lets us in, and shows people, groups and members; and what write-back would need. Changes nothing. */
export async function checkOkta(options: OktaOptions): Promise<CheckResult[]> {
  const reader = openClient(options, { scopes: SCOPES.read });
  const results: CheckResult[] = [];
  try {
    const org = await finding({ name: "Org", look: () => orgOf(reader) });
    results.push(org);
    if (!org.ok) return results;
    const signIn = await finding({ name: "Sign-in", look: () => signInOf(reader, options) });
    results.push(signIn);
    if (!signIn.ok) return results;
    const { settings } = options;
    results.push(
      await finding({
        name: "Users",
        permission: "okta.users.read",
        kind: "user",
        look: async () => {
          const query = { [settings.userQuery]: 'lastUpdated ge "1970-01-01T00:00:00.000Z"', limit: 1 };
          await reader.call({ method: "GET", path: "/api/v1/users", query, what: "the listing of users" });
          return "people may be read, deactivated ones too";
        },
      }),
      await finding({ name: "Groups", permission: "okta.groups.read", kind: "group", look: () => groupsOf(reader) }),
    );
  } finally {
    await reader.close();
  }
  results.push(...(await writeScopes(options)));
  return results;
}

async function orgOf(client: OktaClient): Promise<string> {
  const { body } = await client.call({ method: "GET", path: "/.well-known/okta-organization", what: "the question which org this is" });
  const id = typeof body === "object" && body !== null ? (body as Readonly<Record<string, unknown>>)["id"] : undefined;
  if (typeof id !== "string") throw new Fault("misconfigured", `${client.origin} does not answer as an Okta org. Check the url.`);
  return `${client.origin} is the Okta org ${id}`;
}

async function signInOf(client: OktaClient, { settings }: OktaOptions): Promise<string> {
  if (settings.apiToken === undefined) {
    const granted = await client.grantedScopes();
    return `the service app ${settings.clientId ?? ""} is let in${granted ? `, with ${granted.join(", ")}` : ""}`;
  }
  const { body } = await client.call({ method: "GET", path: "/api/v1/users/me", what: "the question whose API token this is" });
  const profile = typeof body === "object" && body !== null ? (body as { profile?: { login?: unknown } }).profile : undefined;
  return `the API token acts as ${typeof profile?.login === "string" ? profile.login : "its maker"}, and may do what that admin may`;
}

async function groupsOf(client: OktaClient): Promise<string> {
  const { body } = await client.call({ method: "GET", path: "/api/v1/groups", query: { limit: 1 }, what: "the listing of groups" });
  const id = Array.isArray(body) ? (body[0] as { id?: unknown } | undefined)?.id : undefined;
  if (typeof id !== "string") return "groups may be read; there is none yet";
  const path = `/api/v1/groups/${encodeURIComponent(id)}/users`;
  await client.call({ method: "GET", path, query: { limit: 1 }, what: "the listing of a group's members" });
  return "groups and their members may be read";
}

/** Write-back is the administrator's choice: what it lacks is told, and is no failure. */
async function writeScopes(options: OktaOptions): Promise<CheckResult[]> {
  const { settings } = options;
  const verb = settings.disable === "suspend" ? "suspending people" : "deactivating people";
  if (settings.apiToken !== undefined)
    return [
      {
        name: "Write-back",
        ok: true,
        message: `${verb} needs a token of an admin who may manage users; nothing was tried, since trying would write`,
      },
    ];
  const results: CheckResult[] = [];
  for (const [scope, what] of [
    ["okta.users.manage", verb],
    ["okta.groups.manage", "removing group members"],
  ] as const) {
    const granted = await isGranted(options, scope);
    results.push({
      name: "Write-back",
      ok: true,
      permission: scope,
      message: granted ? `${scope} is granted: ${what} is possible` : `${scope} is not granted; ${what} would need it (${GRANT})`,
    });
  }
  return results;
}

async function isGranted(options: OktaOptions, scope: string): Promise<boolean> {
  const client = openClient(options, { scopes: [scope] });
  try {
    return (await client.grantedScopes())?.includes(scope) ?? true;
  } catch (error) {
    if (error instanceof Fault && error.kind === "denied") return false;
    throw error;
  } finally {
    await client.close();
  }
}

async function finding({ look, ...result }: Omit<CheckResult, "ok" | "message"> & { look: () => Promise<string> }): Promise<CheckResult> {
  try {
    const { permission: _, ...found } = result;
    return { ...found, ok: true, message: await look() };
  } catch (error) {
    if (error instanceof Fault) return { ...result, ok: false, message: error.message };
    throw error;
  }
}
