import { randomUUID } from "node:crypto";
import type { RecordProblem, SourceRecord } from "../../connectors/contract.ts";
import type { Sql } from "../db/database.ts";
import type { Contribution } from "../directory/attributes.ts";
import { messageOf } from "../errors.ts";
import { addressTaken, nameTaken } from "./contested.ts";
import { decideUser, type Deciding, type UserInput } from "./decide.ts";
import { sealChanges, type Sealing } from "./seal-changes.ts";
import { decideGroup, decideUnit } from "./decide-collection.ts";
import { refuseUnfindable } from "./found-by.ts";
import { settleHandOver, speaksForOthers } from "./hand-over.ts";
import { findClaims, NO_CLAIMS, knownAccounts, knownPeople, type Claims } from "./known.ts";
import { matchAccount, type Match } from "./match.ts";
import type { Item, KnownAccount, KnownPerson } from "./records.ts";

/** A changed record on its way through match, map and decide. */
export interface Changed {
  record: SourceRecord;
  /** Hexadecimal fingerprint. */
  hash: string;
}

export interface Decided {
  items: Item[];
  problems: RecordProblem[];
}

export interface DecideOptions {
  deciding: Deciding;
  changed: readonly Changed[];
  seenAt: Date;
  /** Take row locks on accounts and people: for a request's own transaction. */
  lock?: boolean;
  /** False: none of these records has an account yet, so that none is looked up. */
  known?: boolean;
  /** False: there are no people at all, whom anybody could match or clash with. */
  anybody?: boolean;
  /** Takes down who claims what is another's still: a plan may give that one something else. Absent where no plan does: it is refused at once. */
  contested?: Set<string>;
  /** Seals what changed (before and after) for the audit trail; absent where nobody's values may be kept. */
  sealing?: Sealing;
}

/** Takes changed records of one kind through match, map and decide. One bad record never stops the others: it is a problem with its reason. */
export async function decideRecords(sql: Sql, options: DecideOptions): Promise<Decided> {
  const kind = options.changed[0]?.record.kind;
  if (kind === undefined) return { items: [], problems: [] };
  const known =
    options.known === false
      ? new Map<string, KnownAccount>()
      : await knownAccounts(sql, {
          connectionId: options.deciding.connectionId,
          kind,
          nativeIds: options.changed.map(({ record }) => record.nativeId),
          lock: options.lock,
        });
  return kind === "user" ? decideUsers(sql, options, known) : decideCollections(options, known);
}

function decideCollections({ deciding, changed, seenAt }: DecideOptions, known: ReadonlyMap<string, KnownAccount>): Decided {
  const decide = changed[0]?.record.kind === "group" ? decideGroup : decideUnit;
  return collect(changed, ({ record, hash }) =>
    decide(deciding, { record, hash, known: known.get(record.nativeId), newId: newId(seenAt), seenAt }),
  );
}

interface MappedUser extends Changed {
  contribution: Contribution;
  inScope: boolean;
  known: KnownAccount | undefined;
}

async function decideUsers(
  sql: Sql,
  { deciding, changed, seenAt, lock, sealing, contested, anybody = true }: DecideOptions,
  known: ReadonlyMap<string, KnownAccount>,
): Promise<Decided> {
  const problems: RecordProblem[] = [];
  const mapped = changed.flatMap((change): MappedUser[] => {
    try {
      return [{ ...change, ...mapUser(deciding, change.record), known: known.get(change.record.nativeId) }];
    } catch (error) {
      problems.push(problemOf(change.record, error));
      return [];
    }
  });
  const claims = !anybody
    ? NO_CLAIMS
    : await findClaims(sql, {
        connectionId: deciding.connectionId,
        contributions: mapped.map(({ contribution }) => contribution),
        keys: deciding.mapping.match,
      });
  const matches = new Map(
    mapped
      .filter(needsMatch)
      .map(({ record, contribution }) => [
        record.nativeId,
        matchAccount({ contribution, keys: deciding.mapping.match, candidates: claims.candidates }),
      ]),
  );
  const people = await knownPeople(
    sql,
    mapped.flatMap((user) => [personOf(user, matches.get(user.record.nativeId)) ?? [], user.known?.formerPersonId ?? []].flat()),
    { lock },
  );
  const handed: Item[] = [];
  const decided = collect(mapped, (user) => {
    const match = returning(deciding, { user, people }) ?? matches.get(user.record.nativeId);
    const input: UserInput = { ...user, match, person: people.get(personOf(user, match) ?? ""), newPersonId: newId(seenAt), seenAt };
    const item = decideUser(deciding, input);
    const others = item !== undefined && speaksForOthers(item, user.contribution);
    if (item && item.action !== "delete") {
      if (!contested || others) problems.push(...settleClaims(item, claims));
      else if (claimsAnothers(item, claims)) contested.add(item.nativeId);
    }
    if (others) handed.push(item);
    return item;
  });
  problems.push(...(await settleHandOver(sql, { connectionId: deciding.connectionId, items: handed, people })));
  if (sealing) await sealChanges(sql, { sealing, items: decided.items, people });
  return { items: decided.items, problems: [...problems, ...decided.problems] };
}

