import type { AttributeValue, SourceRecord } from "../../connectors/contract.ts";
import { AppError } from "../errors.ts";
import type { Deciding } from "./decide.ts";
import { fingerprintOfSet } from "./fingerprint.ts";
import { refuseUnfindable } from "./found-by.ts";
import type { Item, ItemPayload, KnownAccount } from "./records.ts";

export interface CollectionInput {
  record: SourceRecord;
  /** Hexadecimal fingerprint. */
  hash: string;
  known: KnownAccount | undefined;
  newId: string;
  seenAt: Date;
}

/** Decides about one group record. A group has one origin: nothing to match. Pure. */
export function decideGroup(deciding: Deciding, input: CollectionInput): Item | undefined {
  const { record } = input;
  return decideCollection(deciding, input, () => {
    const contribution = deciding.mapping.kinds.group?.map(record.attributes) ?? {};
    refuseUnfindable(record, contribution);
    const displayName = text(contribution["displayName"]);
    if (displayName === "")
      throw new AppError("invalid", `The group ${record.nativeId} has no displayName after mapping; a group needs one.`, {
        field: "displayName",
      });
    const description = text(contribution["description"]);
    return {
      group: { displayName, externalId: text(contribution["externalId"]) || null, attributes: description ? { description } : {} },
      ...(record.members ? { members: membersOf(record.members) } : {}),
    };
  });
}

/** The counts of changes are filled in when they are staged. */
function membersOf(members: NonNullable<SourceRecord["members"]>): NonNullable<ItemPayload["members"]> {
  return "set" in members ? { count: members.set.length, hash: fingerprintOfSet(members.set), add: 0, remove: 0 } : { add: 0, remove: 0 };
}

/** Decides about one unit record. Pure. */
export function decideUnit(deciding: Deciding, input: CollectionInput): Item | undefined {
  const { record } = input;
  return decideCollection(deciding, input, () => {
    const contribution = deciding.mapping.kinds.unit?.map(record.attributes) ?? {};
    refuseUnfindable(record, contribution);
    const name = text(contribution["name"]);
    if (name === "")
      throw new AppError("invalid", `The unit ${record.nativeId} has no name after mapping; a unit needs one.`, { field: "name" });
    return {
      unit: {
        name,
        code: text(contribution["code"]) || null,
        type: text(contribution["type"]) || "department",
        parent: record.parent ?? null,
      },
    };
  });
}

type Content = Pick<ItemPayload, "group" | "unit" | "members">;

function decideCollection(
  deciding: Deciding,
  { record, hash, known, newId, seenAt }: CollectionInput,
  contentOf: () => Content,
): Item | undefined {
  const mapping = deciding.mapping.kinds[record.kind];
  const live = known?.situation === "linked" && !known.gone;
  const base = {
    kind: record.kind,
    nativeId: record.nativeId,
    accountId: known?.id ?? null,
    accountVersion: known?.version ?? null,
    subjectVersion: null,
    reference: record.reference ?? null,
    sourceChangedAt: record.changedAt ?? null,
    seenAt,
  };
  const inScope = mapping !== undefined && !record.deleted && mapping.inScope(record.attributes);
  if (!inScope) {
    if (!live) return undefined;
    return {
      ...base,
      action: "delete",
      subjectId: known.subjectId,
      reason: record.deleted ? `gone from ${deciding.connectionName}` : `no longer in the scope of ${deciding.connectionName}`,
      payload: {},
    };
  }
  const subjectId = known?.subjectId ?? newId;
  const created = known?.subjectId == null;
  return {
    ...base,
    action: created ? "create" : live ? "update" : "link",
    subjectId,
    reason: created ? `new in ${deciding.connectionName}` : live ? "changed at the source" : `back in ${deciding.connectionName}`,
    payload: {
      account: {
        attributes: record.attributes,
        hash,
        mapped: {},
        situation: "linked",
        ...(created ? { linkedBy: "create" as const } : {}),
      },
      ...contentOf(),
    },
  };
}

function text(value: AttributeValue | undefined): string {
  return typeof value === "string" ? value : "";
}
