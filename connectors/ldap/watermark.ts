import type { AttributeObject, Cursor, Kind } from "../contract.ts";
import { shapeFor } from "./entry.ts";
import { formatTime, parseTime } from "./records.ts";
import type { Session } from "./session.ts";

/**
 * Where the next incremental read starts. Taken before a read begins, so that what changes meanwhile is read again, never
 * missed. Reading from a time on is safe to repeat; that is all that increments by time may be asked for.
 */
export interface Watermark {
  /** entryUUID of the naming context's own entry: replicas share it, another directory has another. */
  server: string;
  /** GeneralizedTime, whole seconds. Undefined when the server tells no time: then it is found by what the read sees. */
  at?: string;
  /** Change sequence number of every provider that the server has heard of (contextCSN). */
  csn: Readonly<Record<string, string>>;
}

/** Providers silent for longer than this don't hold the watermark back. */
const SILENT_MS = 3_600_000;
/** GeneralizedTime before which no directory has changed. */
const THE_BEGINNING = "19700101000000Z";
/** How far our clock may be from the directory's, where the directory tells no time. */
const SKEW_MS = 300_000;

export async function readWatermark(session: Session, base: string): Promise<Watermark> {
  const suffix = await session.suffixOf(base);
  const shape = shapeFor([session.settings.nativeIdAttribute, "contextCSN"], (name) => name === "contextCSN");
  const found = await session.call((client) =>
    client.searchIfThere({ base: suffix, scope: "base", filter: "(objectClass=*)", shape, what: "the reading of the naming context" }),
  );
  const [id, numbers] = found?.[0]?.values ?? [];
  const csn: Record<string, string> = {};
  for (const number of Array.isArray(numbers) ? numbers : []) {
    const provider = number.split("#")[2];
    if (provider !== undefined) csn[provider] = number;
  }
  const { currentTime } = await session.rootDse();
  const at = parseTime(oldestActive(Object.values(csn)) ?? currentTime);
  return { server: typeof id === "string" ? id : suffix.toLowerCase(), csn, ...(at === undefined ? {} : { at: formatTime(at) }) };
}

/** The time part of the oldest number among providers that have written lately. */
function oldestActive(numbers: readonly string[]): string | undefined {
  const written = numbers.map(timeOf).sort();
  const newest = parseTime(written.at(-1))?.getTime();
  return newest === undefined ? undefined : written.find((time) => newest - (parseTime(time)?.getTime() ?? 0) <= SILENT_MS);
}

/**
 * The cursor for a read that began with this watermark.
 * @param seen latest changed time among the records that were read, and whether all had one; without one there are no increments
 * @param from where the read began, when it was an incremental one
 */
export function cursorAfter(options: {
  kind: Kind;
  watermark: Watermark;
  seen: { latest?: string; missing: boolean };
  startedAt: Date;
  endedAt: Date;
  from?: string;
}): Cursor | undefined {
  const { kind, watermark, seen, startedAt, endedAt, from = THE_BEGINNING } = options;
  if (seen.missing) return undefined;
  const { server, csn } = watermark;
  const ours = formatTime(new Date(startedAt.getTime() - SKEW_MS));
  // The directory's clock may be hours behind ours: whoever saw nothing knows nothing of it, and what was seen may have changed
  // at the end of the read, after others that had been read by then.
  const latest = seen.latest === undefined ? from : earlier(seen.latest, endedAt.getTime() - startedAt.getTime());
  const at = watermark.at ?? (latest < ours ? latest : ours);
  return { version: 1, kind, server, at, csn: { ...csn } };
}

function earlier(written: string, milliseconds: number): string {
  const time = parseTime(written);
  return time === undefined ? THE_BEGINNING : formatTime(new Date(time.getTime() - Math.max(0, milliseconds)));
}

/** Where to read on from: a time, and the change sequence number where the directory has them. A sentence when the cursor is no longer good. */
export function resumeFrom(
  since: Cursor,
  { kind, watermark }: { kind: Kind; watermark: Watermark },
): { at: string; csn?: string } | { expired: string } {
  const { version, server, at, csn } = since;
  if (version !== 1 || since["kind"] !== kind || typeof at !== "string" || parseTime(at) === undefined || !isObject(csn)) {
    return { expired: "The cursor was not made by this version of the LDAP connector." };
  }
  if (server !== watermark.server) return { expired: "The cursor belongs to another directory." };
  const numbers = new Map(Object.entries(csn).flatMap(([provider, number]) => (typeof number === "string" ? [[provider, number]] : [])));
  for (const [provider, number] of numbers) {
    const now = watermark.csn[provider];
    if (now === undefined || now < number) {
      return { expired: "The directory is at an earlier state than the cursor: it was restored, or another replica answers." };
    }
  }
  const time = oldestActive([...numbers.values()]);
  if (time === undefined) return { at };
  const came = Object.entries(watermark.csn).filter(([provider, now]) => numbers.get(provider) !== now);
  if (came.some(([provider]) => !numbers.has(provider)))
    return { expired: "Another provider has begun to write into the directory, with changes of any age." };
  // Whoever was cut off from the others for long comes with changes as old as its last number.
  const oldest = came.map(([provider]) => timeOf(numbers.get(provider) ?? "")).reduce((one, other) => (other < one ? other : one), time);
  const whole = parseTime(oldest);
  const wholeAt = whole === undefined ? at : formatTime(whole);
  return { at: wholeAt < at ? wholeAt : at, csn: `${oldest}#000000#000#000000` };
}

/** The time part of a change sequence number. */
function timeOf(number: string): string {
  return number.split("#")[0] ?? "";
}

function isObject(value: unknown): value is AttributeObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
