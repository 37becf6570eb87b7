import type { EntraSettings } from "../../../connectors/entra/config.ts";
import { trackedBy } from "../../../connectors/entra/reading.ts";
import { fetchJson, lengthOf, signIn, type BareCount } from "./pages.ts";

/** The first round of both delta queries, with what the connector selects, nextLink by nextLink. */
export async function readEntraBare(settings: EntraSettings): Promise<BareCount> {
  const token = await signIn(`${settings.loginUrl}/${settings.tenant}/oauth2/v2.0/token`, {
    grant_type: "client_credentials",
    client_id: settings.clientId,
    client_secret: settings.clientSecret ?? "",
    scope: `${new URL(settings.graphUrl).origin}/.default`,
  });
  const headers = { ...token, prefer: `odata.maxpagesize=${settings.pageSize}` };
  const tracked = trackedBy(settings);
  const count = { records: 0, members: 0, requests: 1 };
  for (const kind of ["user", "group"] as const) {
    const { path, select } = tracked(kind);
    let next: unknown = `${settings.graphUrl}${path}?${new URLSearchParams({ $select: select.join(",") }).toString()}`;
    while (typeof next === "string") {
      const { body } = await fetchJson(next, headers);
      count.requests++;
      const value = body["value"] as Record<string, unknown>[];
      count.records += value.length;
      if (kind === "group") for (const group of value) count.members += lengthOf(group["members@delta"]);
      next = body["@odata.nextLink"];
    }
  }
  return count;
}
