import type { Completeness, Kind, Source } from "../../connectors/contract.ts";
import { noteProblems, type Run } from "./begin.ts";
import { decideLeaver } from "./decide.ts";
import { fingerprint } from "./fingerprint.ts";
import { settleHandOver } from "./hand-over.ts";
import { knownAccounts, knownPeople } from "./known.ts";
import { stageItems, unstageMembers } from "./plan.ts";
import { withReference } from "./pull.ts";
import { kindsOf, stageChanged } from "./read.ts";
import type { Item, KnownPerson } from "./records.ts";
import { sealChanges } from "./seal-changes.ts";
import { confirm, doubtOf, DOUBTS, knownCount, sweepCandidates, type Confirmed } from "./sweep.ts";

const BATCH = 500;

/**
 * After an incremental read: lists the source's ids. Those that we know are marked seen, those that we don't
 * (a change that fell between two cursors) are read one by one.
 */
export async function listIds(run: Run, source: Source, kind: Kind): Promise<void> {
  if (!source.listIds || (source.listedKinds && !source.listedKinds.includes(kind))) return;
  const known = await knownCount(run.db.pool, { connectionId: run.connection.id, kind });
  const pages = source.listIds(kind);
  for (let listed = 0; ;) {
    const { done, value } = await pages.next();
    if (done) {
      run.evidence[kind] = value;
      run.reads.push({ kind, read: value.count, known });
      return;
    }
    run.ctx.signal.throwIfAborted();
    await markListed(run, source, { kind, ids: value });
    listed += value.length;
    run.onProgress({ stage: "list ids", done: listed });
  }
}

const MARK_LISTED = `
  with listed as (select unnest($3::text[]) as native_id),
  known as (select l.native_id, a.id from listed l join accounts a on a.connection_id = $1 and a.kind = $2 and a.native_id = l.native_id),
  seen as (insert into run_seen (run_id, kind, page, account_ids) select $4, $2, $5, array_agg(id) from known having count(*) > 0)
  select l.native_id as "nativeId" from listed l
   where not exists (select from known k where k.native_id = l.native_id)
     and not exists (select from plan_items i where i.plan_id = $6 and i.kind = $2 and i.native_id = l.native_id)
     and not exists (select from run_problems p where p.run_id = $4 and p.kind = $2 and p.native_id = l.native_id)
  union all
  select k.native_id from known k join accounts a on a.id = k.id
   where a.gone_at is not null and not exists (select from plan_items i where i.plan_id = $6 and i.kind = $2 and i.native_id = k.native_id)`;

async function markListed(run: Run, source: Source, { kind, ids }: { kind: Kind; ids: readonly string[] }): Promise<void> {
  const { rows } = await run.db.pool.query<{ nativeId: string }>({
    name: "sync_mark_listed",
    text: MARK_LISTED,
    values: [run.connection.id, kind, ids, run.id, run.next.page++, run.planId],
  });
  for (const { nativeId } of rows) {
    const record = await source.readOne(kind, nativeId);
    if (record !== "gone" && !record.outOfScope)
      await stageChanged(run, [{ record: withReference(record), hash: fingerprint(record).toString("hex") }]);
  }
}

/** Stages a delete for everybody whom the read proves to be gone. Without proof it says why, and takes nobody away. */
export async function sweepAbsent(run: Run, source: Source, kind: Kind): Promise<void> {
  const evidence = run.evidence[kind];
  if (!evidence) return;
  let settled: Completeness | undefined;
  for (let after = 0, swept = 0; ;) {
    const candidates = await sweepCandidates(run.db.pool, {
      connectionId: run.connection.id,
      kind,
      runId: run.id,
      lastAccountId: run.before.lastAccountId,
      after,
      limit: BATCH,
    });
    if (candidates.length === 0) return;
    if (!settled) {
      const known = run.reads.find((read) => read.kind === kind)?.known ?? 0;
      const doubt = await doubtOf(evidence, {
        known,
        recount: source.count ? () => source.count?.(kind) ?? Promise.resolve(0) : undefined,
      });
      if (doubt) {
        run.notes.push(`${kind}s: ${DOUBTS[doubt]} (read ${evidence.count}, known ${known})`);
        return;
      }
      settled = evidence;
    }
    run.ctx.signal.throwIfAborted();
    await stageSwept(run, kind, await confirm(source, kind, candidates));
    after = candidates.at(-1)?.accountId ?? after;
    swept += candidates.length;
    run.onProgress({ stage: "sweep", done: swept });
  }
}

