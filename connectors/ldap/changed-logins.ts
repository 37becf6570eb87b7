import { AndFilter, EqualityFilter, FilterParser, OrFilter, type Filter } from "ldapts";
import type { Page } from "../contract.ts";
import { shapeFor } from "./entry.ts";
import { readAllPages } from "./pages.ts";
import { recordPages } from "./record-pages.ts";
import type { RecordReader } from "./records.ts";
import type { Session } from "./session.ts";

const LOGINS_A_SEARCH = 200;
const BY_LOGIN = "(objectClass=posixGroup)";

/**
 * Reads groups that name by their login (memberUid) somebody who came or changed. Such a group may have named them before they were
 * there, or had that login: it has not changed, and its members have.
 * @param changed finds the entries that changed
 */
export async function* readGroupsOfChangedLogins(
  session: Session,
  { reader, changed, what }: { reader: RecordReader; changed: Filter; what: string },
): AsyncGenerator<Page, { final: boolean }> {
  const { users, memberAttributes, memberUidAttribute, pageSize } = session.settings;
  const byLogin = reader.kind === "group" && memberAttributes.some((name) => name.toLowerCase() === "memberuid");
  if (!byLogin || users === undefined || !(await hasAny(session, { reader, what }))) return { final: true };
  const people = await readAllPages(session, {
    ...users,
    filter: both(users.filter, changed),
    shape: shapeFor([memberUidAttribute], () => true),
    what: "the read of changed logins",
    pageSize,
  });
  const logins = [...new Set(people.flatMap(({ values: [found] }) => (Array.isArray(found) ? found : [])))];
  let final = true;
  for (let from = 0; from < logins.length; from += LOGINS_A_SEARCH) {
    const named = logins.slice(from, from + LOGINS_A_SEARCH).map((value) => new EqualityFilter({ attribute: "memberUid", value }));
    const filter = both(reader.entries.filter, FilterParser.parseString(BY_LOGIN), new OrFilter({ filters: named }));
    const read = yield* recordPages({ session, reader, seen: { missing: false }, filter, what });
    final &&= read.final;
  }
  return { final };
}

/** Most directories name members by their distinguished names alone. */
async function hasAny(session: Session, { reader, what }: { reader: RecordReader; what: string }): Promise<boolean> {
  const filter = both(reader.entries.filter, FilterParser.parseString(BY_LOGIN));
  const shape = shapeFor([], () => false);
  const { entries } = await session.call((client) => client.page({ ...reader.entries, filter, shape, what, pageSize: 1 }));
  return entries.length > 0;
}

function both(filter: string, ...others: Filter[]): Filter {
  return new AndFilter({ filters: [FilterParser.parseString(filter), ...others] });
}
