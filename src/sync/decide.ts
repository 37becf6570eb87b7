import { isDeepStrictEqual } from "node:util";
import type { SourceRecord } from "../../connectors/contract.ts";
import { profileColumns, type Contribution } from "../directory/attributes.ts";
import { AppError } from "../errors.ts";
import { employmentChange, type EmploymentChange } from "./employment.ts";
import { managerNamed, managerRemapped } from "./manager.ts";
import type { Match } from "./match.ts";
import { mergeOrigins, type Merged } from "./merge.ts";
import { audible, localOrigin, ownOrigin, ownWord, relied, storedOrigin, type Speakers } from "./origins.ts";
import { personPayload } from "./person-payload.ts";
import { isOut, type Item, type ItemPayload, type KnownAccount, type KnownOrigin, type KnownPerson } from "./records.ts";
import { transferred } from "./transfer.ts";
import { unitsNamed, unitsOf } from "./units-named.ts";

/** What is the same for every record of a run. */
export interface Deciding extends Speakers {
  connectionName: string;
  mappingVersion: number;
}

export interface UserInput {
  record: SourceRecord;
  /** Hexadecimal fingerprint. */
  hash: string;
  contribution: Contribution;
  inScope: boolean;
  known: KnownAccount | undefined;
  /** Of an account that has no link yet. */
  match: Match | undefined;
  /** The linked or matched person. */
  person: KnownPerson | undefined;
  /** The person's accounts as the plan leaves them, where it changes several; as they are stored otherwise. */
  origins?: readonly KnownOrigin[];
  newPersonId: string;
  seenAt: Date;
}

/** A record with what it contributes now, its transfer considered. */
interface TimedInput extends UserInput {
  /** When it will contribute something else. */
  ahead: Date | null;
  /** A transfer has changed the manager: the stored record says so from its instant on, too, so that comparing shows nothing. */
  managerMoved: boolean;
}

/** Decides about one user record. Pure; undefined = nothing to do. Throws `invalid` for a record that can't become a person. */
export function decideUser(deciding: Deciding, said: UserInput): Item | undefined {
  const { known, record } = said;
  const { contribution, ahead } = transferred(said.contribution, { policy: deciding.mapping.employment, now: said.seenAt });
  const input: TimedInput = { ...said, contribution, ahead, managerMoved: contribution["manager"] !== said.contribution["manager"] };
  const linked = known !== undefined && known.subjectId !== null && known.situation !== "disputed";
  if (record.deleted) {
    const leaves = known !== undefined && !known.gone && (known.situation === "linked" || known.subjectId === null);
    return leaves ? decideLeaver(deciding, { ...input, known, why: `gone from ${deciding.connectionName}` }) : undefined;
  }
  if (!input.inScope) {
    const outside = setAside(input, { situation: "unmatched", reason: "outside the scope" });
    if (!linked || known.situation !== "linked") return outside;
    const leaver = decideLeaver(deciding, { ...input, known, why: `no longer in the scope of ${deciding.connectionName}` });
    return { ...leaver, payload: { ...leaver.payload, ...outside.payload } };
  }
  if (linked) return decideUpdate(deciding, input);
  return decideNew(deciding, input);
}

function decideNew(deciding: Deciding, input: TimedInput): Item {
  const match = input.match ?? { situation: "unmatched" };
  if (match.situation === "disputed") return setAside(input, { situation: "disputed", candidates: match.candidates, reason: match.reason });
  if (match.situation === "returning")
    return decideUpdate(deciding, { ...input, reason: `back in ${deciding.connectionName}`, link: true });
  if (match.situation === "unlinked") {
    if (deciding.mapping.situations.unlinked === "dispute") {
      return setAside(input, {
        situation: "disputed",
        candidates: [match.personId],
        reason: `matches by ${match.key}; this connection leaves linking to a human`,
      });
    }
    return decideUpdate(deciding, { ...input, reason: `matched by ${match.key}`, link: true });
  }
  if (deciding.mapping.situations.unmatched === "ignore")
    return setAside(input, { situation: "unmatched", reason: "nobody matches; this connection makes no people" });
  const merged = mergeOrigins([ownOrigin(deciding, ownWord(deciding, input))]);
  const person = personPayload(merged, { before: undefined, userOf: input });
  return item(input, {
    action: "create",
    subjectId: input.newPersonId,
    subjectVersion: null,
    reason: `joined in ${deciding.connectionName}`,
    payload: {
      account: { ...account(input), situation: "linked", linkedBy: "create" },
      person,
      ...unitsOf(deciding, input),
      ...(input.ahead ? { transfer: { at: input.ahead.toISOString() } } : {}),
      ...blocksOf(merged, { person: undefined, deciding, speaking: [] }),
      ...employmentOf(merged, { person: undefined, deciding, input }).payload,
    },
  });
}

