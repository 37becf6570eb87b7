import type { AttributeObject, Kind } from "../../connectors/contract.ts";
import type { Contribution } from "../directory/attributes.ts";

/** An account as stored, as far as deciding needs it. */
export interface KnownAccount {
  id: number;
  version: number;
  kind: Kind;
  nativeId: string;
  situation: "linked" | "unlinked" | "unmatched" | "disputed" | "deleted";
  /** person, group or unit that it is linked to. */
  subjectId: string | null;
  linkedBy: "match" | "create" | "human" | null;
  /** Whose it was until it fell out of the scope; null while it is somebody's. */
  formerPersonId: string | null;
  gone: boolean;
  /** Our own last write to the source. */
  writtenBack: { active: boolean } | null;
  /** Fingerprint as last applied, hexadecimal. */
  hash: string;
  mappingVersion: number;
  /** Of the mapping of that version; absent where it was not asked for. */
  mapped?: MappedPart | null;
}

/** A live account of a person: what it contributes follows from its attributes and its connection's mapping. */
export interface KnownOrigin {
  accountId: number;
  connectionId: number;
  nativeId: string;
  precedence: number;
  attributes: AttributeObject;
  /** Our own last write to it. */
  writtenBack: { active: boolean } | null;
}

/** A person with everything that deciding about one of its accounts needs. */
export interface KnownPerson {
  id: string;
  version: number;
  state: string;
  attributes: AttributeObject;
  custom: AttributeObject;
  mastery: Readonly<Record<string, number>>;
  local: Contribution | null;
  /** Live accounts, this connection's included. */
  origins: readonly KnownOrigin[];
  originBlocks: readonly { connectionId: number | null; effect: string }[];
  /** Times in which the person is believed not to be employed; past ones too. Instants are ISO 8601. */
  absences: readonly KnownAbsence[];
}

/** Whether the person has no access that could be taken away. */
export function isOut({ state }: Pick<KnownPerson, "state">): boolean {
  return state === "suspended" || state === "deactivated" || state === "deleted";
}

export interface KnownAbsence {
  connectionId: number | null;
  effect: "suspended" | "deactivated";
  from: string;
  to: string | null;
}

export type ItemAction = "create" | "link" | "update" | "disable" | "enable" | "delete" | "dispute" | "ignore";

/** Whether an item takes somebody away, and as what guards count it. Pure. */
export function leavingOf({ action, payload }: Pick<Item, "action" | "payload">): "disable" | "delete" | undefined {
  return payload.disables ? "disable" : action === "disable" || action === "delete" ? action : undefined;
}

/** The same in SQL, of the plan item `i`: its action, as guards count it and lists put it first. Only links are looked into. */
export const COUNTED_ACTION = "case when i.action = 'link' and i.payload ? 'disables' then 'disable' else i.action end";

/** Of an item that takes somebody or something away: whether nobody loses their access by it. Pure. */
export function takesNobodysAccess({ kind, payload }: Pick<Item, "kind" | "payload">): boolean {
  return kind !== "user" || payload.out === true;
}

/** The opposite in SQL, of the plan item `i`. */
export const TAKES_ACCESS = "i.kind = 'user' and not i.payload ? 'out'";

/** How lists sort the plan item `i`: those who leave first, then disputes, then the rest. */
export const ITEM_WEIGHT = `coalesce(array_position(array['delete', 'disable', 'dispute'], ${COUNTED_ACTION}), 4)`;

/** A plan item before it is staged. */
export interface Item {
  kind: Kind;
  nativeId: string;
  action: ItemAction;
  accountId: number | null;
  accountVersion: number | null;
  subjectId: string | null;
  subjectVersion: number | null;
  reference: string | null;
  reason: string;
  payload: ItemPayload;
  sourceChangedAt: Date | null;
  seenAt: Date;
}

/** The part of an account's contribution that is kept beside it; none of it outside the scope. */
export interface MappedPart {
  /** SQL asks for it. */
  active?: boolean;
  /** The reference that was named, null for none: a later mapping may name another. Absent of accounts that were taken in before it was kept. */
  manager?: string | null;
}

/** What apply does for an item; what is absent is left alone. */
export interface ItemPayload {
  account?: {
    attributes: AttributeObject;
    /** Hexadecimal. */
    hash: string;
    mapped: MappedPart | null;
    situation: KnownAccount["situation"];
    candidates?: readonly string[];
    linkedBy?: "match" | "create";
  };
  person?: {
    userName: string;
    email: string | null;
    employeeNumber: string | null;
    externalId: string | null;
    displayName: string | null;
    attributes: AttributeObject;
    custom: AttributeObject;
    mastery: Readonly<Record<string, number>>;
    manager: { reference: string; connectionId: number | null } | null;
    /** Names of attributes that change, for the audit trail. */
    changed: readonly string[];
  };
  blocks?: readonly { op: "raise" | "lift"; connectionId: number | null; effect: "suspended" | "deactivated"; reason: string }[];
  /** Of an account that is linked: what its connection says of the person takes their access away. Guards count it with those who are disabled. */
  disables?: true;
  /** Of whom it takes away: they were out already. Guards count it apart from those who lose access. */
  out?: true;
  /** When the person is employed, as ISO 8601 instants; a null period = nobody gives dates any more. */
  employment?: { connectionId: number | null; period: { from: string | null; to: string | null } | null };
  /** When a transfer that the record names comes: an ISO 8601 instant ahead. */
  transfer?: { at: string };
  /** References of the units that this connection puts the person into. */
  units?: readonly string[];
  group?: { displayName: string; externalId: string | null; attributes: AttributeObject };
  /** How many join and leave; the changes stand in plan_members. Of a whole list also how long it is, and the hash over its references. */
  members?: { count?: number; hash?: string; add: number; remove: number };
  unit?: { name: string; code: string | null; type: string; parent: string | null };
  /** Before and after, sealed with the person's key. */
  sealed?: string;
}
