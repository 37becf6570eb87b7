/** What a pattern is called, and which detector finds it. */
export const INCIDENT_KINDS = [
  "many_failures",
  "spraying",
  "stuffing",
  "network_change",
  "dormant_waking",
  "factor_fatigue",
  "recovery_removal",
  "token_place",
  "right_password_refused",
] as const;

export type IncidentKind = (typeof INCIDENT_KINDS)[number];

export type SubjectType = "person" | "network" | "token" | "organisation";

/** What an incident is about; `personId` is whose it is, where it is somebody's. */
export interface Subject {
  type: SubjectType;
  id: string;
  personId: string | null;
}

/** Counts, networks and places; never a name or a secret. */
export type Facts = Readonly<Record<string, number | string | null | string[]>>;

/** What a detector says of one subject. */
export interface Evidence {
  firstAt: Date;
  lastAt: Date;
  facts: Facts;
}

export interface Finding extends Evidence {
  kind: IncidentKind;
  subject: Subject;
}

const MOST_NAMED = 20;

/** The different texts, sorted, and of many only some. */
export function named(texts: readonly (string | null)[]): string[] {
  return [...new Set(texts.flatMap((text) => text ?? []))].sort().slice(0, MOST_NAMED);
}