function decideUpdate(deciding: Deciding, input: TimedInput & { reason?: string; link?: boolean }): Item {
  const { person, known } = input;
  if (!person) throw new AppError("internal", `The person of account ${input.record.nativeId} was not loaded.`);
  const contribution = ownWord(deciding, input);
  const further = (input.origins ?? person.origins).filter((origin) => origin.accountId !== known?.id);
  const others = further.map((origin) => storedOrigin(deciding, { origin, person, now: input.seenAt }));
  const before = mergeOrigins(
    audible(deciding, person.origins).map((origin) => storedOrigin(deciding, { origin, person, now: input.seenAt })),
  );
  const merged = mergeOrigins([...audible(deciding, [ownOrigin(deciding, contribution, known), ...others]), ...localOrigin(person)]);
  const next = personPayload(merged, { before: person, userOf: input });
  const linking = input.link === true || !known || known.situation === "deleted";
  const personChanged =
    // Whoever left keeps what the account said last, which none of the origins says now: a manager who is named no more is seen by nothing else.
    linking ||
    next.changed.length > 0 ||
    input.managerMoved ||
    managerRemapped(contribution, { known, others, mappingVersion: deciding.mappingVersion }) ||
    !isDeepStrictEqual(next.mastery, person.mastery) ||
    !isDeepStrictEqual(before.manager, merged.manager);
  const inHand = { connectionId: deciding.connectionId, nativeId: input.record.nativeId, attributes: input.record.attributes };
  const blocks = blocksOf(merged, { person, deciding, speaking: audible(deciding, [inHand, ...further]) });
  const raised = blocks.blocks?.some((block) => block.op === "raise");
  const lifted = blocks.blocks?.some((block) => block.op === "lift");
  const employment = employmentOf(merged, { person, deciding, input });
  const { effect } = employment;
  // Linking is an action of its own: who is out by it, and was not before, is counted all the same.
  const disables = linking && !isOut(person) && (raised === true || effect === "ends");
  const reason =
    input.reason ??
    (known?.situation === "deleted"
      ? `back in ${deciding.connectionName}`
      : raised
        ? "not active at the source"
        : lifted
          ? "active at the source again"
          : effect
            ? `employment ${effect}, by its dates`
            : "changed at the source");
  return item(input, {
    action: linking ? "link" : raised || effect === "ends" ? "disable" : lifted || effect === "begins" ? "enable" : "update",
    subjectId: person.id,
    subjectVersion: person.version,
    reason: disables ? `${reason}; ${raised ? "not active at the source" : "employment ends, by its dates"}` : reason,
    payload: {
      account: { ...account(input), situation: "linked", ...(input.link ? { linkedBy: "match" as const } : {}) },
      ...(disables ? { disables } : {}),
      ...((linking || raised || effect === "ends") && isOut(person) ? { out: true as const } : {}),
      ...(personChanged ? { person: next } : {}),
      ...unitsOf(deciding, input, others),
      ...(input.ahead ? { transfer: { at: input.ahead.toISOString() } } : {}),
      ...blocks,
      ...employment.payload,
    },
  });
}

/** The origins on which a person can rely who leaves this account. */
export function heirsOf(
  deciding: Deciding,
  { person, known }: { person: KnownPerson | undefined; known: KnownAccount },
): readonly KnownOrigin[] {
  return relied(deciding, person?.origins.filter((origin) => origin.accountId !== known.id) ?? []);
}

/** An account that is gone or out of scope: its person leaves, unless another origin still lists it. */
export function decideLeaver(
  deciding: Deciding,
  input: Omit<UserInput, "match" | "contribution" | "inScope" | "hash" | "newPersonId"> & { known: KnownAccount; why: string },
): Item {
  const { known } = input;
  const person = input.person && { ...input.person, origins: input.origins ?? input.person.origins };
  const others = heirsOf(deciding, { person, known });
  const reaction = deciding.mapping.situations.deleted;
  const payload: ItemPayload = person && isOut(person) ? { out: true } : {};
  const left = person?.origins.filter(({ accountId, connectionId }) => accountId !== known.id && connectionId === deciding.connectionId);
  if (person && left) {
    const units = unitsNamed(
      left.map((origin) => storedOrigin(deciding, { origin, person, now: input.seenAt })),
      deciding.connectionId,
    );
    if (units) payload.units = units;
  }
  if (person && others.length > 0) {
    const merged = mergeOrigins([
      ...others.map((origin) => storedOrigin(deciding, { origin, person, now: input.seenAt })),
      ...localOrigin(person),
    ]);
    if (profileColumns(merged.profile).userName !== "") {
      const next = personPayload(merged, { before: person, userOf: input });
      if (next.changed.length > 0 || !isDeepStrictEqual(next.mastery, person.mastery)) payload.person = next;
    }
    const { blocks = [] } = blocksOf(merged, { person, deciding, speaking: others });
    if (blocks.length > 0) payload.blocks = blocks;
    if (merged.employment) Object.assign(payload, employmentOf(merged, { person, deciding, input }).payload);
  } else if (person && reaction !== "ignore") {
    payload.blocks = [
      { op: "raise", connectionId: deciding.connectionId, effect: reaction === "suspend" ? "suspended" : "deactivated", reason: input.why },
    ];
  }
  return item(input, {
    action: "delete",
    subjectId: known.subjectId,
    subjectVersion: person?.version ?? null,
    reason: others.length > 0 ? `${input.why}; another origin still lists the person` : input.why,
    payload,
  });
}

