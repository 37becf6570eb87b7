import { findAttribute, type SchemaAttribute } from "../schema.ts";
import { bendFilter } from "./filter-text.ts";
import { placedName } from "./names.ts";
import type { BendOptions } from "./resource.ts";

/** A path as the grammar has it, and what it names. */
export interface BentPath {
  text: string;
  attribute?: SchemaAttribute;
  sub?: SchemaAttribute;
  /** Elements are chosen by a filter. */
  filtered: boolean;
  /** It names the whole resource: there is no path, really. */
  isWhole: boolean;
}

const PARTS = /^([^[\]]+)(?:\[([\s\S]*)\](?:\.([\w$-]+))?)?$/;
const LONGEST = 8192;

/** Reads a patch's path as its client means it. What nobody knows stays as it is, for the operation's reader to refuse. */
export function bendPath(given: string, options: BendOptions): BentPath {
  const { schema, bending } = options;
  const text = given.trim();
  const as = (found: Partial<BentPath> = {}): BentPath => ({ text, filtered: false, isWhole: false, ...found });
  if (text.length > LONGEST) return as();
  if (text.toLowerCase() === schema.urn.toLowerCase()) return as({ isWhole: bending.allows("path-core-urn") });
  const [, head = "", filter, trailing] = PARTS.exec(text) ?? [];
  if (head === "") return as();
  const name = placedName(head.trim(), options);
  const found = findAttribute(schema, name);
  if (!found?.attribute) return as({ text: text === head ? name : text });
  const { attribute } = found;
  if (filter === undefined) return as({ text: name, attribute, ...(found.sub ? { sub: found.sub } : {}) });
  const sub = trailing === undefined ? undefined : attribute.subAttributes.get(trailing.toLowerCase());
  if (trailing !== undefined && !sub) return as();
  const chosen = bendFilter(filter, { schema, bending, inside: attribute });
  return as({ text: `${name}[${chosen}]${sub ? `.${sub.name}` : ""}`, attribute, ...(sub ? { sub } : {}), filtered: true });
}
