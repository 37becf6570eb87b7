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
  const written = numbers.map((number) => number.split("#")[0] ?? "").sort();
  const newest = parseTime(written.at(-1))?.getTime();
  return newest === undefined ? undefined : written.find((time) => newest - (parseTime(time)?.getTime() ?? 0) <= SILENT_MS);
}

/**
 * The cursor for a read that began with this watermark.
 * @param seen latest changed time among the records that were read, and whether all had one; without one there are no increments
 */
export function cursorAfter(options: {
  kind: Kind;
  watermark: Watermark;
  seen: { latest?: string; missing: boolean };
  startedAt: Date;
}): Cursor | undefined {
  const { kind, watermark, seen } = options;
  if (seen.missing) return undefined;
  const { server, csn } = watermark;
  const ours = formatTime(new Date(options.startedAt.getTime() - SKEW_MS));
  const at = watermark.at ?? (seen.latest !== undefined && seen.latest < ours ? seen.latest : ours);
  return { version: 1, kind, server, at, csn: { ...csn } };
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
  for (const [provider, number] of Object.entries(csn)) {
    const now = watermark.csn[provider];
    if (typeof number === "string" && (now === undefined || now < number)) {
      return { expired: "The directory is at an earlier state than the cursor: it was restored, or another replica answers." };
    }
  }
  const time = oldestActive(numbersOf(csn));
  return { at, ...(time === undefined ? {} : { csn: `${time}#000000#000#000000` }) };
}

function numbersOf(csn: AttributeObject): string[] {
  return Object.values(csn).filter((number) => typeof number === "string");
}

function isObject(value: unknown): value is AttributeObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
