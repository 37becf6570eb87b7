import {
  Fault,
  type AttributeObject,
  type Completeness,
  type Cursor,
  type Kind,
  type Page,
  type Source,
  type SourceRecord,
} from "../../connectors/contract.ts";
import { inParallel } from "./in-parallel.ts";
import { countsOf, noteProblems, type Run } from "./begin.ts";
import { idleGroups } from "./idle-groups.ts";
import { pageOrder } from "./page-order.ts";
import { stageItems, unstageItems } from "./plan.ts";
import { READ_STAGE } from "./progress.ts";
import type { Item } from "./records.ts";
import { findChanged, storable, withReference } from "./pull.ts";
import { decideRecords, type Changed } from "./stage.ts";
import { stageGroupMembers } from "./stage-members.ts";
import { knownCount } from "./sweep.ts";

/** Units before people before groups, so that what is referred to is there first. A read may follow its source's order: a plan is applied in its own. */
const ORDER: readonly Kind[] = ["unit", "user", "group"];
/** Pages that are decided and staged while the next is read. */
const IN_FLIGHT = 2;
/** Changed records of a page that are looked up and decided together. */
const PORTION = 200;
const SIDE_BY_SIDE = 2;
const REMAP_PAGE = 1000;

export function kindsOf(run: Run, source: Source): Kind[] {
  return source.kinds.filter((kind) => run.deciding.mapping.kinds[kind] !== undefined);
}

/** Reads a kind in full and stages what differs; keeps the evidence of completeness. */
export async function readInFull(run: Run, source: Source, kind: Kind): Promise<void> {
  const known = await knownCount(run.db.pool, { connectionId: run.connection.id, kind });
  const evidence = await eachPage(run, kind, source.readAll(kind));
  run.evidence[kind] = evidence;
  run.reads.push({ kind, read: evidence.count, known });
  if (evidence.cursor) run.cursors[kind] = evidence.cursor;
}

/** Reads what changed since the cursor. Throws a Fault `expired` when only a full read will do. */
export async function readChanges(run: Run, source: Source, kind: Kind): Promise<void> {
  const since = run.connection.cursor?.[kind];
  if (!source.readChanges || !since) throw new Fault("expired", `There is no cursor for ${kind}s yet.`);
  run.cursors[kind] = await eachPage<Cursor>(run, kind, source.readChanges(kind, since));
}

/** Stages pages as they come: reading goes on while earlier pages are decided. */
async function eachPage<R extends Completeness | Cursor>(run: Run, kind: Kind, pages: AsyncGenerator<Page, R>): Promise<R> {
  const working: Promise<void>[] = [];
  const inOrder = pageOrder();
  try {
    for (;;) {
      const { done, value } = await pages.next();
      if (done) return value;
      run.ctx.signal.throwIfAborted();
      const ids = value.records.map(({ nativeId }) => nativeId);
      const work = inOrder(ids, () => stagePage(run, kind, value));
      // Awaited below, in order; until then a failure must not count as unhandled.
      work.catch(() => undefined);
      working.push(work);
      if (working.length > IN_FLIGHT) await working.shift();
    }
  } finally {
    await Promise.all(working);
  }
}

async function stagePage(run: Run, kind: Kind, page: Page): Promise<void> {
  const { records, hashes, problems } = storable(page);
  const number = run.next.page++;
  const [{ changed, reverted, known }] = await Promise.all([
    findChanged(run.before.accounts.has(kind) ? run.db.pool : undefined, {
      connectionId: run.connection.id,
      kind,
      mappingVersion: run.connection.mappingVersion,
      runId: run.id,
      page: number,
      records,
      hashes,
      staged: run.staged[kind],
    }),
    noteProblems(run, problems),
  ]);
  await takeBack(run, kind, reverted);
  const counts = countsOf(run, kind);
  counts.read += page.records.length;
  // Side by side, this process decides about some while the database looks others up. Whoever is new is not looked up.
  const portions = known && kind === "user" ? portionsOf(changed) : [changed];
  await inParallel(portions, { atOnce: SIDE_BY_SIDE, work: (portion) => stageChanged(run, portion, { known }) });
  run.onProgress({ stage: READ_STAGE[kind], done: counts.read });
}

function portionsOf<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / PORTION) }, (_, index) => all.slice(index * PORTION, (index + 1) * PORTION));
}

