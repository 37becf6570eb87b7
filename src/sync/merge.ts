import type { AttributeObject, AttributeValue } from "../../connectors/contract.ts";
import { PERSON_ATTRIBUTES, toProfile, type Contribution } from "../directory/attributes.ts";

/** A date of employment, with who says it. */
export interface SaidDate {
  value: string;
  connectionId: number | null;
  /** Of the person, as the same origin says it. */
  timeZone: string | undefined;
}

/** One origin's word about a person. */
export interface Origin {
  /** null = edited here. */
  connectionId: number | null;
  /** Lower wins; equal ones by connection id, and of one connection who was there first. */
  precedence: number;
  /** Absent of an account that is not stored yet. */
  accountId?: number | undefined;
  /** Attributes with a precedence of their own. */
  overrides: Readonly<Record<string, number>>;
  contribution: Contribution;
}

export interface Merged {
  profile: AttributeObject;
  /** The organisation's own attributes, without the prefix `custom.`. */
  custom: AttributeObject;
  /** Attribute key to the connection that masters it; local ones are left out. `*` stands for all that are not named. */
  mastery: Readonly<Record<string, number>>;
  /** Who says whether the person is active, when anybody does. */
  active: { value: boolean; connectionId: number | null } | undefined;
  manager: { reference: string; connectionId: number | null } | undefined;
  /** When the person is employed, when anybody says so. */
  employment: { start?: SaidDate; end?: SaidDate; timeZone: string | undefined } | undefined;
}

/** Local edits win over every origin that has not claimed an attribute for itself by a precedence below this. */
export const LOCAL_PRECEDENCE = 1000;

const CUSTOM = "custom.";
/** In `mastery`: all attributes that are not named. */
export const EVERYTHING = "*";
const KEYS = PERSON_ATTRIBUTES.map((attribute) => attribute.key);

/** Merges what the origins say, attribute by attribute. Independent of the order in which they are given. */
export function mergeOrigins(origins: readonly Origin[]): Merged {
  const [single, second] = origins;
  // Most people have one origin: who masters what is said once, not twenty times.
  if (single && !second) {
    const { connectionId, contribution } = single;
    return mergedFrom(contribution, { mastery: connectionId === null ? {} : { [EVERYTHING]: connectionId }, sayer: () => single });
  }
  const merged: Record<string, AttributeValue> = {};
  const mastery: Record<string, number> = {};
  const winners: Record<string, Origin> = {};
  for (const key of [...KEYS, ...ownKeys(origins)]) {
    const winner = winnerOf(origins, key);
    const value = winner?.contribution[key];
    if (!winner || value === undefined || value === null) continue;
    winners[key] = winner;
    merged[key] = value;
    if (winner.connectionId !== null && key !== "units") mastery[key] = winner.connectionId;
  }
  return mergedFrom(merged, { mastery, sayer: (key) => winners[key] });
}

function mergedFrom(
  values: Contribution,
  { mastery, sayer }: { mastery: Readonly<Record<string, number>>; sayer: (key: string) => Origin | undefined },
): Merged {
  const { active, manager } = values;
  const own = Object.keys(values).filter((key) => key.startsWith(CUSTOM) && hasValue(values[key]));
  return {
    profile: toProfile(values),
    custom: Object.fromEntries(own.sort().map((key) => [key.slice(CUSTOM.length), values[key]])),
    mastery,
    active: typeof active === "boolean" ? { value: active, connectionId: sayer("active")?.connectionId ?? null } : undefined,
    manager:
      typeof manager === "string" && manager !== ""
        ? { reference: manager, connectionId: sayer("manager")?.connectionId ?? null }
        : undefined,
    employment: employmentOf(values, sayer),
  };
}

/** A zone that is not said for the employment is that of the same origin's: nobody prolongs access by a preference set elsewhere. */
function employmentOf(values: Contribution, sayer: (key: string) => Origin | undefined): Merged["employment"] {
  const start = values["employment.startDate"];
  const end = values["employment.endDate"];
  if (start === undefined && end === undefined) return undefined;
  const said = (key: string, value: AttributeValue | undefined): SaidDate | undefined => {
    if (typeof value !== "string" || value.trim() === "") return undefined;
    const origin = sayer(key);
    return { value, connectionId: origin?.connectionId ?? null, timeZone: textOf(origin?.contribution["timezone"]) };
  };
  const from = said("employment.startDate", start);
  const to = said("employment.endDate", end);
  if (!from && !to) return undefined;
  return { ...(from ? { start: from } : {}), ...(to ? { end: to } : {}), timeZone: textOf(values["employment.timeZone"]) };
}

/** A text without what is around it; undefined when it says nothing. */
export function textOf(value: AttributeValue | undefined): string | undefined {
  return typeof value === "string" && value.trim() !== "" ? value.trim() : undefined;
}

function ownKeys(origins: readonly Origin[]): Set<string> {
  return new Set(origins.flatMap((origin) => Object.keys(origin.contribution).filter((key) => key.startsWith(CUSTOM))));
}

function winnerOf(origins: readonly Origin[], key: string): Origin | undefined {
  let best: Origin | undefined;
  for (const origin of origins) {
    if (!hasValue(origin.contribution[key])) continue;
    if (!best || compare(origin, best, key) < 0) best = origin;
  }
  return best;
}

function compare(left: Origin, right: Origin, key: string): number {
  return (
    (left.overrides[key] ?? left.precedence) - (right.overrides[key] ?? right.precedence) ||
    (left.connectionId ?? Infinity) - (right.connectionId ?? Infinity) ||
    (left.accountId ?? Infinity) - (right.accountId ?? Infinity)
  );
}

function hasValue(value: AttributeValue | undefined): boolean {
  return value !== undefined && value !== null && value !== "" && !(Array.isArray(value) && value.length === 0);
}