/**
 * After a full read: what the connection brought of a kind that it does not read any more, by its settings or its mapping, would stay
 * for ever as it was, with nobody to say that it has changed. It leaves, once a human approves (see Run.unread).
 */
export async function sweepUnread(run: Run, source: Source): Promise<void> {
  const read = kindsOf(run, source);
  for (const kind of run.before.accounts) if (!read.includes(kind)) await sweepKind(run, kind);
}

async function sweepKind(run: Run, kind: Kind): Promise<void> {
  let swept = 0;
  for (let after = 0; ;) {
    const { id: runId, connection, before } = run;
    const { lastAccountId } = before;
    const candidates = await sweepCandidates(run.db.pool, { connectionId: connection.id, kind, runId, lastAccountId, after, limit: BATCH });
    if (candidates.length === 0) break;
    run.ctx.signal.throwIfAborted();
    run.unread.add(kind);
    await stageSwept(
      run,
      kind,
      candidates.map((candidate) => ({
        candidate,
        outcome: "outside",
        record: { kind, nativeId: candidate.nativeId, attributes: {} },
      })),
    );
    after = candidates.at(-1)?.accountId ?? after;
    swept += candidates.length;
  }
  if (swept > 0)
    run.notes.push(
      `${kind}s: ${run.connection.name} does not read them any more; the ${swept} that it brought leave once the plan is approved`,
    );
}

async function stageSwept(run: Run, kind: Kind, confirmed: readonly Confirmed[]): Promise<void> {
  const missed = confirmed.flatMap((each) => (each.outcome === "present" ? [each] : []));
  if (missed.length > 0) {
    await noteProblems(
      run,
      missed.map(({ candidate }) => ({
        kind,
        nativeId: candidate.nativeId,
        code: "missed",
        message: "The listing left it out, but the source has it: it stays.",
      })),
    );
    await stageChanged(
      run,
      missed.map(({ record }) => ({ record: withReference(record), hash: fingerprint(record).toString("hex") })),
    );
  }
  const leaving = confirmed.filter(({ outcome }) => outcome !== "present");
  const items = await decideLeaving(run, kind, leaving);
  const firstSeq = run.next.seq;
  run.next.seq += items.length;
  if (kind === "group") await unstageMembers(run.db.pool, { planId: run.planId, nativeIds: items.map(({ nativeId }) => nativeId) });
  await stageItems(run.db.pool, { planId: run.planId, firstSeq, items });
}

async function decideLeaving(run: Run, kind: Kind, leaving: readonly Confirmed[]): Promise<Item[]> {
  const sql = run.db.pool;
  const known = await knownAccounts(sql, {
    connectionId: run.connection.id,
    kind,
    nativeIds: leaving.map(({ candidate }) => candidate.nativeId),
  });
  const people =
    kind === "user"
      ? await knownPeople(
          sql,
          [...known.values()].flatMap(({ subjectId }) => subjectId ?? []),
        )
      : new Map<string, KnownPerson>();
  const together = new Set([...known.values()].map(({ id }) => id));
  const items = leaving.flatMap(({ candidate, outcome }) => {
    const account = known.get(candidate.nativeId);
    if (!account) return [];
    const why = outcome === "gone" ? `gone from ${run.connection.name}` : `no longer within what ${run.connection.name} reads`;
    const record = { kind, nativeId: candidate.nativeId, attributes: {} };
    return [
      decideLeaver(run.deciding, {
        record,
        known: account,
        person: remaining(people.get(account.subjectId ?? ""), together),
        seenAt: run.ctx.now(),
        why,
      }),
    ];
  });
  if (kind === "user") {
    await noteProblems(run, await settleHandOver(sql, { connectionId: run.connection.id, items, people }));
    await sealChanges(sql, { sealing: run, items, people });
  }
  return items;
}

/** Two accounts of one person that are gone together are no reason for each other to stay. */
function remaining(person: KnownPerson | undefined, gone: ReadonlySet<number>): KnownPerson | undefined {
  return person && { ...person, origins: person.origins.filter(({ accountId }) => !gone.has(accountId)) };
}
