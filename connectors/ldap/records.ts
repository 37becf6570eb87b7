import type { Control } from "ldapts";
import type { AttributeValue, Kind, RecordProblem, SourceRecord } from "../contract.ts";
import { formatFileTime, isEnabled } from "./active-directory/account-control.ts";
import { ExtendedNames, splitExtended } from "./active-directory/extended-names.ts";
import type { EntriesSettings, LdapSettings } from "./config.ts";
import { isWithin, normaliseDn, parentOf, withoutUniqueId } from "./dn.ts";
import { shapeFor, type Entry, type Shape } from "./entry.ts";

/** How entries of one kind become records. */
export interface RecordReader {
  kind: Kind;
  entries: EntriesSettings;
  shape: Shape;
  /** Controls of every search whose entries are read by this. */
  controls: Control[];
  /** A record, or why it can't be one. */
  read(entry: Entry): SourceRecord | RecordProblem;
  /** Names from memberUid, which must be looked up: by the group's nativeId. */
  memberUids(entry: Entry): readonly string[];
  /** A group's own number in its domain, by which accounts name it as their primary group (Active Directory). */
  primaryGroupToken(entry: Entry): string | undefined;
}

/** The attribute that ppolicy locks an account by: operational, so it must be asked for by name. */
export const LOCKED_TIME = "pwdAccountLockedTime";

const MEMBER_UID = "memberuid";
const ACCOUNT_CONTROL = "userAccountControl";
const ACCOUNT_EXPIRES = "accountExpires";
const PRIMARY_GROUP_TOKEN = "primaryGroupToken";

/** Undefined when the settings have no entries of this kind. */
export function recordReader(settings: LdapSettings, kind: Kind): RecordReader | undefined {
  const entries = { user: settings.users, group: settings.groups, unit: settings.units }[kind];
  if (entries === undefined) return undefined;
  const lower = (names: readonly string[]) => new Set(names.map((name) => name.toLowerCase()));
  const lists = lower(settings.multiValued);
  const dns = lower(settings.dnAttributes);
  const memberNames = kind === "group" ? settings.memberAttributes : [];
  const members = lower(memberNames);

  const inActiveDirectory = settings.flavour === "activeDirectory";
  // In Active Directory people and groups are named by their objectGUID, which no move or renaming changes; only units,
  // below which people stand by name, are not.
  const namedById = inActiveDirectory && kind !== "unit";

  const delivered = [...entries.attributes, ...statusAttributes(settings, kind)].filter(
    (name, index, all) =>
      !members.has(name.toLowerCase()) && all.findIndex((other) => other.toLowerCase() === name.toLowerCase()) === index,
  );
  const own = [settings.nativeIdAttribute, settings.changedAttribute].filter((name) => !lower(delivered).has(name.toLowerCase()));
  const tokens = inActiveDirectory && kind === "group" ? [PRIMARY_GROUP_TOKEN] : [];
  const names = [...delivered, ...own, ...tokens, ...memberNames];
  // Without a range Active Directory sends at most MaxValRange members, and nothing that says so where the name is not ranged.
  const asks = names.map((name) => (inActiveDirectory && members.has(name.toLowerCase()) ? `${name};range=0-*` : name));
  const shape = shapeFor(names, (name) => lists.has(name.toLowerCase()) || members.has(name.toLowerCase()), asks);
  const slotOf = (name: string) => shape.slots.get(name.toLowerCase()) ?? -1;
  const idSlot = slotOf(settings.nativeIdAttribute);
  const changedSlot = slotOf(settings.changedAttribute);
  const isDn = delivered.map((name) => dns.has(name.toLowerCase()));
  const memberSlots = memberNames.filter((name) => name.toLowerCase() !== MEMBER_UID).map(slotOf);
  const uidSlot = members.has(MEMBER_UID) ? slotOf(MEMBER_UID) : -1;
  const tokenSlot = tokens.length > 0 ? slotOf(PRIMARY_GROUP_TOKEN) : -1;
  const base = normaliseDn(entries.base);

  const attributesOf = (entry: Entry): Record<string, AttributeValue> => {
    // Always in the same order: the same entry is the same text, whatever order the server sends.
    const attributes: Record<string, AttributeValue> = { dn: entry.dn };
    for (let slot = 0; slot < delivered.length; slot++) {
      const value = entry.values[slot];
      const name = delivered[slot];
      if (value === undefined || name === undefined) continue;
      attributes[name] = isDn[slot] ? (typeof value === "string" ? referenceTo(value) : value.map(referenceTo)) : value;
    }
    if (inActiveDirectory && kind === "user") {
      addStatus(attributes);
      // As units are named, so that a mapping can say where somebody stands.
      attributes["container"] = parentOf(normaliseDn(entry.dn)) ?? "";
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
    const record: SourceRecord = { kind, nativeId, ...(namedById ? {} : { reference }), attributes: attributesOf(entry) };
    const changedAt = parseTime(first(entry.values[changedSlot]));
    if (changedAt !== undefined) record.changedAt = changedAt;
    if (kind === "group") record.members = { set: membersOf(entry, memberSlots) };
    if (kind === "unit") {
      const parent = parentOf(reference);
      if (parent !== undefined && reference !== base && isWithin(parent, base)) record.parent = parent;
    }
    return record;
  };

  return {
    kind,
    entries,
    shape,
    controls: inActiveDirectory ? [new ExtendedNames()] : [],
    read,
    memberUids: (entry) => list(entry.values[uidSlot]),
    primaryGroupToken: (entry) => first(entry.values[tokenSlot]),
  };
}

/** Attributes that say whether an account is active: asked for, whatever the settings list. */
function statusAttributes(settings: LdapSettings, kind: Kind): string[] {
  if (kind !== "user") return [];
  if (settings.disable?.kind === "ppolicy") return [LOCKED_TIME];
  return settings.flavour === "activeDirectory" ? [ACCOUNT_CONTROL] : [];
}

/** What Active Directory keeps as a bit and as a count of 100 ns, as mappings want it. */
function addStatus(attributes: Record<string, AttributeValue>): void {
  for (const name of Object.keys(attributes)) {
    const value = attributes[name];
    if (typeof value !== "string") continue;
    if (name.toLowerCase() === ACCOUNT_EXPIRES.toLowerCase()) {
      const expires = formatFileTime(value);
      if (expires === undefined) delete attributes[name];
      else attributes[name] = expires;
    } else if (name.toLowerCase() === ACCOUNT_CONTROL.toLowerCase()) {
      const enabled = isEnabled(value);
      if (enabled !== undefined) attributes["enabled"] = enabled;
    }
  }
}

/** How a record of the same directory is named: by its id where the directory sends it with the name. */
function referenceTo(name: string): string {
  const { guid, dn } = splitExtended(name);
  return guid ?? normaliseDn(dn);
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
  return value.startsWith("<") ? referenceTo(value) : normaliseDn(withoutUniqueId(value));
}

function list(value: string | string[] | undefined): readonly string[] {
  return value === undefined ? [] : typeof value === "string" ? [value] : value;
}

function first(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.[0];
}
