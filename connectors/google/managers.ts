import type { SourceRecord } from "../contract.ts";
import { customerOf, type GoogleClient } from "./client.ts";
import { isObject, textOf, textsIn } from "./json.ts";
import { listPages } from "./listing.ts";

/** Google names a manager by e-mail address, which may change; this finds the id that stays. */
export interface ManagerIds {
  /** Adds `manager`, the id of whoever has the address in `managerEmail`, to a user's record. */
  resolve(record: SourceRecord): Promise<SourceRecord>;
}

type Find = (email: string) => Promise<string | undefined>;

/** For one record: asks for the one manager. */
export function askForManager(client: GoogleClient): ManagerIds {
  return resolving(async (email) => {
    const { status, body } = await client.call({
      method: "GET",
      purpose: "readUsers",
      path: `/users/${encodeURIComponent(email)}`,
      query: { fields: "id" },
      // An address elsewhere is answered with 403 or 404, one that is none at all with 400.
      expect: [400, 403, 404],
    });
    return status === 200 && isObject(body) ? textOf(body["id"]) : undefined;
  });
}

/** For a whole read: lists everybody's addresses once, as soon as the first manager has to be found. */
export function listManagers(client: GoogleClient): ManagerIds {
  let ids: Promise<ReadonlyMap<string, string>> | undefined;
  return resolving(async (email) => (await (ids ??= idsByAddress(client))).get(email));
}

function resolving(find: Find): ManagerIds {
  return {
    async resolve(record) {
      const email = record.attributes["managerEmail"];
      const manager = typeof email === "string" ? await find(email) : undefined;
      return manager === undefined ? record : { ...record, attributes: { ...record.attributes, manager } };
    },
  };
}

async function idsByAddress(client: GoogleClient): Promise<ReadonlyMap<string, string>> {
  const ids = new Map<string, string>();
  const pages = listPages(client, {
    purpose: "readUsers",
    path: "/users",
    // Managers may be outside of what is read.
    query: { ...customerOf({ ...client.settings, domain: undefined }), maxResults: client.settings.pageSize },
    kind: "admin#directory#users",
    items: "users",
    fields: "id,primaryEmail,aliases",
  });
  for await (const users of pages) {
    for (const { id, primaryEmail, aliases } of users) {
      const known = textOf(id);
      if (known === undefined) continue;
      for (const address of [textOf(primaryEmail), ...textsIn(aliases)]) if (address !== undefined) ids.set(address.toLowerCase(), known);
    }
  }
  return ids;
}
