import type { AttributeObject } from "../../connectors/contract.ts";
import type { Mapping } from "../connections/definition.ts";
import { isObject, type Contribution } from "../directory/attributes.ts";
import { keepsItsLetters } from "../directory/letter-case.ts";
import { AppError } from "../errors.ts";

export type MatchKey = Mapping["match"][number];

/** Somebody whom an account might belong to. */
export interface Candidate {
  personId: string;
  key: MatchKey;
  /** As the account says it: whether that is the same but for case, the database has said. */
  value: string;
  /** The person already has another live account of this connection. */
  taken: boolean;
  /** Who said so here may not say it of everybody (see noteVouching). */
  unvouched: boolean;
}

/** RFC 7643 terms are the directory's; the situations are midPoint's. `linked` and `deleted` are known before matching. */
export type Match =
  | { situation: "unmatched" }
  | { situation: "unlinked"; personId: string; key: MatchKey }
  /** Whose account it was before it fell out of the scope. */
  | { situation: "returning"; personId: string }
  | { situation: "disputed"; candidates: readonly string[]; reason: string };

/** Of whom accounts are not believed (see noteVouching), and what settles it where there is no account to link. */
export const UNVOUCHED_WORD =
  "somebody who administers only a part of the organisation; an edit that says the same, by who administers all of it, settles that";

/** What is said of somebody whom a SCIM client has from a search alone, and by such a word. */
export function unvouchedFor({ personId, keys }: { personId: string; keys: readonly string[] }): AppError {
  const which = keys.toSorted().join(", ");
  return new AppError("conflict", `The user ${personId} is nobody of this client's yet, and has this from ${UNVOUCHED_WORD}: ${which}.`, {
    scimType: "uniqueness",
  });
}

/** The values by which an account may find its person; e-mail and login names ignore case. */
export function matchValues(contribution: Contribution, key: MatchKey): string[] {
  const said = contribution[key];
  const values =
    key !== "emails" ? [said] : Array.isArray(said) ? said.filter(isObject).map((email: AttributeObject) => email["value"]) : [];
  return values.filter((value): value is string => typeof value === "string" && value !== "");
}

/**
 * Decides whose account this is. Each key is tried in turn and the first that finds anybody counts; when another key
 * finds somebody else, or several, or somebody who already has an account of this connection, or who was given what they are found by
 * from somebody who may not give it to everybody, a human decides.
 */
export function matchAccount({
  contribution,
  keys,
  candidates,
}: {
  contribution: Contribution;
  keys: readonly MatchKey[];
  candidates: readonly Candidate[];
}): Match {
  if (candidates.length === 0) return { situation: "unmatched" };
  const found = keys.flatMap((key) => {
    const values = new Set(matchValues(contribution, key).filter(keepsItsLetters));
    return candidates.filter((candidate) => candidate.key === key && values.has(candidate.value));
  });
  const people = [...new Set(found.map((candidate) => candidate.personId))].sort();
  const [first] = found;
  if (first === undefined) return { situation: "unmatched" };
  if (people.length > 1) {
    return {
      situation: "disputed",
      candidates: people,
      reason: `${people.length} people match by ${[...new Set(found.map((candidate) => candidate.key))].join(", ")}`,
    };
  }
  if (found.some((candidate) => candidate.taken)) {
    return {
      situation: "disputed",
      candidates: people,
      reason: `the person matched by ${first.key} already has another account of this connection`,
    };
  }
  if (found.every((candidate) => candidate.unvouched)) {
    return {
      situation: "disputed",
      candidates: people,
      reason: `the person matched by ${first.key} has it from ${UNVOUCHED_WORD}`,
    };
  }
  return { situation: "unlinked", personId: first.personId, key: first.key };
}
