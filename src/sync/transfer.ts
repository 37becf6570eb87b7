import type { AttributeValue } from "../../connectors/contract.ts";
import { TRANSFER_DATE, TRANSFERS, type Contribution } from "../directory/attributes.ts";
import { instantOf, type EmploymentPolicy } from "../directory/employment-period.ts";
import { zoneOf } from "./employment.ts";

export interface Transferred {
  /** What the account contributes at this instant. */
  contribution: Contribution;
  /** When it will be something else; null when no transfer lies ahead. */
  ahead: Date | null;
}

/**
 * What an account contributes now that names a transfer: from the date on, what it says for then takes the place of what it
 * says for today; what it says nothing of stays. Pure. Throws `invalid` when the date can't be read.
 */
export function transferred(
  contribution: Contribution,
  { policy, now }: { policy: Pick<EmploymentPolicy, "timeZone">; now: Date },
): Transferred {
  const value = contribution[TRANSFER_DATE];
  if (typeof value !== "string" || value.trim() === "") return { contribution, ahead: null };
  const at = instantOf({ value, timeZone: zoneSaid(contribution, policy) }, TRANSFER_DATE);
  if (at > now) return { contribution, ahead: at };
  const then = [...TRANSFERS].flatMap(([name, { key }]): [string, AttributeValue][] => {
    const said = contribution[name];
    return isSaid(said) ? [[key, said]] : [];
  });
  return { contribution: { ...contribution, ...Object.fromEntries(then) }, ahead: null };
}

function zoneSaid(contribution: Contribution, policy: Pick<EmploymentPolicy, "timeZone">): string {
  const [ofEmployment, own] = [contribution["employment.timeZone"], contribution["timezone"]];
  if (typeof ofEmployment === "string" && ofEmployment.trim() !== "") return ofEmployment.trim();
  return zoneOf(typeof own === "string" ? own.trim() : undefined, policy);
}

function isSaid(value: AttributeValue | undefined): value is AttributeValue {
  return Array.isArray(value) ? value.some((each) => each !== "") : value !== undefined && value !== null && value !== "";
}
