import type { AttributeObject, AttributeValue } from "../../../connectors/contract.ts";
import type { Sql } from "../../db/database.ts";

/** Attributes of a profile whose texts somebody would put into a password, and others would try. */
const TELLING = ["userName", "displayName", "nickName", "name", "emails", "phoneNumbers", "externalId"];

/** Names, logins, addresses and numbers of a person: what no password of theirs may be made of. Empty for somebody unknown. */
export async function aboutPerson(sql: Sql, personId: string): Promise<string[]> {
  const { rows } = await sql.query<{ columns: (string | null)[]; attributes: AttributeObject }>(
    `select array[user_name::text, email::text, employee_number, external_id, display_name] as columns, attributes from people where id = $1`,
    [personId],
  );
  const [person] = rows;
  if (!person) return [];
  const texts = TELLING.flatMap((key) => textsIn(person.attributes[key]));
  return [...new Set([...person.columns.filter((text) => text !== null), ...texts])];
}

/** Texts at any depth; of elements with a `value` that alone, not their types. */
function textsIn(value: AttributeValue | undefined): string[] {
  if (typeof value === "string") return [value];
  if (Array.isArray(value)) return (value as readonly AttributeValue[]).flatMap((each) => textsIn(each));
  if (typeof value !== "object" || value === null) return [];
  const object = value as AttributeObject;
  return object["value"] === undefined ? Object.values(object).flatMap((each) => textsIn(each)) : textsIn(object["value"]);
}
