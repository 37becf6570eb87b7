import type { RecordProblem } from "../../connectors/contract.ts";
import type { Sql } from "../db/database.ts";
import { profileColumns, type Contribution } from "../directory/attributes.ts";
import { claimsValues, CLAIMS, claimsOf, type ClaimRow } from "./known.ts";
import { matchValues } from "./match.ts";
import type { Item, KnownPerson } from "./records.ts";

/**
 * Whether somebody is called, or written to, by what another origin says than the record that was decided about: nobody has looked yet
 * whose that is. Pure.
 */
export function speaksForOthers({ action, payload: { person } }: Item, contribution: Contribution): boolean {
  if (!person) return false;
  const isOwn = (key: "userName" | "emails", value: string) => matchValues(contribution, key).includes(value);
  return action === "delete" || !isOwn("userName", person.userName) || (person.email !== null && !isOwn("emails", person.email));
}

/**
 * Somebody who leaves one origin is from now on what the others say; and whom another origin masters is what that one says, whatever is
 * decided about. Where that is a login name or an address that has become somebody else's, they keep the one they had (or go without an
 * address): nobody stays in, or as they were, for want of a name. Says who.
 */
export async function settleHandOver(
  sql: Sql,
  { connectionId, items, people }: { connectionId: number; items: readonly Item[]; people: ReadonlyMap<string, KnownPerson> },
): Promise<RecordProblem[]> {
  const handed = items.filter(({ payload }) => payload.person);
  if (handed.length === 0) return [];
  const { rows } = await sql.query<ClaimRow>({
    name: "sync_find_claims",
    text: CLAIMS,
    values: claimsValues({ connectionId, keys: [], contributions: handed.map(({ payload }) => payload.person?.attributes ?? {}) }),
  });
  const { byUserName, byEmail } = claimsOf(rows, []);
  return handed.flatMap((item) => {
    const { person } = item.payload;
    const before = people.get(item.subjectId ?? "");
    if (!person || !before) return [];
    const problems: string[] = [];
    const name = profileColumns(before.attributes).userName;
    if (isAnothers(byUserName.get(person.userName), before.id)) {
      problems.push(`the userName ${person.userName} belongs to another person: ${name} stays`);
      person.attributes = { ...person.attributes, userName: name };
      person.userName = name;
      person.changed = person.changed.filter((key) => key !== "userName");
    }
    if (person.email !== null && isAnothers(byEmail.get(person.email), before.id)) {
      problems.push(`the e-mail address ${person.email} belongs to another person: it stands in the profile, but messages don't go there`);
      person.email = null;
    }
    return problems.map((problem) => ({
      kind: item.kind,
      nativeId: item.nativeId,
      code: "conflict",
      message: `What another origin says of ${item.action === "delete" ? "whom this one lets go" : "them"} could not be taken over whole: ${problem}.`,
    }));
  });
}

function isAnothers(holder: string | undefined, personId: string): boolean {
  return holder !== undefined && holder !== personId;
}
