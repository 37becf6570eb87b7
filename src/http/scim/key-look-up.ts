import { TOKEN_STAMP, type TokenProof } from "../../auth/tokens.ts";
import type { PlainValue } from "../../db/shared-reads.ts";
import type { Call } from "./call.ts";
import type { Filter } from "./filter/ast.ts";
import type { ListRequest } from "./list-request.ts";
import { listStatement } from "./list-statement.ts";
import { placedView } from "./placed-view.ts";
import { isLeftOutWhole, keyOf } from "./projection.ts";
import type { ResourceType } from "./resource-type.ts";
import { pathOf } from "./view.ts";

export interface KeyLookUpOptions {
  type: ResourceType;
  request: ListRequest;
  proof?: TokenProof | undefined;
}

/** A list's statement with its values. */
export interface KeyLookUp {
  name: string;
  text: string;
  values: PlainValue[];
  /** Its resources have all left out that was to be left out. */
  isFinal: boolean;
}

/**
 * The statement of a list whose filter is one key and its value, as `userName eq "ann"`: what clients ask before every write. It is
 * made once for each form, since making it and finding its name again costs a tenth of the answer. Undefined for every other list.
 */
export function keyLookUp(call: Call, options: KeyLookUpOptions): KeyLookUp | undefined {
  const { request, proof } = options;
  const sought = soughtBy(request);
  if (!sought) return undefined;
  const form = formOf(call, { ...options, path: sought.path });
  if (!form) return undefined;
  const { name, text, isFinal, values } = form;
  const own = { value: sought.value, offset: request.startIndex - 1, count: request.count, hash: proof?.hash ?? null };
  return { name, text, isFinal, values: values(call, own) };
}

/** The key's path and the value; undefined for a list that is more than a look-up. */
function soughtBy({ filter, sort, cursor, count, isEmpty }: ListRequest): { path: string; value: string } | undefined {
  if (!filter || sort || cursor !== undefined || count === 0 || isEmpty) return undefined;
  if (filter.kind !== "compare" || filter.operator !== "eq" || typeof filter.value !== "string") return undefined;
  return { path: pathOf(filter.target), value: filter.value };
}

type Place = "value" | "offset" | "count" | "hash";

/** Stand for the values while a statement is made. A condition that is made of the value, and not with it, gives this one away. */
const VALUE = `Any "value" 100%_\\`;
const START = 0;
const COUNT = -2;
const HASH = "hash";
const PLACES: readonly (readonly [unknown, Place])[] = [
  [VALUE, "value"],
  [START - 1, "offset"],
  [COUNT, "count"],
  [HASH, "hash"],
];

interface Form extends Omit<KeyLookUp, "values"> {
  values(call: Call, own: Readonly<Record<Place, PlainValue>>): PlainValue[];
}

/** Forms by all that they depend on, null where there can be none. Clients make up projections; so they are not kept for ever. */
const MADE = new Map<string, Form | null>();
const MOST_MADE = 500;
/** Names by texts, of which there are few: what a projection leaves unread is one of few sets. */
const NAMES = new Map<string, string>();

function formOf(call: Call, options: KeyLookUpOptions & { path: string }): Form | null {
  const { type, request, proof, path } = options;
  const key = `${type.kind} ${call.visibility} ${call.reader ? "reader" : ""} ${proof ? "proof" : ""} ${path} ${request.projection ? keyOf(request.projection) : ""}`;
  const known = MADE.get(key);
  if (known !== undefined) return known;
  const made = makeForm(call, options);
  if (MADE.size >= MOST_MADE) MADE.clear();
  MADE.set(key, made);
  return made;
}

function makeForm(call: Call, { type, request, proof, path }: KeyLookUpOptions & { path: string }): Form | null {
  const { view, parameters, values, isWhole } = placedView(call, { type, own: PLACES });
  const { filter, projection } = request;
  if (!view.equals.has(path) || filter?.kind !== "compare") return null;
  const any: Filter = { ...filter, value: VALUE };
  const stamp = proof && TOKEN_STAMP(`${parameters.add(HASH)}::bytea`);
  const text = listStatement({ view, parameters, request: { ...request, filter: any, startIndex: START, count: COUNT }, stamp });
  // A key that asks what its value looks like has no statement that serves every value.
  if (!isWhole() || !parameters.values.includes(VALUE)) return null;
  const name = NAMES.get(text) ?? `key-${NAMES.size}`;
  NAMES.set(text, name);
  return { name, text, values, isFinal: projection !== undefined && isLeftOutWhole(projection, view) };
}
