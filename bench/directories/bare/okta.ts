import type { OktaSettings } from "../../../connectors/okta/config.ts";
import { fetchJson, type BareCount } from "./pages.ts";

/** People, groups, and each group's members, Link header by Link header. */
export async function readOktaBare(settings: OktaSettings): Promise<BareCount> {
  const headers = {
    authorization: `SSWS ${settings.apiToken ?? ""}`,
    "content-type": "application/json; okta-response=omitCredentials,omitCredentialsLinks",
  };
  const count = { records: 0, members: 0, requests: 0 };
  const pages = async function* (path: string, query: Readonly<Record<string, string>>) {
    let next: string | undefined =
      `${settings.url}${path}?${new URLSearchParams({ ...query, limit: String(settings.pageSize) }).toString()}`;
    while (next !== undefined) {
      const answer = await fetchJson(next, headers);
      count.requests++;
      yield answer.body as unknown as { id: string }[];
      const links = answer.headers["link"] ?? [];
      next = (Array.isArray(links) ? links : links.split(",")).map((link) => /<([^>]*)>; rel="next"/.exec(link)?.[1]).find(Boolean);
    }
  };
  for await (const people of pages("/api/v1/users", { filter: 'lastUpdated ge "1970-01-01T00:00:00.000Z"' }))
    count.records += people.length;
  const types = settings.groups.types.map((type) => `type eq "${type}"`).join(" or ");
  for await (const groups of pages("/api/v1/groups", { filter: `(${types})` })) {
    count.records += groups.length;
    for (const { id } of groups) for await (const members of pages(`/api/v1/groups/${id}/users`, {})) count.members += members.length;
  }
  return count;
}
