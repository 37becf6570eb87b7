import type { Kind, Page, RecordProblem, SourceRecord } from "../../connectors/contract.ts";
import type { Sql } from "../db/database.ts";
import { fingerprint } from "./fingerprint.ts";
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
  select coalesce(array_agg(r.place::int), '{}') as places from read r
   where not exists (select from known k where k.place = r.place and k.same)`;

export interface CompareOptions {
  connectionId: number;
  kind: Kind;
  mappingVersion: number;
  runId: number;
  /** Number of this page within the run and kind. */
  page: number;
  records: readonly SourceRecord[];
}

/** The records of a page that differ from what is known, each once. */
export async function findChanged(sql: Sql, { connectionId, kind, mappingVersion, runId, page, records }: CompareOptions): Promise<Changed[]> {
  if (records.length === 0) return [];
  const hashes = records.map(fingerprint);
  const { rows } = await sql.query<{ places: number[] }>({
    name: "sync_compare",
    text: COMPARE,
    values: [connectionId, kind, records.map(({ nativeId }) => nativeId), Buffer.concat(hashes), mappingVersion, runId, page],
  });
  const changed = new Map<string, Changed>();
  for (const place of rows[0]?.places ?? []) {
    const record = records[place - 1];
    const hash = hashes[place - 1];
    if (record && hash) changed.set(record.nativeId, { record: withReference(record), hash: hash.toString("hex") });
  }
  return [...changed.values()];
}

/** Systems that name records by native id alone have that as reference, so that members resolve in one way. */
export function withReference(record: SourceRecord): SourceRecord {
  return record.reference === undefined ? { ...record, reference: record.nativeId } : record;
}

/** Splits what PostgreSQL can't hold (a NUL in a text) from what it can: one bad record never stops the others. */
export function storable(page: Page): { records: SourceRecord[]; problems: RecordProblem[] } {
  const problems = [...(page.problems ?? [])];
  const records = page.records.filter((record) => {
    if (record.nativeId !== "" && !JSON.stringify([record.nativeId, record.reference ?? "", record.attributes]).includes("\\u0000")) return true;
    problems.push({ kind: record.kind, nativeId: record.nativeId.replaceAll("\0", "�"), code: "invalid", message: "It has no native id, or holds a NUL character, which no directory can store." });
    return false;
  });
  return { records, problems };
}
