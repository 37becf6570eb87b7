import { randomUUID } from "node:crypto";
import { parseArgs } from "node:util";
import { checkAccess } from "../src/access/effective.ts";
import { explainAccess } from "../src/access/explain.ts";
import type { SavedChange } from "../src/access/preview-change.ts";
import { keepPreview } from "../src/access/preview-store.ts";
import type { PreviewSummary } from "../src/access/preview-summary.ts";
import { computePreview } from "../src/access/preview.ts";
import { createContext } from "../src/context.ts";
import { inTransaction, openDatabase, type Database } from "../src/db/database.ts";
import { inReadSnapshot } from "../src/db/read-snapshot.ts";
import { createLog } from "../src/log.ts";
import { fillAccess, sampleQuestions, type AccessSize, type Sample } from "./access/fill.ts";
import { percentile } from "./access/percentile.ts";
import { inChild } from "./child.ts";
import { optionsOrUsage, wholeNumber } from "./options.ts";
import { startScratch } from "./scratch.ts";
import { isOver, renderTable, seconds, type Row } from "./table.ts";

export const EXPLAIN_USAGE = `npm run bench -- explain [options]
  --people N     people (100000)
  --units N      units (1000)
  --grants N     grants, one in twenty to a group (200000)
  --groups N     groups (1000)
  --questions N  explanations that are asked for (1000)
  --strict       exit with 1 when a limit is exceeded`;

const LIMITS = { explainMs: 50, previewMs: 5000 };

function readOptions(args: readonly string[]): { size: AccessSize; questions: number; strict: boolean } {
  const text = (value: string) => ({ type: "string", default: value }) as const;
  const options = { people: text("100000"), units: text("1000"), grants: text("200000"), groups: text("1000"), questions: text("1000") };
  const { values } = parseArgs({ args: [...args], options: { ...options, strict: { type: "boolean", default: false } } });
  const size = {
    people: wholeNumber("people", values.people),
    units: wholeNumber("units", values.units),
    grants: wholeNumber("grants", values.grants),
    groups: wholeNumber("groups", values.groups),
  };
  return { size, questions: wholeNumber("questions", values.questions), strict: values.strict };
}

/** The benchmark of explanations and previews; `args` are those after `explain`. Sets the exit code. */
export async function benchExplain(args: readonly string[]): Promise<void> {
  const options = optionsOrUsage(() => readOptions(args), EXPLAIN_USAGE);
  if (!options) return;
  const rows = await measured(options.size, options.questions);
  process.stdout.write(`\n${renderTable(rows)}\n`);
  if (options.strict && rows.some(isOver)) process.exitCode = 1;
}

async function measured(size: AccessSize, questions: number): Promise<Row[]> {
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const { cluster, stop } = await startScratch("explain");
  try {
    say(`filling a database: ${size.people.toLocaleString("en")} people, ${size.grants.toLocaleString("en")} grants`);
    await cluster.ensure("access", async (url) => {
      await inChild({ step: "migrate", job: { url } });
      await fillAccess(url, size);
    });
    await cluster.settle();
    const db = openDatabase({ url: cluster.url("access"), poolSize: 4 });
    try {
      say("explanations");
      const explained = await explainRows(db, questions);
      say("previews");
      return [...explained, ...(await previewRows(db))];
    } finally {
      await db.close();
    }
  } finally {
    await stop();
  }
}

async function timed<T>(act: () => Promise<T>): Promise<{ ms: number; value: T }> {
  const started = performance.now();
  const value = await act();
  return { ms: performance.now() - started, value };
}

const milliseconds = (value: number) => `${value.toFixed(2)} ms`;