function setAside(
  input: UserInput,
  { situation, candidates, reason }: { situation: "unmatched" | "disputed"; candidates?: readonly string[]; reason: string },
): Item {
  return item(input, {
    action: situation === "disputed" ? "dispute" : "ignore",
    subjectId: null,
    subjectVersion: null,
    reason,
    payload: { account: { ...account(input), situation, ...(candidates ? { candidates } : {}) } },
  });
}

function account({
  record,
  hash,
  contribution,
  inScope,
}: UserInput): Pick<NonNullable<ItemPayload["account"]>, "attributes" | "hash" | "mapped"> {
  const active = contribution["active"];
  const mapped = { ...(typeof active === "boolean" ? { active } : {}), manager: managerNamed(contribution) };
  return { attributes: record.attributes, hash, mapped: inScope ? mapped : null };
}

/** What the word of this connection that somebody is not active leads to. */
function disabledBy(deciding: Deciding, connectionId: number): { connectionId: number; effect: "suspended" | "deactivated" } {
  const { situations } = connectionId === deciding.connectionId ? deciding.mapping : deciding.mappingOf(connectionId);
  return { connectionId, effect: situations.disabled === "deactivate" ? "deactivated" : "suspended" };
}

/** An account of somebody, as it came. */
type Having = Pick<KnownOrigin, "nativeId" | "attributes">;

/**
 * Whether an account says that somebody is active, be it by being listed. A SCIM client that changed the title of somebody who was out
 * has an account of them from then on, named by our id, which says nothing of the kind: the client was shown that they are not active.
 */
function vouches({ nativeId, attributes }: Having, personId: string | undefined): boolean {
  return nativeId !== personId || attributes["active"] !== undefined;
}

/** The origins' word on whether the person is active, as changes to the blocks that origins own. `speaking`: those whose word counts. */
function blocksOf(
  merged: Merged,
  { person, deciding, speaking }: { person: KnownPerson | undefined; deciding: Deciding; speaking: readonly Having[] },
): Pick<ItemPayload, "blocks"> {
  const standing = person?.originBlocks ?? [];
  const wanted = merged.active?.value === false ? disabledBy(deciding, merged.active.connectionId ?? deciding.connectionId) : undefined;
  const stays = (block: KnownPerson["originBlocks"][number]) =>
    wanted !== undefined && block.connectionId === wanted.connectionId && block.effect === wanted.effect;
  // Who has left, or is away, elsewhere is not brought back by signing in.
  const mayLift = ({ connectionId }: KnownPerson["originBlocks"][number]) =>
    !deciding.signIns.has(deciding.connectionId) || connectionId === deciding.connectionId;
  const isSaid = merged.active !== undefined || speaking.some((having) => vouches(having, person?.id));
  const lifts = standing
    .filter((block) => isSaid && !stays(block) && mayLift(block))
    .map((block) => ({
      op: "lift" as const,
      connectionId: block.connectionId,
      effect: "suspended" as const,
      reason: "active at the source",
    }));
  const raises = wanted && !standing.some(stays) ? [{ op: "raise" as const, ...wanted, reason: "not active at the source" }] : [];
  const blocks = [...lifts, ...raises];
  return blocks.length > 0 ? { blocks } : {};
}

/** What the dates of employment change; of an origin that leaves, what the others say. */
function employmentOf(
  merged: Merged,
  { person, deciding, input }: { person: KnownPerson | undefined; deciding: Deciding; input: Pick<UserInput, "seenAt"> },
): EmploymentChange {
  if (!merged.employment && !person?.absences.length) return { payload: {}, effect: undefined };
  return employmentChange({
    connectionId: deciding.connectionId,
    said: merged.employment,
    absences: person?.absences ?? [],
    origins: new Set(audible(deciding, [deciding, ...(person?.origins ?? [])]).map(({ connectionId }) => connectionId)),
    mappingOf: deciding.mappingOf,
    now: input.seenAt,
  });
}

function item(
  input: Pick<UserInput, "record" | "known" | "seenAt">,
  decision: Pick<Item, "action" | "subjectId" | "subjectVersion" | "reason" | "payload">,
): Item {
  const { record, known } = input;
  return {
    kind: record.kind,
    nativeId: record.nativeId,
    accountId: known?.id ?? null,
    accountVersion: known?.version ?? null,
    reference: record.reference ?? null,
    sourceChangedAt: record.changedAt ?? null,
    seenAt: input.seenAt,
    ...decision,
  };
}
