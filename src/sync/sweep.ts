import type { Completeness, Kind, Source, SourceRecord } from "../../connectors/contract.ts";
import type { Sql } from "../db/database.ts";
import { Fault } from "../../connectors/contract.ts";

/** Why absence proves nothing this time. */
export type Doubt = "no-end" | "empty" | "recount";

export interface Candidate {
  accountId: number;
  nativeId: string;
}

/**
 * Live accounts that were known before the run (by their ids, since clocks are set back) and that the run has not seen, a page at a time in id order. Whose record was
 * read but can't be taken is there: neither gone, nor a reason for the run to stop.
 */
export async function sweepCandidates(
  sql: Sql,
  options: { connectionId: number; kind: Kind; runId: number; lastAccountId: number; after: number; limit: number },
): Promise<Candidate[]> {
  const { rows } = await sql.query<Candidate>({
    name: "sync_sweep_candidates",
    text: `select a.id as "accountId", a.native_id as "nativeId" from accounts a
      where a.connection_id = $1 and a.kind = $2 and a.gone_at is null and a.id <= $4 and a.id > $5
        and not exists (select from (select unnest(account_ids) as id from run_seen where run_id = $3 and kind = $2) s where s.id = a.id)
        and not exists (select from run_problems p where p.run_id = $3 and p.kind = $2 and p.native_id = a.native_id)
      order by a.id limit $6`,
    values: [options.connectionId, options.kind, options.runId, options.lastAccountId, options.after, options.limit],
  });
  return rows;
}

export async function knownCount(sql: Sql, { connectionId, kind }: { connectionId: number; kind: Kind }): Promise<number> {
  const { rows } = await sql.query<{ count: number }>(
    "select count(*)::int as count from accounts where connection_id = $1 and kind = $2 and gone_at is null",
    [connectionId, kind],
  );
  return rows[0]?.count ?? 0;
}

/**
 * Whether a read proves absence: it reached the system's own end, was not empty where something is known, and an
 * independent recount found no more than it returned. Pure but for the recount, which is asked only when it matters.
 */
export async function doubtOf(
  evidence: Completeness,
  { known, recount }: { known: number; recount: (() => Promise<number>) | undefined },
): Promise<Doubt | undefined> {
  if (!evidence.finalCursor) return "no-end";
  if (evidence.count === 0 && known > 0) return "empty";
  if (recount && (await recount()) > evidence.count) return "recount";
  return undefined;
}

export const DOUBTS: Readonly<Record<Doubt, string>> = {
  "no-end": "the source did not say that its answer was complete, so nobody is taken away for being absent",
  empty: "the source answered with nothing at all, so nobody is taken away for being absent",
  recount: "a recount at the source found more than the read returned, so nobody is taken away for being absent",
};

export type Confirmed =
  { candidate: Candidate; outcome: "gone" } | { candidate: Candidate; outcome: "outside" | "present"; record: SourceRecord };

/** Asks the source for each candidate by its id: gone, outside of what the connection reads, or there after all (the listing missed it). */
export async function confirm(source: Source, kind: Kind, candidates: readonly Candidate[]): Promise<Confirmed[]> {
  const confirmed: Confirmed[] = [];
  for (const candidate of candidates) {
    const found = await source.readOne(kind, candidate.nativeId);
    if (found === "gone") confirmed.push({ candidate, outcome: "gone" });
    else if (found.nativeId !== candidate.nativeId)
      throw new Fault(
        "transient",
        `The source answered for ${candidate.nativeId} with another record, ${found.nativeId}; the run stops, nobody is taken away.`,
      );
    else confirmed.push({ candidate, outcome: found.outOfScope ? "outside" : "present", record: found });
  }
  return confirmed;
}
