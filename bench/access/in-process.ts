import { giveGrant } from "../../src/access/grants.ts";
import { answerAll } from "../../src/access/snapshot/answer.ts";
import { createAccessSnapshot } from "../../src/access/snapshot/snapshot.ts";
import { createContext } from "../../src/context.ts";
import { inTransaction, openDatabase, type Sql } from "../../src/db/database.ts";
import { createLog } from "../../src/log.ts";
import { sampleQuestions, type Sample } from "./fill.ts";
import { percentile } from "./percentile.ts";

export interface InProcess {
  questions: Sample[];
  /** Share of the questions that are answered with yes. */
  allowed: number;
  readMs: number;
  snapshotBytes: number;
  perSecond: number;
  /** Microseconds of processor time a question: what others do on the machine changes it little. */
  cpuMicros: number;
  /** The same for one look into a Map of as many ids, in no order: what a question can't go below, as this machine is just now. */
  lookupMicros: number;
  /** From the answer to the commit until the snapshot knows, in milliseconds. */
  staleP50Ms: number;
  staleP99Ms: number;
  /** A bare SELECT by primary key from here, in milliseconds. */
  selectP50Ms: number;
  selectP99Ms: number;
}

const TOGETHER = 100;
const QUESTIONS = 100_000;

/** A second node's snapshot: how long it takes to read, what it holds, how fast it answers, how soon it knows. */
export async function measureInProcess({ url, seconds, commits }: { url: string; seconds: number; commits: number }): Promise<InProcess> {
  const db = openDatabase({ url, poolSize: 4 });
  try {
    const log = createLog({ level: "error" });
    const now = () => new Date();
    const questions = await sampleQuestions(db.pool, { count: QUESTIONS });
    const before = held();
    const snapshot = createAccessSnapshot({ db, log, now });
    const begun = performance.now();
    while (snapshot.status().state !== "ready") await snapshot.ready().catch(() => undefined);
    const readMs = performance.now() - begun;
    const snapshotBytes = held() - before;

    let asked = 0;
    let yes = 0;
    let spent = 0;
    let cpuMicros = 0;
    while (spent < seconds * 1000) {
      const view = await snapshot.ready();
      const [turn, cpu] = [performance.now(), process.cpuUsage()];
      for (let batch = 0; batch < 50; batch += 1) {
        const start = asked % Math.max(1, questions.length - TOGETHER);
        const answers = answerAll(view, questions.slice(start, start + TOGETHER), { at: now(), within: null });
        asked += answers.length;
        yes += answers.filter((answer) => "allowed" in answer && answer.allowed).length;
      }
      spent += performance.now() - turn;
      const { user, system } = process.cpuUsage(cpu);
      cpuMicros += user + system;
      await new Promise((resolve) => setImmediate(resolve));
    }

    const lookupMicros = await measureLookups(db.pool);
    const [stale, selects]: [number[], number[]] = [[], []];
    const ctx = createContext({ actor: "cli:bench", log });
    const { rows } = await db.pool.query<{ id: string; permission: string; key: string; unit: string }>(
      `select b.id, r.key, p.permission_key as permission, u.id as unit from bench_people b
       cross join (select id, key from roles where exists (select from role_permissions x where x.role_id = roles.id and x.recorded_to is null) order by key limit 1) r
       cross join lateral (select permission_key from role_permissions p where p.role_id = r.id and p.recorded_to is null limit 1) p
       cross join (select id from units order by path limit 1) u order by b.number limit $1`,
      [commits],
    );
    for (const { id, permission, key, unit } of rows) {
      const question = { person: id, permission, unit };
      const knows = async () => {
        const [answer] = answerAll(await snapshot.ready(), [question], { at: now(), within: null });
        return answer !== undefined && "allowed" in answer && answer.allowed;
      };
      if (await knows()) continue;
      await inTransaction(db, ctx, (work) => giveGrant(work, { personId: id, role: key, unit }));
      const committed = performance.now();
      while (!(await knows())) await new Promise((resolve) => setImmediate(resolve));
      stale.push(performance.now() - committed);
      const selecting = performance.now();
      await db.pool.query({ name: "bare-select", text: "select id from people where id = $1", values: [id] });
      selects.push(performance.now() - selecting);
    }
    return {
      questions,
      allowed: yes / asked,
      readMs,
      snapshotBytes,
      perSecond: (asked / spent) * 1000,
      cpuMicros: cpuMicros / asked,
      lookupMicros,
      staleP50Ms: percentile(stale, 0.5),
      staleP99Ms: percentile(stale, 0.99),
      selectP50Ms: percentile(selects, 0.5),
      selectP99Ms: percentile(selects, 0.99),
    };
  } finally {
    await db.close();
  }
}

async function measureLookups(sql: Sql): Promise<number> {
  const { rows } = await sql.query<{ id: string }>("select id from people order by user_name");
  const map = new Map(rows.map(({ id }, index) => [id, index]));
  const { rows: again } = await sql.query<{ id: string }>("select id from people order by md5(id::text)");
  let found = 0;
  const before = process.cpuUsage();
  for (let turn = 0; turn < 5; turn += 1) for (const { id } of again) found += map.get(id) ?? 0;
  const { user, system } = process.cpuUsage(before);
  return found < 0 ? 0 : (user + system) / (5 * again.length);
}

/** What is held once all that is not needed is given back, where node runs with --expose-gc; else as it stands. */
function held(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
