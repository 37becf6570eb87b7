/**
 * The instants of clocks on walls: what Intl tells of a zone, the other way round. Written here because Temporal is not in
 * Node 20, and because what a clock that jumps means for the end of access has to be decided, not inherited from a library.
 */

const HOUR_MS = 3_600_000;
/** No zone's clock is further ahead of UTC than 14 hours, or further behind than 12; the days of old added less than one. */
const AHEAD_MS = 16 * HOUR_MS;
const BEHIND_MS = 16 * HOUR_MS;

/** A zone of the IANA database, ready to be asked. */
export interface Zone {
  /** What a clock there shows at an instant, written as if it were UTC. Both in milliseconds. */
  wallAt(instant: number): number;
}

/** Zones by name: opening one costs a hundred times what asking it does. There are some six hundred, and names in other letters. */
const OPENED = new Map<string, Zone>();
const MOST_OPENED = 1000;

/** Opens a zone by its IANA name; undefined when there is none of that name. */
export function openZone(name: string): Zone | undefined {
  const opened = OPENED.get(name) ?? newZone(name);
  if (opened && OPENED.size < MOST_OPENED) OPENED.set(name, opened);
  return opened;
}

function newZone(name: string): Zone | undefined {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", { timeZone: name, hourCycle: "h23", era: "short", ...FIELDS });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
  return { wallAt: (instant) => wallOf(format.formatToParts(instant)) + (((instant % 1000) + 1000) % 1000) };
}

const FIELDS = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" } as const;

function wallOf(parts: readonly Intl.DateTimeFormatPart[]): number {
  const of = (type: Intl.DateTimeFormatPartTypes) => parts.find((part) => part.type === type)?.value ?? "";
  const year = of("era").startsWith("B") ? 1 - Number(of("year")) : Number(of("year"));
  const wall = new Date(0);
  // Date.UTC would take the years 0 to 99 for those of the last century.
  wall.setUTCFullYear(year, Number(of("month")) - 1, Number(of("day")));
  return wall.setUTCHours(Number(of("hour")), Number(of("minute")), Number(of("second")));
}

/**
 * The first instant at which a clock in the zone shows `wall` or later. A time that occurs twice is the first of the two; a time
 * that is left out, be it an hour in spring or a whole day at the date line, is the instant of the jump. Both in milliseconds.
 */
export function firstInstantAt(zone: Zone, wall: number): number {
  const early = wall - AHEAD_MS;
  const late = wall + BEHIND_MS;
  const before = zone.wallAt(early) - early;
  const after = zone.wallAt(late) - late;
  if (before === after) return wall - before;
  const jump = jumpBetween(zone, { early, late, before });
  if (wall - before < jump) return wall - before;
  return Math.max(jump, wall - after);
}

/** The instant at which the offset stops being `before`; clocks jump once within such a time, and at a whole second. */
function jumpBetween(zone: Zone, { early, late, before }: { early: number; late: number; before: number }): number {
  let [still, since] = [Math.floor(early / 1000), Math.ceil(late / 1000)];
  while (since - still > 1) {
    const middle = Math.floor((still + since) / 2);
    if (zone.wallAt(middle * 1000) - middle * 1000 === before) still = middle;
    else since = middle;
  }
  return since * 1000;
}
