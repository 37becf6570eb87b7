import type { AttributeObject, AttributeValue, Kind } from "../../connectors/contract.ts";
import type { Mapping } from "../connections/definition.ts";
import { TRANSFER_DATE, TRANSFERS, fromProfile, personAttribute, type Contribution } from "../directory/attributes.ts";
import { DEFAULT_EMPLOYMENT, type EmploymentPolicy } from "../directory/employment-period.ts";
import { AppError } from "../errors.ts";
import { compileExpression, compileStored, type ExpectedType, type Expression } from "../expressions/compile.ts";

export interface CompiledKind {
  /** False: outside the scope. */
  inScope(attributes: AttributeObject): boolean;
  /** What the account contributes. Throws `invalid` when an expression fails on it. */
  map(attributes: AttributeObject): Contribution;
  /** Attributes with a precedence of their own. */
  precedence: Readonly<Record<string, number>>;
  /** Whether it names a date of transfer: then what an account contributes depends on the time. */
  transfers: boolean;
}

export interface CompiledMapping {
  kinds: Readonly<Record<Kind, CompiledKind | undefined>>;
  match: Mapping["match"];
  situations: Mapping["situations"];
  /** How dates of employment are read. */
  employment: EmploymentPolicy;
}

const UNIT_KEYS = new Set(["name", "code", "type"]);
const GROUP_KEYS = new Set(["displayName", "externalId", "description"]);
/** `emails.work` fills the element of that type in the list `emails`. */
const LIST_ELEMENT = /^(emails|phoneNumbers|ims|photos|addresses)\.([a-z]+)$/;

/** Compiles a connection's mapping; throws `invalid` naming the field, the position and the expected type. Without a mapping, SCIM-shaped attributes are taken as they are. */
export function compileMapping(mapping: Mapping | null): CompiledMapping {
  return compiledWith(compileExpression, mapping);
}

/**
 * As compileMapping, of another connection than the one in hand. An expression that does not compile any more fails on every account
 * instead: that connection's own runs say so, and what the others say of the same people goes on.
 */
export function compileOtherMapping(mapping: Mapping | null): CompiledMapping {
  return compiledWith(compileStored, mapping);
}

type Compile = typeof compileExpression;

function compiledWith(compile: Compile, mapping: Mapping | null): CompiledMapping {
  if (!mapping) return SCIM_SHAPED;
  const kind = (name: Kind) => (mapping[name] ? compileKind(compile, name, mapping[name]) : undefined);
  // A mapping that names no kind says how to match and to read dates; attributes are as without one.
  const named = mapping.user ?? mapping.group ?? mapping.unit;
  return {
    kinds: named ? { user: kind("user"), group: kind("group"), unit: kind("unit") } : SCIM_SHAPED.kinds,
    match: mapping.match,
    situations: mapping.situations,
    employment: mapping.employment ?? DEFAULT_EMPLOYMENT,
  };
}

const everything = { inScope: () => true, precedence: {}, transfers: false };
const SCIM_SHAPED: CompiledMapping = {
  kinds: {
    user: { ...everything, map: fromProfile },
    group: { ...everything, map: (attributes) => pick(attributes, GROUP_KEYS) },
    unit: { ...everything, map: (attributes) => pick(attributes, UNIT_KEYS) },
  },
  match: ["userName"],
  situations: { unmatched: "create", unlinked: "link", deleted: "deactivate", disabled: "suspend" },
  employment: DEFAULT_EMPLOYMENT,
};

function pick(attributes: AttributeObject, keys: ReadonlySet<string>): Contribution {
  return Object.fromEntries(Object.entries(attributes).filter(([key]) => keys.has(key)));
}

interface CompiledAttribute {
  key: string;
  /** Element type, for `emails.work`. */
  element?: string;
  expected: ExpectedType;
  evaluate: Expression;
}

function compileKind(compile: Compile, kind: Kind, mapping: NonNullable<Mapping["user"]>): CompiledKind {
  const precedence: Record<string, number> = {};
  const attributes = Object.entries(mapping.attributes).map(([key, mapped]): CompiledAttribute => {
    const field = `mapping.${kind}.attributes.${key}`;
    const source = typeof mapped === "string" ? mapped : mapped.value;
    const target = targetOf(kind, key, field);
    if (typeof mapped !== "string" && mapped.precedence !== undefined) precedence[target.key] = mapped.precedence;
    return { ...target, evaluate: compile({ source, subject: "account", expects: target.expected, field }) };
  });
  const scope =
    mapping.scope === undefined
      ? undefined
      : compile({ source: mapping.scope, subject: "account", expects: "bool", field: `mapping.${kind}.scope` });
  return {
    precedence,
    inScope: (account) => scope === undefined || scope(account) === true,
    map: (account) => mapAttributes(attributes, account),
    transfers: TRANSFER_DATE in mapping.attributes,
  };
}

function targetOf(kind: Kind, key: string, field: string): { key: string; element?: string; expected: ExpectedType } {
  if (kind !== "user") {
    const known = kind === "unit" ? UNIT_KEYS : GROUP_KEYS;
    if (!known.has(key))
      throw new AppError("invalid", `${field}: a ${kind} has no attribute ${key}; there are ${[...known].join(", ")}.`, { field });
    return { key, expected: "string" };
  }
  if (key === TRANSFER_DATE) return { key, expected: "string" };
  const [, list, element] = LIST_ELEMENT.exec(key) ?? [];
  if (list && element) return { key: list, element, expected: "any" };
  const attribute = TRANSFERS.get(key) ?? personAttribute(key);
  if (!attribute) throw new AppError("invalid", `${field}: a person has no attribute ${key}.`, { field });
  if (attribute.type === "boolean") return { key, expected: "bool" };
  if (attribute.type === "references") return { key, expected: "list" };
  if (attribute.type === "list" || attribute.type === "custom") return { key, expected: "any" };
  return { key, expected: "string" };
}

function mapAttributes(attributes: readonly CompiledAttribute[], account: AttributeObject): Contribution {
  const contribution: Record<string, AttributeValue> = {};
  for (const { key, element, expected, evaluate } of attributes) {
    const value = evaluate(account);
    if (value === undefined || value === null || value === "") {
      // Nothing of anything else leaves the word to other origins; units are each one's own, and whom it names none for is in none.
      if (key === "units") contribution[key] = [];
      continue;
    }
    if (element !== undefined) {
      const list = (contribution[key] as readonly AttributeObject[] | undefined) ?? [];
      contribution[key] = [...list, { value: plainText(value), type: element, ...(list.length === 0 ? { primary: true } : {}) }];
    } else if (expected === "string") contribution[key] = plainText(value);
    else if (expected === "bool") contribution[key] = asBoolean(value, key);
    else if (expected === "list") contribution[key] = Array.isArray(value) ? value : [plainText(value)];
    else contribution[key] = value;
  }
  return contribution;
}

function plainText(value: AttributeValue): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return plainText((value[0] as AttributeValue | undefined) ?? "");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function asBoolean(value: AttributeValue, key: string): boolean {
  if (typeof value === "boolean") return value;
  const text = plainText(value).toLowerCase();
  if (["true", "1", "yes"].includes(text)) return true;
  if (["false", "0", "no"].includes(text)) return false;
  throw new AppError("invalid", `${key}: expected true or false, got ${JSON.stringify(value)}.`, { field: key });
}
