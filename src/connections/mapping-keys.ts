import type { Kind } from "../../connectors/contract.ts";
import { PERSON_ATTRIBUTES, TRANSFER_DATE, TRANSFERS, personAttribute, type PersonAttributeType } from "../directory/attributes.ts";
import type { ExpectedType } from "../expressions/compile.ts";

/** Lists whose elements have a type: `emails.work: account.mail` fills the element of type `work`. */
const TYPED_LISTS: readonly string[] = ["emails", "phoneNumbers", "ims", "photos"];

const GROUP_KEYS: readonly string[] = ["displayName", "externalId", "description"];
const UNIT_KEYS: readonly string[] = ["name", "code", "type"];

const EXPECTED: Readonly<Record<PersonAttributeType, ExpectedType>> = {
  string: "string",
  boolean: "bool",
  reference: "string",
  references: "list",
  list: "list",
  custom: "any",
};

/** What a mapped attribute's expression must give, or undefined when there is no such attribute. */
export function expectedOf(kind: Kind, key: string): ExpectedType | undefined {
  if (kind === "group") return GROUP_KEYS.includes(key) ? "string" : undefined;
  if (kind === "unit") return UNIT_KEYS.includes(key) ? "string" : undefined;
  if (key === TRANSFER_DATE) return "string";
  const attribute = TRANSFERS.get(key) ?? personAttribute(key);
  if (attribute) return EXPECTED[attribute.type];
  return typedElement(key) ? "string" : undefined;
}

/** `emails.work` as list and type; undefined when the key is not such a one. */
export function typedElement(key: string): { list: string; type: string } | undefined {
  const match = /^([A-Za-z]+)\.([a-z]+)$/.exec(key);
  const [, list, type] = match ?? [];
  return list !== undefined && type !== undefined && TYPED_LISTS.includes(list) ? { list, type } : undefined;
}

/** The attributes that a mapping of this kind may fill, for the sentence that refuses another. */
export function knownKeys(kind: Kind): string {
  if (kind === "group") return GROUP_KEYS.join(", ");
  if (kind === "unit") return UNIT_KEYS.join(", ");
  const typed = TYPED_LISTS.map((list) => `${list}.<type>`);
  return [...PERSON_ATTRIBUTES.map(({ key }) => key), ...typed, "custom.<key>", TRANSFER_DATE, ...TRANSFERS.keys()].join(", ");
}
