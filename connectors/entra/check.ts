import { Fault, type CheckResult, type Kind, type OpenOptions } from "../contract.ts";
import { openClient, valueOf, type GraphClient } from "./client.ts";
import type { EntraSettings } from "./config.ts";
import { isObject } from "./json.ts";
import { grantedBy, howToGrant, isGranted, PERMISSIONS, type Permission } from "./permissions.ts";

/** Signs in, asks for one of each kind, and compares what the token was granted with what reading and write-back need. Nothing is changed. */
export async function checkEntra(options: OpenOptions<EntraSettings>): Promise<CheckResult[]> {
  const { settings } = options;
  const client = openClient(options);
  try {
    const token = await attempt(() => client.token());
    if (token instanceof Fault) return [{ name: "Sign-in", ok: false, message: token.message }];
    const proof = settings.certificate === undefined ? "a client secret" : "a certificate";
    const results: CheckResult[] = [
      { name: "Sign-in", ok: true, message: `application ${settings.clientId} in the tenant ${settings.tenant}, with ${proof}` },
    ];
    const granted = grantedBy(token);
    for (const read of reads(settings)) results.push(await checkRead(client, read));
    for (const needs of writes(settings)) results.push(checkGrant(needs, granted));
    return results;
  } finally {
    await client.close();
  }
}

interface Read {
  name: string;
  kind: Kind;
  path: string;
  needs: Permission;
}

function reads({ groups, units }: EntraSettings): Read[] {
  return [
    { name: "Users", kind: "user", path: "/users", needs: "User.Read.All" },
    ...(groups ? [{ name: "Groups", kind: "group", path: "/groups", needs: "GroupMember.Read.All" } as const] : []),
    ...(units === "administrativeUnits"
      ? [
          {
            name: "Administrative units",
            kind: "unit",
            path: "/directory/administrativeUnits",
            needs: "AdministrativeUnit.Read.All",
          } as const,
        ]
      : []),
  ];
}

function writes({ groups, revokeSessions }: EntraSettings): Permission[] {
  return [
    "User.EnableDisableAccount.All",
    ...(revokeSessions ? (["User.RevokeSessions.All"] as const) : []),
    ...(groups ? (["GroupMember.ReadWrite.All"] as const) : []),
  ];
}

async function checkRead(client: GraphClient, { name, kind, path, needs }: Read): Promise<CheckResult> {
  const answer = await attempt(() => client.call({ method: "GET", path, query: { $select: "id,displayName", $top: 1 }, needs }));
  if (answer instanceof Fault)
    return { name, kind, ok: false, message: answer.message, ...(answer.kind === "denied" ? { permission: needs } : {}) };
  const [first] = valueOf(answer.body).value;
  if (!isObject(first)) return { name, kind, ok: true, message: `may be read (${needs}); there are none.` };
  return { name, kind, ok: true, message: `may be read (${needs}): ${String(first["displayName"] ?? first["id"])}` };
}

/** Write-back is off unless the connection's policy allows it, so that a missing permission is told, and no failure. */
function checkGrant(needs: Permission, granted: readonly string[] | undefined): CheckResult {
  const name = `Write-back: ${PERMISSIONS[needs]}`;
  if (granted === undefined)
    return { name, ok: true, message: `The token does not say whether ${needs} was granted; the first write will tell.` };
  if (isGranted(needs, granted)) return { name, ok: true, message: `${needs} was granted.` };
  return { name, ok: true, message: `${needs} was not granted, which only write-back needs. ${howToGrant(needs)}`, permission: needs };
}

async function attempt<T>(work: () => Promise<T>): Promise<T | Fault> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
}
