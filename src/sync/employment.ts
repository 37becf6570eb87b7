import { sameAbsences } from "../directory/employment.ts";
import { DEFAULT_EMPLOYMENT, absencesOf, employmentPeriod } from "../directory/employment-period.ts";
import type { EmploymentPeriod, EmploymentPolicy } from "../directory/employment-period.ts";
import { openZone } from "../directory/local-time.ts";
import { AppError } from "../errors.ts";
import type { CompiledMapping } from "./mapping.ts";
import type { Merged, SaidDate } from "./merge.ts";
import type { ItemPayload, KnownAbsence } from "./records.ts";

export interface EmploymentInput {
  /** Whose record is decided about: its own bad dates are its problem. */
  connectionId: number;
  /** What the origins say together. */
  said: Merged["employment"];
  /** Times in which the person is believed not to be employed; none for somebody new. */
  absences: readonly KnownAbsence[];
  /** Connections that still speak of the person. */
  origins: ReadonlySet<number>;
  mappingOf(connectionId: number): CompiledMapping;
  now: Date;
}

export interface EmploymentChange {
  payload: Pick<ItemPayload, "employment">;
  /** Takes something away now or at a date ahead, which guards count; gives it back now. */
  effect: "ends" | "begins" | undefined;
}

const NOTHING: EmploymentChange = { payload: {}, effect: undefined };

/**
 * What the dates of employment change. Pure. Nothing for people of whom nobody ever gave dates. Dates that an origin gave and took
 * with it when it ceased to list the person go on holding: only other dates, or that origin without dates, take them back.
 * Throws `invalid` when a date can't be read.
 */
export function employmentChange(input: EmploymentInput): EmploymentChange {
  const { said, absences, now } = input;
  const standing = absences
    .map(({ from, to, ...absence }) => ({ ...absence, from: new Date(from), to: to === null ? null : new Date(to) }))
    .filter(({ to }) => to === null || to > now);
  if (!said && standing.every(({ connectionId }) => connectionId !== null && !input.origins.has(connectionId))) return NOTHING;
  const connectionId = said?.end?.connectionId ?? said?.start?.connectionId ?? null;
  const period = said ? readable(said, input) : null;
  if (period === "unreadable") return NOTHING;
  const wanted = (period ? absencesOf(period, now) : []).map((absence) => ({ ...absence, connectionId }));
  if (sameAbsences(standing, wanted, now)) return NOTHING;
  return {
    payload: { employment: { connectionId, period: period && { from: iso(period.from), to: iso(period.to) } } },
    effect: effectOf({ before: standing, after: wanted, now }),
  };
}

/** Dates of another origin that can't be read change nothing: its own run names them, and nobody else's record waits for that. */
function readable(said: NonNullable<Merged["employment"]>, input: EmploymentInput): EmploymentPeriod | "unreadable" {
  try {
    return periodOf(said, input);
  } catch (error) {
    const own = [said.start, said.end].some((date) => date?.connectionId === input.connectionId);
    if (!own && error instanceof AppError && error.code === "invalid") return "unreadable";
    throw error;
  }
}

/** Each date is read as the connection that says it wants it read. */
function periodOf({ start, end, timeZone }: NonNullable<Merged["employment"]>, { mappingOf }: EmploymentInput): EmploymentPeriod {
  const policyOf = ({ connectionId }: SaidDate) => (connectionId === null ? DEFAULT_EMPLOYMENT : mappingOf(connectionId).employment);
  const dateOf = (said: SaidDate) => ({ value: said.value, timeZone: timeZone ?? zoneOf(said.timeZone, policyOf(said)) });
  return employmentPeriod(
    { start: start && dateOf(start), end: end && dateOf(end) },
    {
      readyDaysBefore: (start ? policyOf(start) : DEFAULT_EMPLOYMENT).readyDaysBefore,
      endsAt: (end ? policyOf(end) : DEFAULT_EMPLOYMENT).endsAt,
    },
  );
}

/** A person's zone is often a preference in words of its own (RFC 7643 section 4.1.1): one that is no IANA name says nothing. */
export function zoneOf(timeZone: string | undefined, policy: Pick<EmploymentPolicy, "timeZone">): string {
  return timeZone !== undefined && openZone(timeZone) ? timeZone : policy.timeZone;
}

type Times = readonly { from: Date; to: Date | null }[];

function effectOf({ before, after, now }: { before: Times; after: Times; now: Date }): EmploymentChange["effect"] {
  const isOut = (times: Times) => times.some(({ from, to }) => from <= now && (to === null || to > now));
  const endOf = (times: Times) => times.find(({ to }) => to === null)?.from.getTime() ?? Infinity;
  if (isOut(before) && !isOut(after)) return "begins";
  if ((isOut(after) && !isOut(before)) || endOf(after) < endOf(before)) return isOut(before) ? undefined : "ends";
  return undefined;
}

function iso(at: Date | null): string | null {
  return at?.toISOString() ?? null;
}