/** What a record contributes; nothing when it is out of scope. Throws `invalid` when an expression fails on it, and for what no index takes. */
export function mapUser({ mapping }: Deciding, record: SourceRecord): Pick<MappedUser, "contribution" | "inScope"> {
  const kind = mapping.kinds.user;
  if (!kind || record.deleted) return { contribution: {}, inScope: kind !== undefined };
  if (!kind.inScope(record.attributes)) return { contribution: {}, inScope: false };
  const contribution = kind.map(record.attributes);
  refuseUnfindable(record, contribution);
  return { contribution, inScope: true };
}

/** Accounts that a human has settled, or that were linked before, keep their link; disputed ones are looked at again. */
function needsMatch({ known, inScope, record }: MappedUser): boolean {
  return inScope && !record.deleted && (known === undefined || known.subjectId === null || known.situation === "disputed");
}

/** Whoever comes back into the scope is who they were, whatever keys say, unless they have another account of this connection by now. */
function returning(
  { connectionId }: Deciding,
  { user, people }: { user: MappedUser; people: ReadonlyMap<string, KnownPerson> },
): Match | undefined {
  const person = needsMatch(user) ? people.get(user.known?.formerPersonId ?? "") : undefined;
  if (!person || person.state === "deleted" || person.origins.some((origin) => origin.connectionId === connectionId)) return undefined;
  return { situation: "returning", personId: person.id };
}

function personOf({ known }: MappedUser, match: Match | undefined): string | undefined {
  if (match) return "personId" in match ? match.personId : undefined;
  return known?.subjectId ?? undefined;
}

/**
 * A login name is one person's: a record that claims another's is refused by name, before anything is staged. So is the address
 * to which we write (P1); but people do share mailboxes, so whoever claims a taken one keeps it in the profile only.
 */
export function settleClaims({ nativeId, payload, subjectId }: Item, claims: Claims): RecordProblem[] {
  const { person } = payload;
  if (!person) return [];
  const holder = claims.byUserName.get(person.userName);
  if (holder !== undefined && holder !== subjectId) throw new TakenError(nameTaken(nativeId, person.userName).message);
  const { email } = person;
  const addressee = email === null ? undefined : claims.byEmail.get(email);
  if (email === null || addressee === undefined || addressee === subjectId) return [];
  person.email = null;
  return [addressTaken({ nativeId, said: email, holder: addressee })];
}

function claimsAnothers({ payload: { person }, subjectId }: Item, { byUserName, byEmail }: Claims): boolean {
  if (!person) return false;
  const holders = [byUserName.get(person.userName), person.email === null ? undefined : byEmail.get(person.email)];
  return holders.some((holder) => holder !== undefined && holder !== subjectId);
}

class TakenError extends Error {}

function collect<T extends Changed>(changed: readonly T[], decide: (change: T) => Item | undefined): Decided {
  const items: Item[] = [];
  const problems: RecordProblem[] = [];
  for (const change of changed) {
    try {
      const item = decide(change);
      if (item) items.push(item);
    } catch (error) {
      problems.push(problemOf(change.record, error));
    }
  }
  return { items, problems };
}

function problemOf(record: SourceRecord, error: unknown): RecordProblem {
  return {
    kind: record.kind,
    nativeId: record.nativeId,
    code: error instanceof TakenError ? "conflict" : "invalid",
    message: messageOf(error),
  };
}

/** UUID version 7 (RFC 9562): ordered by time, so that neighbours in time are neighbours in the index. */
export function newId(now: Date): string {
  const time = now.getTime().toString(16).padStart(12, "0");
  // Its random bits, and its variant, are those of a version 4, which Node makes from a pool.
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}
