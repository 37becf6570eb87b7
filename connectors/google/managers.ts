import type { SourceRecord } from "../contract.ts";
import { customerOf, type GoogleClient } from "./client.ts";
import { isObject, textOf, textsIn } from "./json.ts";
import { listPages } from "./listing.ts";

/** Whose an e-mail address is: Google names a manager by one, which may change; the id stays. */
export interface Addresses {
  /** Learns a listed user's addresses. */
  note(user: Readonly<Record<string, unknown>>): void;
  idOf(email: string): string | undefined;
}

export function addressBook(): Addresses {
  const ids = new Map<string, string>();
  return {
    note({ id, primaryEmail, aliases }) {
      const known = textOf(id);
      if (known === undefined) return;
      for (const address of [textOf(primaryEmail), ...textsIn(aliases)]) if (address !== undefined) ids.set(address.toLowerCase(), known);
    },
    idOf: (email) => ids.get(email),
  };
}

/** The address that a user's record names a manager by. */
export function managerEmailOf({ attributes }: SourceRecord): string | undefined {
  const email = attributes["managerEmail"];
  return typeof email === "string" ? email : undefined;
}

export function withManager(record: SourceRecord, manager: string | undefined): SourceRecord {
  return manager === undefined ? record : { ...record, attributes: { ...record.attributes, manager } };
}

/** For one record: asks for the one manager. */
export async function askForManager(client: GoogleClient, record: SourceRecord): Promise<SourceRecord> {
  const email = managerEmailOf(record);
  return email === undefined ? record : withManager(record, await askForAddress(client, email));
}

async function askForAddress(client: GoogleClient, email: string): Promise<string | undefined> {
  const { status, body } = await client.call({
    method: "GET",
    purpose: "readUsers",
    path: `/users/${encodeURIComponent(email)}`,
    query: { fields: "id" },
    // An address elsewhere is answered with 403 or 404, one that is none at all with 400.
    expect: [400, 403, 404],
  });
  return status === 200 && isObject(body) ? textOf(body["id"]) : undefined;
}

/** So many addresses are asked for one by one; of more, one listing is cheaper. */
const MOST_ASKED = 20;

/**
 * Whose those addresses are that a listing of people did not show: managers outside of what is read, and those whom a listing
 * left out that was cut short, as which it can't be told. Each is asked for once.
 */
export function askBeyond(client: GoogleClient): (email: string) => Promise<string | undefined> {
  const asked = new Map<string, string | undefined>();
  let all: Promise<Addresses> | undefined;
  return async (email) => {
    if (asked.has(email)) return asked.get(email);
    if (asked.size >= MOST_ASKED) return (await (all ??= listAddresses(client))).idOf(email);
    const id = await askForAddress(client, email);
    asked.set(email, id);
    return id;
  };
}

async function listAddresses(client: GoogleClient): Promise<Addresses> {
  const addresses = addressBook();
  const pages = listPages(client, {
    purpose: "readUsers",
    path: "/users",
    // Managers may be outside of what is read.
    query: { ...customerOf({ ...client.settings, domain: undefined }), maxResults: client.settings.pageSize },
    kind: "admin#directory#users",
    items: "users",
    fields: "id,primaryEmail,aliases",
  });
  for await (const users of pages) for (const user of users) addresses.note(user);
  return addresses;
}
