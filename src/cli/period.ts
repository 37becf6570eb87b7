import { AppError } from "../errors.ts";

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
/** PostgreSQL and JSON take later years, most who read them don't. */
const LAST_YEAR = 9999;

const DATE = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|[+-]\d{2}:\d{2})?)?$/;

/** A day, or a time of it, in UTC where no zone is named. An invalid date for a day that no calendar has: read leniently, 30 February is in March. */
function dateFrom(text: string): Date {
  const [, day = "", time = "00:00", zone = "Z"] = DATE.exec(text) ?? [];
  const start = new Date(`${day}T00:00Z`);
  const real = !Number.isNaN(start.getTime()) && start.toISOString().startsWith(day);
  return new Date(real ? `${day}T${time}${zone}` : Number.NaN);
}

/** `90d`, `12h`, or a date (`2027-01-31`, an ISO time) as a moment after `now`. Throws `invalid`, naming the option. */
export function momentFrom(text: string, { option, now }: { option: string; now: Date }): Date {
  const [, amount, unit = ""] = /^(\d{1,9})([smhdw])$/.exec(text.trim()) ?? [];
  const moment = amount === undefined ? dateFrom(text.trim()) : new Date(now.getTime() + Number(amount) * (SECONDS[unit] ?? 0) * 1000);
  if (amount === undefined && Number.isNaN(moment.getTime()))
    throw new AppError("invalid", `${option}: "${text}" is neither a period (90d, 12h, 30m) nor a date (2027-01-31).`, { field: option });
  // A period may lead beyond what a date can say at all.
  if (!(moment.getUTCFullYear() <= LAST_YEAR))
    throw new AppError("invalid", `${option}: ${text} ends after the year ${LAST_YEAR}; name an earlier time.`, { field: option });
  if (moment <= now) throw new AppError("invalid", `${option}: ${text} is already past.`, { field: option });
  return moment;
}

/** A day (`2027-01-31`, from its beginning, UTC) or an ISO time with its zone, past or to come. Throws `invalid`, naming the option. */
export function instantFrom(text: string, option: string): Date {
  const instant = /^\S{10}$|(Z|[+-]\d{2}:\d{2})$/.test(text) ? dateFrom(text) : new Date(Number.NaN);
  if (Number.isNaN(instant.getTime()))
    throw new AppError("invalid", `${option}: "${text}" is neither a day (2027-01-31) nor an instant (2027-01-31T08:00:00Z).`, {
      field: option,
    });
  return instant;
}