async function explainRows(db: Database, count: number): Promise<Row[]> {
  const at = new Date();
  const asked = await sampleQuestions(db.pool, { count });
  const times = { select: [] as number[], allowed: [] as number[], refused: [] as number[] };
  const question = ({ person, permission, unit }: Sample) => ({ personId: person, permission, unitId: unit, at });
  for (const sample of asked) {
    const bare = await timed(() => db.readPool.query("select id, user_name, attributes from people where id = $1", [sample.person]));
    times.select.push(bare.ms);
    const { ms, value } = await timed(() => explainAccess(db.readPool, { ...question(sample), otherWays: true }));
    if (value.allowed !== (await checkAccess(db.readPool, question(sample)))) throw new Error("an explanation says otherwise than a check");
    (value.allowed ? times.allowed : times.refused).push(ms);
  }
  const row = (what: string, some: number[], limit?: number): Row => ({
    what: `${what} (p50 ${milliseconds(percentile(some, 0.5))})`,
    measured: milliseconds(percentile(some, 0.99)),
    ...(limit === undefined ? {} : { value: percentile(some, 0.99), limit, unit: " ms" }),
  });
  return [
    row("bare SELECT by primary key, p99", times.select),
    row(`why, ${times.allowed.length} times, p99`, times.allowed, LIMITS.explainMs),
    row(`why not, ${times.refused.length} times, p99`, times.refused, LIMITS.explainMs),
  ];
}

/** One person in five, by a group and by a condition; then what a role holds, and where a unit stands. */
async function previewRows(db: Database): Promise<Row[]> {
  const groupId = randomUUID();
  await db.pool.query("insert into groups (id, display_name, created_at, modified_at) values ($1, 'Fifth', now(), now())", [groupId]);
  await db.pool.query(
    "insert into memberships (group_id, person_id, valid_from, recorded_from) select $1, id, now() - interval '1 hour', now() from bench_people where number % 5 = 0",
    [groupId],
  );
  await db.pool.query("analyze memberships");
  const { rows } = await db.pool.query<{ id: string; parentId: string }>(
    `select id, (select id from units where code = 'U2') as "parentId" from units where code = 'U7'`,
  );
  const role = await ownRole(db);
  const rule = { name: "fifth", role, unit: "U1" };
  const changes: [string, SavedChange][] = [
    ["of a rule for a group", { kind: "rule", rule: { ...rule, group: "Fifth" } }],
    ["of a rule with a condition", { kind: "rule", rule: { ...rule, condition: '"Fifth" in person.groups' } }],
    [
      "of a rule with a condition that is asked of everybody",
      { kind: "rule", rule: { ...rule, condition: 'person.groups.exists(g, g == "Fifth")' } },
    ],
    ["of a rule on the top unit", { kind: "rule", rule: { ...rule, unit: "U0", group: "Fifth" } }],
    ["of a role's content", { kind: "role", key: role, permissions: [] }],
    ["of a unit's move", { kind: "unitMove", unitId: rows[0]?.id ?? "", parentId: rows[0]?.parentId ?? "" }],
  ];
  const measuredRows: Row[] = [];
  for (const [what, change] of changes) {
    const { ms, value } = await timed(() => previewed(db, change));
    measuredRows.push({
      what: `preview ${what}: ${value.people.toLocaleString("en")} people, ${(value.gained + value.lost).toLocaleString("en")} (person, unit, permission)`,
      measured: seconds(ms),
      // What is promised is promised of rules.
      ...(change.kind === "rule" ? { value: ms, limit: LIMITS.previewMs, unit: " ms" } : {}),
    });
  }
  return measuredRows;
}

const contextOf = () => createContext({ actor: "cli:bench", log: createLog({ level: "error" }) });

/** As the API makes it: computed from one state of the database, and kept. */
async function previewed(db: Database, change: SavedChange): Promise<PreviewSummary> {
  const ctx = contextOf();
  const computed = await inReadSnapshot(db, ctx, (work) => computePreview(work, { change, at: ctx.now() }));
  await inTransaction(db, ctx, (work) => keepPreview(work, { owner: "bench", change, computed }));
  return computed.summary;
}

/** A role of the organisation's own that a part of everybody holds, with what a shipped one has. */
async function ownRole(db: Database): Promise<string> {
  const { rows } = await db.pool.query<{ key: string }>(
    "update roles set predefined = false where id = (select role_id from grants where role_id in (select role_id from role_permissions) group by 1 order by count(*) desc, 1 limit 1) returning key",
  );
  return rows[0]?.key ?? "";
}
