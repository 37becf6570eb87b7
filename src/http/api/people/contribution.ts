import type { AttributeValue } from "../../../../connectors/contract.ts";
import { CUSTOM_PREFIX } from "../../../directory/attributes.ts";
import type { PersonAttributesInput } from "./schemas.ts";

/** What stands in a body and is no attribute under that name. */
const ELSEWHERE: ReadonlySet<string> = new Set(["name", "managerId", "custom", "reason"]);

/** A body's attributes as attribute keys, as in a mapping: `name.givenName`, `manager`. Custom ones must have been checked before. */
export function changesOf(
  body: PersonAttributesInput,
  custom: Readonly<Record<string, AttributeValue | null>>,
): Record<string, AttributeValue | null> {
  const { name, managerId } = body;
  const plain = Object.entries(body).filter(([key]) => !ELSEWHERE.has(key));
  const named = Object.entries(name ?? {}).map(([key, value]) => [`name.${key}`, value] as const);
  const own = Object.entries(custom).map(([key, value]) => [`${CUSTOM_PREFIX}${key}`, value] as const);
  const given = [...plain, ...named, ...own, ["manager", managerId] as const].filter(([, value]) => value !== undefined);
  // A JSON document without undefined, as it is kept.
  return JSON.parse(JSON.stringify(Object.fromEntries(given))) as Record<string, AttributeValue | null>;
}