/** Decides about changed records of one kind and stages what follows. */
export async function stageChanged(run: Run, changed: readonly Changed[], { known = true } = {}): Promise<void> {
  const kind = changed[0]?.record.kind;
  if (kind === undefined) return;
  const decided = await decideRecords(run.db.pool, {
    deciding: run.deciding,
    changed,
    seenAt: run.ctx.now(),
    sealing: run,
    known,
    anybody: run.before.people,
    contested: run.contested,
  });
  await noteProblems(run, decided.problems);
  await takeBack(run, kind, withoutItem(run, kind, { changed, items: decided.items }));
  const items = kind === "group" ? await stageGroups(run, { changed, items: decided.items }) : decided.items;
  countsOf(run, kind).changed += items.length;
  const firstSeq = run.next.seq;
  run.next.seq += items.length;
  await stageItems(run.db.pool, { planId: run.planId, firstSeq, items });
}

/** Stages changes of members; returns the groups about which there is something to do. */
async function stageGroups(
  run: Run,
  { changed, items }: { changed: readonly Changed[]; items: readonly Item[] },
): Promise<readonly Item[]> {
  await stageGroupMembers(run, changed, items);
  const idle = new Set(await idleGroups(run, { changed, items }));
  await takeBack(run, "group", [...idle]);
  return items.filter(({ nativeId }) => !idle.has(nativeId));
}

/** Who of these was staged before in this run, and comes to nothing now. Notes all of them as staged; in a first read there is nobody to go back to. */
function withoutItem(run: Run, kind: Kind, { changed, items }: { changed: readonly Changed[]; items: readonly Item[] }): string[] {
  if (!run.before.accounts.has(kind)) return [];
  const staged = run.staged[kind];
  const ids = changed.map(({ record }) => record.nativeId);
  const again = ids.filter((id) => staged.has(id));
  for (const id of ids) staged.add(id);
  if (again.length === 0) return [];
  const decided = new Set(items.map(({ nativeId }) => nativeId));
  return again.filter((id) => !decided.has(id));
}

async function takeBack(run: Run, kind: Kind, nativeIds: readonly string[]): Promise<void> {
  for (const id of nativeIds) run.staged[kind].delete(id);
  await unstageItems(run.db.pool, { planId: run.planId, kind, nativeIds });
}

/**
 * Decides again about stored accounts that an older mapping made; the source is not asked. Of connections by which people sign in only
 * those that are somebody's: whether another may be tied to a person is asked when its person signs in, as `policy.signIn` says.
 */
export async function remapStored(run: Run): Promise<void> {
  const { rows: older } = await run.db.pool.query("select from accounts where connection_id = $1 and mapping_version < $2 limit 1", [
    run.connection.id,
    run.connection.mappingVersion,
  ]);
  if (older.length === 0) return;
  for (const kind of ORDER) {
    for (let after = 0, more = true; more;) {
      const { rows } = await run.db.pool.query<{
        id: number;
        native_id: string;
        reference: string | null;
        attributes: AttributeObject;
        hash: string;
        source_changed_at: Date | null;
        parent: string | null;
      }>(
        `select a.id, a.native_id, a.reference, a.attributes, encode(a.hash, 'hex') as hash, a.source_changed_at,
            (select p.reference from units u join accounts p on p.unit_id = u.parent_id and p.connection_id = a.connection_id where u.id = a.unit_id limit 1) as parent
          from accounts a where a.connection_id = $1 and a.kind = $2 and a.mapping_version < $3 and a.gone_at is null and a.id > $4
            and (not $6::boolean or (a.person_id is not null and a.situation <> 'disputed')) order by a.id limit $5`,
        [run.connection.id, kind, run.connection.mappingVersion, after, REMAP_PAGE, run.connection.connector.signsPeopleIn === true],
      );
      await stageChanged(
        run,
        rows.map(({ hash, ...row }) => ({ hash, record: storedRecord(kind, row) })),
      );
      after = rows.at(-1)?.id ?? after;
      more = rows.length === REMAP_PAGE;
      if (rows.length > 0) run.onProgress({ stage: "remap", done: run.next.seq });
    }
  }
}

function storedRecord(
  kind: Kind,
  row: { native_id: string; reference: string | null; attributes: AttributeObject; source_changed_at: Date | null; parent: string | null },
): SourceRecord {
  return withReference({
    kind,
    nativeId: row.native_id,
    attributes: row.attributes,
    ...(row.reference === null ? {} : { reference: row.reference }),
    ...(row.source_changed_at === null ? {} : { changedAt: row.source_changed_at }),
    ...(row.parent === null ? {} : { parent: row.parent }),
  });
}
