import { AppError } from "../errors.ts";
import { firstInstantAt, openZone, type Zone } from "./local-time.ts";

/** How dates of employment are read where they say no more than a day. */
export interface EmploymentPolicy {
  /** Access is ready so many days before the start, from midnight on. */
  readyDaysBefore: number;
  /** When access ends on the last day: local time, HH:MM; 24:00 is the end of that day. */
  endsAt: string;
  /** IANA name, for people of whom no zone is known. */
  timeZone: string;
}

export const DEFAULT_EMPLOYMENT: EmploymentPolicy = { readyDaysBefore: 0, endsAt: "24:00", timeZone: "UTC" };

/** One date as its origin says it. */
export interface EmploymentDate {
  /** ISO 8601: a day, or a day and a time, local without an offset. */
  value: string;
  /** IANA name. */
  timeZone: string;
}

export interface EmploymentDates {
  start?: EmploymentDate | undefined;
  end?: EmploymentDate | undefined;
}

/** When somebody may have access: [from, to); null = no such bound. Nobody may while `from` is not before `to`. */
export interface EmploymentPeriod {
  from: Date | null;
  to: Date | null;
}

const DAY_MS = 86_400_000;
/** `2026-11-22`, `2026-11-22T18:00`, `2026-11-22T18:00:00.000+01:00`. */
const FORM = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?$/;
const EARLIEST = Date.UTC(1000, 0);
const LATEST = Date.UTC(9999, 11, 31);
/** What some systems write where there is no end. */
const ENDLESS = "9999-12-31";

/**
 * The time in which the dates of an employment give access. Pure. An end before the start means that the employment never began.
 * Throws `invalid`, naming the date, when a date or a zone can't be read.
 */
export function employmentPeriod(
  { start, end }: EmploymentDates,
  { readyDaysBefore, endsAt }: Pick<EmploymentPolicy, "readyDaysBefore" | "endsAt">,
): EmploymentPeriod {
  const begins = start && instantsOf(start, { field: "employment.startDate", dayTime: 0, daysBefore: readyDaysBefore });
  const ends =
    end && !end.value.startsWith(ENDLESS)
      ? instantsOf(end, { field: "employment.endDate", dayTime: minutesOf(endsAt) * 60_000 })
      : undefined;
  // Being ready early gives no access to somebody whose employment was called off before it began.
  if (begins && ends && ends.at <= begins.at) return { from: storable(ends.at), to: storable(ends.at) };
  return { from: begins ? storable(begins.ready) : null, to: ends ? storable(ends.at) : null };
}

/** Some systems write 0001-01-01 where they know no day. East of Greenwich that is in a year that PostgreSQL has not. */
function storable(at: number): Date {
  return new Date(Math.min(Math.max(at, EARLIEST), LATEST));
}

/** The instant of one date, a bare day being its local midnight. Throws `invalid`, naming `field`. */
export function instantOf(date: EmploymentDate, field: string): Date {
  return storable(instantsOf(date, { field, dayTime: 0 }).at);
}

function instantsOf(
  { value, timeZone }: EmploymentDate,
  { field, dayTime, daysBefore = 0 }: { field: string; dayTime: number; daysBefore?: number },
): { at: number; ready: number } {
  const zone = requireZone(timeZone, field);
  const { day, time, offset } = read(value.trim(), field);
  const local = day + (time ?? dayTime);
  const at = offset === undefined || time === undefined ? firstInstantAt(zone, local) : local - offset;
  const firstDay = Math.floor(zone.wallAt(at) / DAY_MS) * DAY_MS;
  return { at, ready: daysBefore === 0 ? at : firstInstantAt(zone, firstDay - daysBefore * DAY_MS) };
}

function read(value: string, field: string): { day: number; time?: number; offset?: number } {
  const [, year = "", month = "", date = "", hour, minute = "0", second = "0", offset] = FORM.exec(value) ?? [];
  const day = new Date(0).setUTCFullYear(Number(year), Number(month) - 1, Number(date));
  // Days that no calendar has, such as 30 February, would be moved to the next month.
  const real = year !== "" && new Date(day).toISOString().startsWith(`${year}-${month}-${date}`);
  const inDay = hour === undefined || (Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60);
  if (!real || !inDay) {
    throw new AppError(
      "invalid",
      `${field}: ${JSON.stringify(value.slice(0, 40))} is not a date; write 2026-11-22, or 2026-11-22T18:00 with an offset or without.`,
      { field },
    );
  }
  if (hour === undefined) return { day };
  const time = (Number(hour) * 3600 + Number(minute) * 60 + Number(second)) * 1000;
  return offset === undefined ? { day, time } : { day, time, offset: offsetOf(offset) };
}

function offsetOf(text: string): number {
  if (text === "Z") return 0;
  const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(-2));
  return (text.startsWith("-") ? -minutes : minutes) * 60_000;
}

function minutesOf(clock: string): number {
  const [hours = 0, minutes = 0] = clock.split(":").map(Number);
  return hours * 60 + minutes;
}

/** The zone of this name. Throws `invalid`, naming `field` as what is read by it. */
export function requireZone(name: string, field: string): Zone {
  const zone = openZone(name);
  if (!zone)
    throw new AppError(
      "invalid",
      `${field}: ${JSON.stringify(name.slice(0, 60))} is not a time zone; use an IANA name such as Europe/Oslo.`,
      {
        field: "employment.timeZone",
      },
    );
  return zone;
}

/** A time in which somebody is known not to be employed: [from, to), to null = from then on. */
export interface Absence {
  from: Date;
  to: Date | null;
  /** Suspended before the start, deactivated after the end. */
  effect: "suspended" | "deactivated";
}

/** What is left of the times outside a period, from now on: in order, apart from each other. Pure. */
export function absencesOf({ from, to }: EmploymentPeriod, now: Date): Absence[] {
  if (from && to && from >= to) return [{ from: now, to: null, effect: "deactivated" }];
  return [
    ...(from && from > now ? [{ from: now, to: from, effect: "suspended" as const }] : []),
    ...(to ? [{ from: to > now ? to : now, to: null, effect: "deactivated" as const }] : []),
  ];
}
