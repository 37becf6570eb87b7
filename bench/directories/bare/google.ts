import { importPKCS8, SignJWT } from "jose";
import { parseServiceAccount, type GoogleSettings } from "../../../connectors/google/config.ts";
import { GROUP_FIELDS, USER_FIELDS } from "../../../connectors/google/records.ts";
import { SCOPES } from "../../../connectors/google/scopes.ts";
import { fetchJson, lengthOf, signIn, type BareCount } from "./pages.ts";

const TOKEN_SECONDS = 3600;

/** Org units, users, groups, and each group's members, page token by page token. */
export async function readGoogleBare(settings: GoogleSettings): Promise<BareCount> {
  const headers = await signIn(settings.tokenUrl, {
    grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
    assertion: await assertionOf(settings),
  });
  const count = { records: 0, members: 0, requests: 1 };
  const pages = async function* (path: string, query: Readonly<Record<string, string>>) {
    let pageToken: unknown;
    do {
      const asked = new URLSearchParams({ ...query, ...(typeof pageToken === "string" ? { pageToken } : {}) });
      const { body } = await fetchJson(`${settings.apiUrl}/admin/directory/v1${path}?${asked.toString()}`, headers);
      count.requests++;
      yield body;
      pageToken = body["nextPageToken"];
    } while (pageToken !== undefined);
  };
  const { customer } = settings;
  for await (const body of pages(`/customer/${customer}/orgunits`, { type: "allIncludingParent" }))
    count.records += lengthOf(body["organizationUnits"]);
  const fieldsOf = (items: string, fields: string) => `kind,nextPageToken,${items}(${fields})`;
  const users = {
    customer,
    projection: "basic",
    orderBy: "email",
    maxResults: String(settings.pageSize),
    fields: fieldsOf("users", USER_FIELDS),
  };
  for await (const body of pages("/users", users)) count.records += lengthOf(body["users"]);
  const size = { maxResults: String(settings.groupPageSize) };
  for await (const body of pages("/groups", { customer, orderBy: "email", ...size, fields: fieldsOf("groups", GROUP_FIELDS) })) {
    const groups = body["groups"] as { id: string }[];
    count.records += groups.length;
    for (const { id } of groups)
      for await (const page of pages(`/groups/${id}/members`, { ...size, fields: fieldsOf("members", "id,email,type") }))
        count.members += lengthOf(page["members"]);
  }
  return count;
}

async function assertionOf(settings: GoogleSettings): Promise<string> {
  const account = parseServiceAccount(settings.serviceAccountKey);
  if (account === undefined) throw new Error("The organisation gave no key of a service account.");
  const seconds = Math.floor(Date.now() / 1000);
  return new SignJWT({ scope: [SCOPES.readUsers, SCOPES.readGroups, SCOPES.readUnits].join(" ") })
    .setProtectedHeader({ alg: "RS256", typ: "JWT" })
    .setIssuer(account.client_email)
    .setSubject(settings.administrator)
    .setAudience(settings.tokenUrl)
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + TOKEN_SECONDS)
    .sign(await importPKCS8(account.private_key, "RS256"));
}
