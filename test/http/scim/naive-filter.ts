/**
 * Filters evaluated as RFC 7644 section 3.4.2.2 tells them, word by word and slowly: what the server's answers are
 * compared with. It shares no code with the server: it has its own reader, and looks attributes up in its own description.
 */

export interface NaiveAttribute {
  name: string;
  type: "string" | "boolean" | "integer" | "decimal" | "dateTime" | "complex";
  multiValued: boolean;
  caseExact: boolean;
  subAttributes: readonly NaiveAttribute[];
}

export interface NaiveSchema {
  urn: string;
  attributes: readonly NaiveAttribute[];
  extensions: readonly { urn: string; attributes: readonly NaiveAttribute[] }[];
}

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };
export type NaiveResource = { readonly [name: string]: Json };
type Test = (subject: NaiveResource) => boolean;

/** Whether the filter is true of the resource. */
export function naively(schema: NaiveSchema, filter: string): Test {
  const words = filter.match(/"(?:[^"\\]|\\.)*"|[()[\]]|[^\s()[\]"]+/g) ?? [];
  let at = 0;
  const next = () => words[at++] ?? "";
  const peek = () => (words[at] ?? "").toLowerCase();

  const either = (find: Find): Test => {
    const parts = [both(find)];
    while (peek() === "or") parts.push((next(), both(find)));
    return (subject) => parts.some((part) => part(subject));
  };
  const both = (find: Find): Test => {
    const parts = [one(find)];
    while (peek() === "and") parts.push((next(), one(find)));
    return (subject) => parts.every((part) => part(subject));
  };
  const grouped = (find: Find): Test => {
    next();
    const inner = either(find);
    next();
    return inner;
  };
  const one = (find: Find): Test => {
    if (peek() === "(") return grouped(find);
    if (peek() === "not") {
      next();
      const inner = grouped(find);
      return (subject) => !inner(subject);
    }
    const path = find(next());
    if (peek() !== "[") return condition(path);
    const inside = grouped((name) => {
      const attribute = named(path.attribute.subAttributes, name);
      return { read: (subject) => read(subject, attribute), assumed: (subject) => assumed(subject, attribute), attribute };
    });
    return (subject) => list(path.read(subject)).some((element) => typeof element === "object" && inside(element as NaiveResource));
  };
  const condition = (path: Path): Test => {
    const operator = next().toLowerCase();
    if (operator === "pr") return (subject) => assigned(path.read(subject)).length > 0;
    const literal = JSON.parse(next()) as string | number | boolean | null;
    const complex = path.attribute.type === "complex";
    const leaf = complex ? named(path.attribute.subAttributes, "value") : path.attribute;
    const values = (subject: NaiveResource): Json[] => (literal !== null && path.assumed ? assigned(path.assumed(subject)) : said(subject));
    const said = (subject: NaiveResource) =>
      assigned(complex ? list(path.read(subject)).flatMap((element) => list(read(element as NaiveResource, leaf))) : path.read(subject));
    if (literal === null) return (subject) => (values(subject).length === 0) === (operator === "eq");
    if (operator === "ne")
      return (subject) => values(subject).length === 0 || values(subject).some((value) => !compares(leaf, "eq", value, literal));
    return (subject) => values(subject).some((value) => compares(leaf, operator, value, literal));
  };

  return either((name) => finder(schema, name));
}

interface Path {
  attribute: NaiveAttribute;
  read(subject: NaiveResource): Json | undefined;
  /** Of an element's `primary`: what it is where nothing says so, too. */
  assumed?: ((subject: NaiveResource) => Json | undefined) | undefined;
}

/** RFC 7643 section 2.4: "If not specified, the value of "primary" SHALL be assumed to be "false"." */
function assumed(element: NaiveResource, attribute: NaiveAttribute): Json | undefined {
  const value = read(element, attribute);
  return attribute.name === "primary" && attribute.type === "boolean" ? (value ?? false) : value;
}
type Find = (name: string) => Path;

function finder({ urn, attributes, extensions }: NaiveSchema, name: string): Path {
  for (const extension of extensions) {
    if (!name.toLowerCase().startsWith(`${extension.urn.toLowerCase()}:`)) continue;
    const inner = dotted(extension.attributes, name.slice(extension.urn.length + 1));
    const within = (subject: NaiveResource) => (subject[extension.urn] ?? {}) as NaiveResource;
    const { assumed: said } = inner;
    return { ...inner, read: (subject) => inner.read(within(subject)), assumed: said && ((subject) => said(within(subject))) };
  }
  return dotted(attributes, name.toLowerCase().startsWith(`${urn.toLowerCase()}:`) ? name.slice(urn.length + 1) : name);
}

function dotted(attributes: readonly NaiveAttribute[], name: string): Path {
  const [head = "", leaf] = name.split(".");
  const attribute = named(attributes, head);
  if (leaf === undefined) return { attribute, read: (subject) => read(subject, attribute) };
  const sub = named(attribute.subAttributes, leaf);
  return {
    attribute: sub,
    read: (subject) => list(read(subject, attribute)).flatMap((element) => list(read(element as NaiveResource, sub))),
    ...(attribute.multiValued && sub.name === "primary" && sub.type === "boolean"
      ? { assumed: (subject) => list(read(subject, attribute)).flatMap((element) => list(assumed(element as NaiveResource, sub))) }
      : {}),
  };
}

function named(attributes: readonly NaiveAttribute[], name: string): NaiveAttribute {
  const found = attributes.find((attribute) => attribute.name.toLowerCase() === name.toLowerCase());
  if (!found) throw new Error(`The test asks for ${name}, which its own schema does not have.`);
  return found;
}

function read(subject: NaiveResource, { name }: NaiveAttribute): Json | undefined {
  return subject[name];
}

function list(value: Json | undefined): readonly Json[] {
  return value === undefined || value === null ? [] : Array.isArray(value) ? value : [value as Json];
}

/** "No value" is null, an empty text, an empty list and, for a complex attribute, no sub-attribute (RFC 7643 section 2.5). */
function assigned(value: Json | undefined): Json[] {
  return list(value).filter((one) => one !== null && one !== "" && (typeof one !== "object" || Object.keys(one).length > 0));
}

function compares({ type, caseExact }: NaiveAttribute, operator: string, held: Json, literal: string | number | boolean): boolean {
  const form = (value: Json | number): string | number | boolean => {
    if (type === "dateTime") return Date.parse(String(value));
    if (type === "string") return caseExact ? String(value) : String(value).toLowerCase();
    return value as number | boolean;
  };
  const [left, right] = [form(held), form(literal)];
  switch (operator) {
    case "eq":
      return left === right;
    case "co":
      return String(left).includes(String(right));
    case "sw":
      return String(left).startsWith(String(right));
    case "ew":
      return String(left).endsWith(String(right));
    case "gt":
      return left > right;
    case "ge":
      return left >= right;
    case "lt":
      return left < right;
    default:
      return left <= right;
  }
}
