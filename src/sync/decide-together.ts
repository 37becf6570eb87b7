import type { AttributeObject, SourceRecord } from "../../connectors/contract.ts";
import { AppError } from "../errors.ts";
import { noteProblems, type Run } from "./begin.ts";
import { decideLeaver, decideUser } from "./decide.ts";
import { settleHandOver } from "./hand-over.ts";
import { knownAccounts, knownPeople } from "./known.ts";
import { stageItems, unstageItems } from "./plan.ts";
import type { Item, KnownAccount, KnownOrigin, KnownPerson } from "./records.ts";
import { sealChanges } from "./seal-changes.ts";
import { mapUser, newId } from "./stage.ts";

/** People whose accounts are decided about at once. */
const BATCH = 200;

const SEVERAL = `
  with several as (
    select subject_id from plan_items where plan_id = $1 and kind = 'user' and subject_version is not null and account_id is not null
       and ($2::uuid is null or subject_id > $2)
     group by subject_id having count(*) > 1 order by subject_id limit ${BATCH})
  select i.subject_id as "personId", i.native_id as "nativeId", i.action, i.reason, i.reference, i.source_changed_at as "changedAt",
      i.account_attributes::jsonb as attributes, i.payload->'account'->>'hash' as hash
    from several join plan_items i on i.plan_id = $1 and i.kind = 'user' and i.account_id is not null and i.subject_id = several.subject_id
   order by i.subject_id, i.seq`;

interface Staged {
  personId: string;
  nativeId: string;
  action: Item["action"];
  reason: string;
  reference: string | null;
  changedAt: Date | null;
  /** As the source says it now; null of an account that is gone. */
  attributes: AttributeObject | null;
  hash: string | null;
}

/** What was decided about, with whom it is about. */
interface Several extends Staged {
  known: KnownAccount;
  person: KnownPerson;
}

/**
 * At the end of a read: of a person of whom several accounts change, each was decided beside what the others said before. Where all of them
 * leave, each would be the others' reason to stay, and nobody would ever ask again. So they are decided anew, each beside what the plan
 * makes of the others: whichever is applied first brings the word of all.
 */
export async function decideTogether(run: Run): Promise<void> {
  if (!run.before.accounts.has("user")) return;
  for (let after: string | null = null; ;) {
    const { rows }: { rows: Staged[] } = await run.db.pool.query<Staged>({
      name: "sync_several_accounts",
      text: SEVERAL,
      values: [run.planId, after],
    });
    after = rows.at(-1)?.personId ?? null;
    if (after === null) return;
    run.ctx.signal.throwIfAborted();
    await decideAgain(run, rows);
  }
}

async function decideAgain(run: Run, rows: readonly Staged[]): Promise<void> {
  const sql = run.db.pool;
  const connectionId = run.connection.id;
  const known = await knownAccounts(sql, { connectionId, kind: "user", nativeIds: rows.map(({ nativeId }) => nativeId) });
  const people = await knownPeople(
    sql,
    rows.map(({ personId }) => personId),
  );
  const several = rows.flatMap((row): Several[] => {
    const account = known.get(row.nativeId);
    const person = people.get(row.personId);
    // Whoever is linked by this plan is no origin yet.
    const isTheirs = account?.subjectId === row.personId && account.situation !== "disputed";
    return isTheirs && person ? [{ ...row, known: account, person }] : [];
  });
  const staged = new Map(several.map((each) => [each.known.id, each]));
  const items: Item[] = [];
  for (const each of several) {
    try {
      const item = decideOne(run, each, afterwards(each.person, staged));
      if (item) items.push(item);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "invalid") throw error;
      const { nativeId } = each;
      await noteProblems(run, [{ kind: "user", nativeId, code: "invalid", message: error.message }]);
      await unstageItems(sql, { planId: run.planId, kind: "user", nativeIds: [nativeId] });
    }
  }
  await noteProblems(run, await settleHandOver(sql, { connectionId, items, people }));
  await sealChanges(sql, { sealing: run, items, people });
  const firstSeq = run.next.seq;
  run.next.seq += items.length;
  await stageItems(sql, { planId: run.planId, firstSeq, items });
}

/** The person's live accounts as the plan leaves them. Pure. */
function afterwards(person: KnownPerson, staged: ReadonlyMap<number, Staged>): KnownOrigin[] {
  return person.origins.flatMap((origin) => {
    const item = staged.get(origin.accountId);
    if (item?.action === "delete") return [];
    return item?.attributes ? [{ ...origin, attributes: item.attributes }] : [origin];
  });
}

function decideOne(run: Run, { known, person, ...row }: Several, origins: readonly KnownOrigin[]): Item | undefined {
  const { deciding } = run;
  const seenAt = run.ctx.now();
  const record: SourceRecord = {
    kind: "user",
    nativeId: row.nativeId,
    attributes: row.attributes ?? {},
    ...(row.reference === null ? {} : { reference: row.reference }),
    ...(row.changedAt === null ? {} : { changedAt: row.changedAt }),
  };
  if (row.attributes === null || row.hash === null) {
    const why = row.reason.replace(/; another origin still lists the person$/, "");
    return decideLeaver(deciding, { record, known, person, origins, seenAt, why });
  }
  const said = { ...mapUser(deciding, record), record, hash: row.hash };
  return decideUser(deciding, { ...said, known, match: undefined, person, origins, newPersonId: newId(seenAt), seenAt });
}
