import { AndFilter, EqualityFilter, FilterParser, OrFilter } from "ldapts";
import type { Page } from "../../contract.ts";
import { shapeFor, type Entry } from "../entry.ts";
import { readAllPages } from "../pages.ts";
import type { RecordReader } from "../records.ts";
import type { Session } from "../session.ts";

/** People of every kind that a directory has; computers, too, have a primary group. */
export const PEOPLE = "(&(objectCategory=person)(objectClass=user))";
const PRIMARY_GROUP = "primaryGroupID";
const PAGE_SIZE = 1000;

/**
 * Adds those whose primary group a group is: Active Directory keeps them in primaryGroupID of the account, and leaves
 * them out of `member` (MS-ADTS 3.1.1.5, MS-SAMR 3.1.1.8).
 */
export async function addPrimaryMembers(options: {
  session: Session;
  reader: RecordReader;
  entries: readonly Entry[];
  page: Page;
}): Promise<void> {
  const { session, reader, entries, page } = options;
  const groups = new Map<string, string>();
  for (const entry of entries) {
    const token = reader.primaryGroupToken(entry);
    if (token !== undefined && entry.guid !== undefined) groups.set(token, entry.guid);
  }
  if (groups.size === 0) return;
  const any = [...groups.keys()].map((value) => new EqualityFilter({ attribute: PRIMARY_GROUP, value }));
  const people = await readAllPages(session, {
    base: await session.suffixOf(reader.entries.base),
    scope: "sub",
    filter: new AndFilter({ filters: [FilterParser.parseString(PEOPLE), new OrFilter({ filters: any })] }),
    shape: shapeFor([PRIMARY_GROUP], () => false),
    controls: reader.controls,
    what: "the read of members by their primary group",
    pageSize: PAGE_SIZE,
  });
  const found = new Map<string, string[]>();
  for (const { guid, values } of people) {
    const group = groups.get(typeof values[0] === "string" ? values[0] : "");
    if (group === undefined || guid === undefined) continue;
    const members = found.get(group);
    if (members === undefined) found.set(group, [guid]);
    else members.push(guid);
  }
  for (const record of page.records) {
    const primary = found.get(record.nativeId);
    if (primary === undefined || record.members === undefined || !("set" in record.members)) continue;
    record.members = { set: [...new Set([...record.members.set, ...primary])] };
  }
}

/** Filters for groups by their number within the domain; none where the domain hides its own identifier. */
export async function groupsByToken(
  session: Session,
  { base, tokens }: { base: string; tokens: ReadonlySet<string> },
): Promise<EqualityFilter[]> {
  if (tokens.size === 0) return [];
  const suffix = await session.suffixOf(base);
  const search = { base: suffix, scope: "base", filter: "(objectClass=*)", shape: shapeFor(["objectSid"], () => false) } as const;
  const found = await session.call((client) => client.searchIfThere({ ...search, what: "the reading of the domain's identifier" }));
  const domain = found?.[0]?.values[0];
  if (typeof domain !== "string") return [];
  return [...tokens].map((token) => new EqualityFilter({ attribute: "objectSid", value: `${domain}-${token}` }));
}
