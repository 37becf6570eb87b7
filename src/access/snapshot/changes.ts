import type { Sql } from "../../db/database.ts";
import { readGroups, readPeople, readPeopleAfter, readRoles, readUnits, type GroupRows, type PersonRow } from "./rows.ts";
import type { Tables } from "./tables.ts";

/** The channel on which triggers tell of changes (migration access_changes). */
export const CHANNEL = "rollcall_access";

/** What an earlier snapshot of the database could not see yet. */
export interface Changes {
  /** This snapshot, as pg_current_snapshot() writes it. */
  revision: string;
  /** When this server began to run: transaction numbers of another one may mean other transactions. */
  server: string;
  /** Changes may have been pruned before they were read: everything must be read anew. */
  missed: boolean;
  changes: readonly { kind: "person" | "group" | "units" | "roles" | "token" | "all"; ids: readonly string[] }[];
}

// Committed in whatever order: what is visible now and was not in the snapshot before is new.
const SINCE = `
  select pg_current_snapshot()::text as revision, extract(epoch from pg_postmaster_start_time())::text as server,
    coalesce((select pruned > pg_snapshot_xmin($1::pg_snapshot) from access_change_fence), true) as missed,
    coalesce((select json_agg(json_build_object('kind', kind, 'ids', ids)) from access_changes
      where xid >= pg_snapshot_xmin($1::pg_snapshot) and not pg_visible_in_snapshot(xid, $1::pg_snapshot)), '[]') as changes`;

/** What was committed after the snapshot `revision`; one statement. */
export async function readChanges(sql: Sql, { revision }: { revision: string }): Promise<Changes> {
  const { rows } = await sql.query<Changes>({ name: "access-changes", text: SINCE, values: [revision] });
  const [changes] = rows;
  if (!changes) throw new Error("PostgreSQL answered no row where one stands");
  return changes;
}

/** A moment of the database in which nothing had happened yet. */
const BEGINNING = "1:1:";

/** The moment that the transaction of this connection reads. */
export async function readMoment(sql: Sql): Promise<Pick<Changes, "revision" | "server">> {
  const { revision, server } = await readChanges(sql, { revision: BEGINNING });
  return { revision, server };
}

const PAGE = 4000;

/** Reads everything into new tables, in a transaction that sees one moment. */
export async function readEverything(sql: Sql, { tables, since }: { tables: Tables; since: Date }): Promise<void> {
  tables.putUnits(await readUnits(sql, { since }));
  tables.putRoles(await readRoles(sql, { since }));
  tables.putGroups(await readGroups(sql, { since }));
  for (let after: string | null = null; ;) {
    const page: PersonRow[] = await readPeopleAfter(sql, { since, after, limit: PAGE });
    tables.putPeople(page);
    after = page.at(-1)?.id ?? null;
    if (page.length < PAGE) return;
  }
}

/**
 * Reads anew what the changes name, in a transaction that sees one moment. What is returned puts it all into the tables at once, so
 * that nobody asks them in between, and a reading that fails leaves them as they were.
 */
export async function readChanged(
  sql: Sql,
  { tables, since, changes }: { tables: Tables; since: Date } & Pick<Changes, "changes">,
): Promise<() => void> {
  const named = (kind: "person" | "group") => [...new Set(changes.flatMap((change) => (change.kind === kind ? change.ids : [])))];
  const has = (kind: "units" | "roles") => changes.some((change) => change.kind === kind);
  const units = has("units") ? await readUnits(sql, { since }) : undefined;
  const roles = has("roles") ? await readRoles(sql, { since }) : undefined;
  const groupIds = named("group");
  const groups: GroupRows | undefined = groupIds.length > 0 ? await readGroups(sql, { since, ids: groupIds }) : undefined;
  const personIds = named("person");
  const people: PersonRow[][] = [];
  for (let start = 0; start < personIds.length; start += PAGE)
    people.push(await readPeople(sql, { since, ids: personIds.slice(start, start + PAGE) }));
  return () => {
    if (units) tables.putUnits(units);
    if (roles) tables.putRoles(roles);
    if (groups) tables.putGroups(groups);
    for (const page of people) tables.putPeople(page);
  };
}
