import type { Work } from "../db/database.ts";
import { findCustomAttribute, removeCustomAttribute } from "../directory/custom-attributes.ts";
import { AppError } from "../errors.ts";
import { lockRules } from "./rule-lock.ts";

const MOST_NAMED = 5;

/**
 * Takes an attribute of the organisation's own out of the catalogue and every profile, unless conditions of rules ask for it: what they give
 * would hang from nothing then. By the names as words, so that it errs towards refusing. Throws `not_found`, and `conflict` naming the rules.
 */
export async function withdrawAttribute(work: Work, key: string): Promise<void> {
  await lockRules(work.sql, "shared");
  const attribute = await findCustomAttribute(work.sql, key, { lock: true });
  const { rows } = await work.sql.query<{ name: string }>(
    `select name from rules where deleted_at is null and condition ~ '\\mcustom\\M' and condition ~ ('\\m' || $1 || '\\M') order by name limit $2`,
    [attribute.key, MOST_NAMED],
  );
  if (rows.length > 0)
    throw new AppError(
      "conflict",
      `Conditions of rules ask for ${attribute.key} (${rows.map(({ name }) => name).join(", ")}): change or take away these first.`,
      { field: "key" },
    );
  await removeCustomAttribute(work, attribute.key);
}
