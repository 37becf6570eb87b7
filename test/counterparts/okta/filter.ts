import { invalidCriteria } from "./errors.ts";

/** Whether a resource meets an expression of Okta's `filter` or `search`. */
export type Condition = (resource: object) => boolean;

type Operator = "eq" | "gt" | "ge" | "lt" | "le" | "sw" | "co";

export interface Grammar {
  /** Operators by property; a property that is not named is refused. Ends with `.*` for all below it. */
  properties: Readonly<Record<string, readonly Operator[]>>;
  /** `filter` compares values in their case, `search` does not. */
  caseSensitive: boolean;
}

const ORDERED: readonly Operator[] = ["eq", "gt", "ge", "lt", "le"];

/** What Okta's reference lists for each of the two ways to ask for people and groups. */
export const GRAMMARS = {
  userFilter: {
    caseSensitive: true,
    properties: {
      ...{ status: ["eq"], id: ["eq"], lastUpdated: ORDERED },
      ...{ "profile.login": ["eq"], "profile.email": ["eq"], "profile.firstName": ["eq"], "profile.lastName": ["eq"] },
    },
  },
  userSearch: {
    caseSensitive: false,
    properties: {
      ...{ id: ["eq", "sw"], status: ORDERED, created: ORDERED, activated: ORDERED, statusChanged: ORDERED, lastUpdated: ORDERED },
      ...{ "type.id": ["eq"], "profile.*": [...ORDERED, "sw", "co"] },
    },
  },
  groupFilter: { caseSensitive: true, properties: { id: ["eq"], type: ["eq"], lastUpdated: ORDERED, lastMembershipUpdated: ORDERED } },
  groupSearch: {
    caseSensitive: false,
    properties: {
      ...{ id: ["eq"], type: ["eq"], created: ORDERED, lastUpdated: ORDERED, lastMembershipUpdated: ORDERED },
      ...{ "profile.*": [...ORDERED, "sw", "co"] },
    },
  },
} satisfies Record<string, Grammar>;

/** Parses an expression; throws Okta's "Invalid search criteria." */
export function parseFilter(text: string, grammar: Grammar): Condition {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[()]|[^\s()"]+/g) ?? [];
  let at = 0;
  const accept = (word: string) => tokens[at]?.toLowerCase() === word && at++ >= 0;
  const either = (): Condition => {
    const parts = [both()];
    while (accept("or")) parts.push(both());
    return (resource) => parts.some((part) => part(resource));
  };
  const both = (): Condition => {
    const parts = [single()];
    while (accept("and")) parts.push(single());
    return (resource) => parts.every((part) => part(resource));
  };
  const single = (): Condition => {
    if (!accept("(")) return comparison();
    const inner = either();
    if (!accept(")")) throw invalidCriteria();
    return inner;
  };
  const comparison = (): Condition => {
    const [property = "", operator = "", value = ""] = tokens.slice(at, at + 3);
    at += 3;
    const allowed = operatorsOf(grammar, property);
    const known = allowed?.find((each) => each === operator.toLowerCase());
    if (known === undefined || !value.startsWith('"')) throw invalidCriteria();
    const wanted = JSON.parse(value) as string;
    return (resource) => compare(valueAt(resource, property), known, { wanted, caseSensitive: grammar.caseSensitive });
  };
  const condition = either();
  if (at !== tokens.length) throw invalidCriteria();
  return condition;
}

function operatorsOf({ properties }: Grammar, property: string): readonly Operator[] | undefined {
  return properties[property] ?? (property.startsWith("profile.") ? properties["profile.*"] : undefined);
}

function valueAt(resource: object, property: string): unknown {
  return property
    .split(".")
    .reduce<unknown>(
      (value, key) => (typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined),
      resource,
    );
}

function compare(value: unknown, operator: Operator, { wanted, caseSensitive }: { wanted: string; caseSensitive: boolean }): boolean {
  if (typeof value !== "string") return false;
  const [left, right] = caseSensitive ? [value, wanted] : [value.toLowerCase(), wanted.toLowerCase()];
  const answers: Record<Operator, boolean> = {
    eq: left === right,
    gt: left > right,
    ge: left >= right,
    lt: left < right,
    le: left <= right,
    sw: left.startsWith(right),
    co: left.includes(right),
  };
  return answers[operator];
}
