import { fromProfile, type Contribution } from "../directory/attributes.ts";
import { requireZone } from "../directory/employment-period.ts";
import { openZone } from "../directory/local-time.ts";
import { AppError } from "../errors.ts";
import type { CompiledMapping } from "./mapping.ts";
import { EVERYTHING, LOCAL_PRECEDENCE, textOf, type Origin } from "./merge.ts";
import type { KnownAccount, KnownOrigin, KnownPerson } from "./records.ts";
import { transferred } from "./transfer.ts";

/** What deciding knows of the connections whose words it weighs. */
export interface Speakers {
  connectionId: number;
  precedence: number;
  mapping: CompiledMapping;
  /** Any connection's mapping, by id; compiled when it is first asked for. */
  mappingOf(connectionId: number): CompiledMapping;
  /** Connections that have been silent for so long that their word went over to the others (`policy.silent`). */
  silent: ReadonlySet<number>;
  /** Connections by which people sign in: what they say is of the moment of a sign-in, and lists nobody as still being there. */
  signIns: ReadonlySet<number>;
}

/** The word of the account in hand. */
export function ownOrigin(speakers: Speakers, contribution: Contribution, known?: KnownAccount): Origin {
  return {
    connectionId: speakers.connectionId,
    accountId: known?.id,
    precedence: speakers.precedence,
    overrides: speakers.mapping.kinds.user?.precedence ?? {},
    contribution,
  };
}

/** What is known of a person of whom an origin speaks. */
type Heard = Pick<KnownPerson, "attributes" | "mastery" | "originBlocks">;

/** The word of another account of the person. */
export function storedOrigin(speakers: Speakers, { origin, person, now }: { origin: KnownOrigin; person: Heard; now: Date }): Origin {
  const contribution = storedContribution(speakers, { ...origin, now });
  return {
    connectionId: origin.connectionId,
    accountId: origin.accountId,
    precedence: origin.precedence,
    overrides: speakers.mappingOf(origin.connectionId).kinds.user?.precedence ?? {},
    contribution: contribution ? withoutEcho(contribution, origin.writtenBack) : lastWord(person, origin),
  };
}

/** What a stored account says; undefined for one that its own mapping fails on. */
function storedContribution(
  speakers: Speakers,
  { connectionId, attributes, now }: Pick<KnownOrigin, "connectionId" | "attributes"> & { now: Date },
): Contribution | undefined {
  const { kinds, employment } = speakers.mappingOf(connectionId);
  try {
    return transferred(kinds.user?.map(attributes) ?? {}, { policy: employment, now }).contribution;
  } catch (error) {
    if (error instanceof AppError && error.code === "invalid") return undefined;
    throw error;
  }
}

/**
 * What goes on holding of an origin whose account can't be read: its own run names it, and nobody else's record waits for that.
 * Were it silent instead, a mapping with a mistake would let in whoever that origin keeps out.
 */
function lastWord({ attributes, mastery, originBlocks }: Heard, { connectionId }: KnownOrigin): Contribution {
  const mastered = Object.entries(fromProfile(attributes)).filter(([key]) => (mastery[key] ?? mastery[EVERYTHING]) === connectionId);
  const isOut = originBlocks.some((block) => block.connectionId === connectionId);
  return { ...Object.fromEntries(mastered), ...(isOut || mastery["active"] === connectionId ? { active: !isOut } : {}) };
}

/** What was edited here. */
export function localOrigin(person: KnownPerson): Origin[] {
  return person.local ? [{ connectionId: null, precedence: LOCAL_PRECEDENCE, overrides: {}, contribution: person.local }] : [];
}

/** What a record says now of whoever its account belongs to or will. */
interface Saying {
  contribution: Contribution;
  known: KnownAccount | undefined;
  person: KnownPerson | undefined;
  seenAt: Date;
}

/**
 * What the account in hand says, without what is our own. Throws `invalid` for a zone of an employment that nobody can read, though no
 * date asks for it yet: the first date would fail on it. Who has one since before keeps it, and nobody stays in for it who is to be out.
 */
export function ownWord(speakers: Speakers, { contribution, known, person, seenAt }: Saying): Contribution {
  const zone = textOf(contribution[ZONE]);
  if (zone !== undefined && contribution["active"] !== false && !openZone(zone)) {
    const stored = person?.origins.find(({ accountId }) => accountId === known?.id);
    const before = stored && storedContribution(speakers, { ...stored, now: seenAt });
    if (textOf(before?.[ZONE]) !== zone) requireZone(zone, ZONE);
  }
  return withoutEcho(contribution, known?.writtenBack ?? null);
}

const ZONE = "employment.timeZone";

/** No echo: what we wrote back ourselves is not the origin's word. */
export function withoutEcho(contribution: Contribution, writtenBack: KnownAccount["writtenBack"]): Contribution {
  if (writtenBack?.active !== false || contribution["active"] !== false) return contribution;
  const { active: _ours, ...rest } = contribution;
  return rest;
}

/** Those whose word counts: not the silent ones, while anybody else speaks who does more than sign people in. */
export function audible<O extends { connectionId: number | null }>(
  { silent, signIns }: Pick<Speakers, "silent" | "signIns">,
  origins: readonly O[],
): readonly O[] {
  if (silent.size === 0) return origins;
  const speaking = origins.filter((origin) => !isOf(silent, origin));
  return speaking.some((origin) => !isOf(signIns, origin)) ? speaking : origins;
}

/**
 * Those on whom somebody may rely who leaves another origin: whoever has signed in once would otherwise never leave. Among connections
 * by which people sign in, one may rely on the others.
 */
export function relied<O extends { connectionId: number | null }>(
  { silent, signIns, connectionId }: Pick<Speakers, "silent" | "signIns" | "connectionId">,
  origins: readonly O[],
): readonly O[] {
  const left = signIns.has(connectionId);
  return origins.filter((origin) => !isOf(silent, origin) && (left || !isOf(signIns, origin)));
}

function isOf(connections: ReadonlySet<number>, { connectionId }: { connectionId: number | null }): boolean {
  return connectionId !== null && connections.has(connectionId);
}
