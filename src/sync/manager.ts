import type { Contribution } from "../directory/attributes.ts";
import type { Origin } from "./merge.ts";
import type { KnownAccount } from "./records.ts";

/** The reference of the manager whom an account names; null for none. */
export function managerNamed(contribution: Contribution): string | null {
  const manager = contribution["manager"];
  return typeof manager === "string" && manager !== "" ? manager : null;
}

interface Remapped {
  known: KnownAccount | undefined;
  /** The person's other origins. */
  others: readonly Origin[];
  /** Of the mapping by which the account contributes now. */
  mappingVersion: number;
}

/**
 * Whether the manager may be another since the mapping is another. What is stored of an account is mapped as it would be now, so that
 * comparing shows nothing; nor is it known which of several origins had the say before. Pure.
 */
export function managerRemapped(contribution: Contribution, { known, others, mappingVersion }: Remapped): boolean {
  if (!known || known.mappingVersion === mappingVersion) return false;
  return known.mapped?.manager !== managerNamed(contribution) || others.some((origin) => managerNamed(origin.contribution) !== null);
}
