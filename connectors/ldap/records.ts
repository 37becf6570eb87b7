import type { AttributeValue, Kind, RecordProblem, SourceRecord } from "../contract.ts";
import type { EntriesSettings, LdapSettings } from "./config.ts";
import { isWithin, normaliseDn, parentOf, withoutUniqueId } from "./dn.ts";
import { shapeFor, type Entry, type Shape } from "./entry.ts";

/** How entries of one kind become records. */
export interface RecordReader {
  kind: Kind;
  entries: EntriesSettings;
  shape: Shape;
  /** A record, or why it can't be one. */
  read(entry: Entry): SourceRecord | RecordProblem;
  /** Names from memberUid, which must be looked up: by the group's nativeId. */
  memberUids(entry: Entry): readonly string[];
}

/** The attribute that ppolicy locks an account by: operational, so it must be asked for by name. */
export const LOCKED_TIME = "pwdAccountLockedTime";

const MEMBER_UID = "memberuid";

/** Undefined when the settings have no entries of this kind. */
export function recordReader(settings: LdapSettings, kind: Kind): RecordReader | undefined {
  const entries = { user: settings.users, group: settings.groups, unit: settings.units }[kind];
  if (entries === undefined) return undefined;
  const lower = (names: readonly string[]) => new Set(names.map((name) => name.toLowerCase()));
  const lists = lower(settings.multiValued);
  const dns = lower(settings.dnAttributes);
  const memberNames = kind === "group" ? settings.memberAttributes : [];
  const members = lower(memberNames);

  const delivered = [...entries.attributes, ...(kind === "user" && settings.disable?.kind === "ppolicy" ? [LOCKED_TIME] : [])].filter(
    (name, index, all) =>
      !members.has(name.toLowerCase()) && all.findIndex((other) => other.toLowerCase() === name.toLowerCase()) === index,
  );
  const own = [settings.nativeIdAttribute, settings.changedAttribute].filter((name) => !lower(delivered).has(name.toLowerCase()));
  const names = [...delivered, ...own, ...memberNames];
  const shape = shapeFor(names, (name) => lists.has(name.toLowerCase()) || members.has(name.toLowerCase()));
  const slotOf = (name: string) => shape.slots.get(name.toLowerCase()) ?? -1;
  const idSlot = slotOf(settings.nativeIdAttribute);
  const changedSlot = slotOf(settings.changedAttribute);
  const isDn = delivered.map((name) => dns.has(name.toLowerCase()));
  const memberSlots = memberNames.filter((name) => name.toLowerCase() !== MEMBER_UID).map(slotOf);
  const uidSlot = members.has(MEMBER_UID) ? slotOf(MEMBER_UID) : -1;
  const base = normaliseDn(entries.base);

  const attributesOf = (entry: Entry): Record<string, AttributeValue> => {
    // Always in the same order: the same entry is the same text, whatever order the server sends.
    const attributes: Record<string, AttributeValue> = { dn: entry.dn };
    for (let slot = 0; slot < delivered.length; slot++) {
      const value = entry.values[slot];
      const name = delivered[slot];
      if (value === undefined || name === undefined) continue;
      attributes[name] = isDn[slot] ? (typeof value === "string" ? normaliseDn(value) : value.map(normaliseDn)) : value;
    }
    if (entry.extras) for (const name of [...entry.extras.keys()].sort()) attributes[name] = entry.extras.get(name) ?? null;
    return attributes;
  };

  const read = (entry: Entry): SourceRecord | RecordProblem => {
    const nativeId = first(entry.values[idSlot]);
    const reference = normaliseDn(entry.dn);
    if (nativeId === undefined || nativeId === "") {
      const message = `${entry.dn} has no ${settings.nativeIdAttribute} that the sync account may read. Give it read access, or set nativeIdAttribute to one that every entry has and that never changes.`;
      return { kind, nativeId: reference, code: "no_native_id", message };
    }
    const record: SourceRecord = { kind, nativeId, reference, attributes: attributesOf(entry) };
    const changedAt = parseTime(first(entry.values[changedSlot]));
    if (changedAt !== undefined) record.changedAt = changedAt;
    if (kind === "group") record.members = { set: membersOf(entry, memberSlots) };
    if (kind === "unit") {
      const parent = parentOf(reference);
      if (parent !== undefined && reference !== base && isWithin(parent, base)) record.parent = parent;
    }
    return record;
  };

  return { kind, entries, shape, read, memberUids: (entry) => list(entry.values[uidSlot]) };
}

export function isProblem(read: SourceRecord | RecordProblem): read is RecordProblem {
  return "code" in read;
}

/** GeneralizedTime in UTC (RFC 4517 section 3.3.13); undefined for anything else. */
export function parseTime(value: string | undefined): Date | undefined {
  if (value === undefined || value.length < 15 || !value.endsWith("Z")) return undefined;
  const part = (from: number, to: number) => Number(value.slice(from, to));
  const fraction = value.length > 15 ? Number(`0${value.slice(14, -1).replace(",", ".")}`) : 0;
  const time = Date.UTC(part(0, 4), part(4, 6) - 1, part(6, 8), part(8, 10), part(10, 12), part(12, 14)) + Math.round(fraction * 1000);
  return Number.isNaN(time) ? undefined : new Date(time);
}

/** The same, written. */
export function formatTime(time: Date): string {
  return `${time.toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`;
}

function membersOf(entry: Entry, slots: readonly number[]): string[] {
  const [only] = slots;
  if (slots.length === 1 && only !== undefined) return list(entry.values[only]).map(normaliseMember);
  const members = new Set<string>();
  for (const slot of slots) for (const member of list(entry.values[slot])) members.add(normaliseMember(member));
  return [...members];
}

function normaliseMember(value: string): string {
  return normaliseDn(withoutUniqueId(value));
}

function list(value: string | string[] | undefined): readonly string[] {
  return value === undefined ? [] : typeof value === "string" ? [value] : value;
}

function first(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.[0];
}
