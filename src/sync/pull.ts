import type { Kind, Page, RecordProblem, SourceRecord } from "../../connectors/contract.ts";
import { storableText } from "../../connectors/kit/storable-text.ts";
import type { Sql } from "../db/database.ts";
import { canonical, fingerprintOf } from "./fingerprint.ts";
import { changesMembers, mergeMembers } from "./member-changes.ts";
import type { Changed } from "./stage.ts";

/**
 * Compares a page with the accounts already known, by hash and mapping version, in one indexed query; marks those seen.
 * Accounts that wait for a human or a match are looked at in every run. Answers the places of what has to go further.
 */
const COMPARE = `
  with read as (select native_id, ordinality as place from unnest($3::text[]) with ordinality as r(native_id, ordinality)),
  known as (
    select r.place, a.id,
        a.hash = substring($4::bytea from (r.place::int - 1) * 32 + 1 for 32) and a.mapping_version = $5 and a.gone_at is null
          and (a.situation = 'linked' or (a.situation = 'unmatched' and a.mapped is null)) as same
      from read r join accounts a on a.connection_id = $1 and a.kind = $2 and a.native_id = r.native_id),
  seen as (
    insert into run_seen (run_id, kind, page, account_ids)
    select $6, $2, $7, array_agg(id) from known having count(*) > 0)
  select coalesce(array_agg(r.place::int), '{}') as places, exists (select from known) as known from read r
   where not exists (select from known k where k.place = r.place and k.same)`;

export interface CompareOptions {
  connectionId: number;
  kind: Kind;
  mappingVersion: number;
  runId: number;
  /** Number of this page within the run and kind. */
  page: number;
  records: readonly SourceRecord[];
  /** Fingerprints, in the order of the records. */
  hashes: readonly Buffer[];
  /** Native ids of records that this run read before, and read otherwise than they are known. */
  staged: ReadonlySet<string>;
}

export interface Compared {
  changed: Changed[];
  /** Native ids of records that were read otherwise before, and now say again what is known of them. */
  reverted: string[];
  /** False: nothing of this page is known yet, so that nobody has to be looked up. */
  known: boolean;
}

/** The records of a page that differ from what is known, each once. Without `sql` nothing is known. */
export async function findChanged(sql: Sql | undefined, options: CompareOptions): Promise<Compared> {
  const { connectionId, kind, mappingVersion, runId, page, records, hashes } = options;
  if (records.length === 0) return { changed: [], reverted: [], known: false };
  if (!sql) return { ...lastWords(() => true, options), known: false };
  const { rows } = await sql.query<{ places: number[]; known: boolean }>({
    name: "sync_compare",
    text: COMPARE,
    values: [connectionId, kind, records.map(({ nativeId }) => nativeId), Buffer.concat(hashes), mappingVersion, runId, page],
  });
  const places = new Set(rows[0]?.places);
  return { ...lastWords((index, record) => places.has(index + 1) || changesMembers(record), options), known: rows[0]?.known ?? false };
}

/** One that is listed twice counts as it was read last; what was read of its members in between adds up. */
function lastWords(
  differs: (index: number, record: SourceRecord) => boolean,
  { records, hashes, staged }: Pick<CompareOptions, "records" | "hashes" | "staged">,
): Pick<Compared, "changed" | "reverted"> {
  const changed = new Map<string, Changed>();
  const reverted = new Set<string>();
  for (const [index, record] of records.entries()) {
    const { nativeId } = record;
    const hash = hashes[index];
    const earlier = changed.get(nativeId);
    if (differs(index, record) && hash) {
      const members = record.deleted ? undefined : mergeMembers(earlier?.record.members, record.members);
      changed.set(nativeId, { record: withReference(members ? { ...record, members } : record), hash: hash.toString("hex") });
      reverted.delete(nativeId);
    } else if (earlier || staged.has(nativeId)) {
      changed.delete(nativeId);
      reverted.add(nativeId);
    }
  }
  return { changed: [...changed.values()], reverted: [...reverted] };
}

/** Systems that name records by native id alone have that as reference, so that members resolve in one way. */
export function withReference(record: SourceRecord): SourceRecord {
  return record.reference === undefined ? { ...record, reference: record.nativeId } : record;
}

/** How JSON writes U+0000 and half of a surrogate pair; after a backslash that is itself escaped, it is a path. */
const NOT_KEPT = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/;

/** Splits what PostgreSQL can't hold (a NUL in a text, half of a surrogate pair) from what it can: one bad record never stops the others. */
export function storable(page: Page): { records: SourceRecord[]; hashes: Buffer[]; problems: RecordProblem[] } {
  const problems = [...(page.problems ?? [])];
  const records: SourceRecord[] = [];
  const hashes: Buffer[] = [];
  for (const record of page.records) {
    const text = canonical(record);
    if (record.nativeId === "" || (text.includes("\\u") && NOT_KEPT.test(text))) {
      problems.push({
        kind: record.kind,
        nativeId: storableText(record.nativeId),
        code: "invalid",
        message: "It has no native id, or holds a NUL character or half of a surrogate pair, which no directory can store.",
      });
    } else {
      records.push(record);
      hashes.push(fingerprintOf(text));
    }
  }
  return { records, hashes, problems };
}
