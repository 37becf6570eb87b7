import path from "node:path";
import { parseArgs } from "node:util";
import pg from "pg";
import { percentile } from "../access/percentile.ts";
import { inChild } from "../child.ts";
import { startOurs } from "../scim/servers/ours.ts";
import { openWire } from "../scim/wire.ts";
import { optionsOrUsage, someSeconds, wholeNumber } from "../options.ts";
import { startScratch } from "../scratch.ts";
import { showRows, type Row } from "../table.ts";
import { fillPeople, type Callers } from "./fill.ts";
import { questionsOf, type Question } from "./questions.ts";

const USAGE = `npm run bench -- people [options]
  --people N    people (100000)
  --units N     units (1000)
  --seconds N   how long each thing is measured (5)
  --json        print everything measured, as JSON
  --strict      exit with 1 when a limit is exceeded`;

/** As one person asks alone, and as a busy server is asked: both are held to the limit. */
const CONNECTIONS = { few: 1, many: 16 };
const LIMIT_MS = 60;
const QUESTIONS = 3000;

interface Options {
  people: number;
  units: number;
  seconds: number;
  json: boolean;
  strict: boolean;
}

function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      people: { type: "string", default: "100000" },
      units: { type: "string", default: "1000" },
      seconds: { type: "string", default: "5" },
      json: { type: "boolean", default: false },
      strict: { type: "boolean", default: false },
    },
  });
  const people = wholeNumber("people", values.people);
  if (people < 100) throw new Error("--people must be 100 at least.");
  return {
    people,
    units: Math.max(10, wholeNumber("units", values.units)),
    seconds: someSeconds(values.seconds),
    json: values.json,
    strict: values.strict,
  };
}

/** The benchmark of searching and listing people; `args` are those after `people`. Sets the exit code. */
export async function benchPeople(args: readonly string[]): Promise<void> {
  const options = optionsOrUsage(() => readOptions(args), USAGE);
  if (!options) return;
  const rows = await measure(options);
  showRows(rows, options);
}

async function measure({ people, units, seconds }: Options): Promise<Row[]> {
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const { folder, cluster, stop } = await startScratch("people");
  try {
    say(`filling a database: ${people.toLocaleString("en")} people in ${units.toLocaleString("en")} units`);
    const filled: { callers?: Callers } = {};
    await cluster.ensure("people", async (url) => {
      await inChild({ step: "migrate", job: { url } });
      filled.callers = await fillPeople(url, { people, units });
    });
    await cluster.settle();
    const { callers } = filled;
    if (!callers) throw new Error("the database was not filled");
    const pool = new pg.Pool({ connectionString: cluster.url("people"), max: CONNECTIONS.many });
    const running = await startOurs({ databaseUrl: cluster.url("people"), key: cluster.key, logFile: path.join(folder, "ours.log") });
    try {
      const questions = await questionsOf(pool, { people, count: QUESTIONS });
      const { rows: ids } = await pool.query<{ id: string }>("select id from people limit 10000");
      say("bare SELECT by primary key");
      const bare = await timed({ seconds, connections: CONNECTIONS.many }, async (at) => {
        await pool.query({ name: "bare", text: "select * from people where id = $1", values: [ids[(at * 7919) % ids.length]?.id] });
      });
      const rows: Row[] = [
        { what: `bare SELECT by primary key, ${CONNECTIONS.many} connections, p50, p99`, measured: `${ms(bare, 0.5)}, ${ms(bare, 0.99)}` },
      ];
      for (const connections of [CONNECTIONS.few, CONNECTIONS.many])
        for (const [what, asked] of [
          ["search", questions.search],
          ["filtered lists", questions.list],
        ] as const) {
          say(`${what}, connections: ${connections}`);
          const times = await ask({ questions: asked, callers, port: running.address.port, seconds, connections });
          rows.push(rowOf(`${what} over HTTP, ${connections === 1 ? "1 connection" : `${connections} connections`}`, times));
        }
      return rows;
    } finally {
      await pool.end();
      await running.stop();
    }
  } finally {
    await stop();
  }
}

function rowOf(what: string, times: readonly number[]): Row {
  return {
    what: `${what}, p99 (p50 ${ms(times, 0.5)})`,
    measured: ms(times, 0.99),
    value: percentile(times, 0.99),
    limit: LIMIT_MS,
    unit: " ms",
  };
}

const ms = (times: readonly number[], share: number) => `${percentile(times, share).toFixed(1)} ms`;

/** Each question by whom it is to be asked, one at a time on each connection. Throws at an answer that is none. */
async function ask({
  questions,
  callers,
  port,
  seconds,
  connections,
}: {
  questions: readonly Question[];
  callers: Callers;
  port: number;
  seconds: number;
  connections: number;
}): Promise<number[]> {
  const requests = questions.map(({ caller, path: at }) =>
    Buffer.from(`GET /api/v1${at} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${callers[caller]}\r\n\r\n`),
  );
  const wires = await Promise.all(Array.from({ length: connections }, () => openWire({ host: "127.0.0.1", port })));
  try {
    return await timed({ seconds, connections }, async (at, connection) => {
      const request = requests[at % requests.length];
      const wire = wires[connection];
      if (!request || !wire) throw new Error("there are no questions");
      const { status, body } = await wire.send(request);
      if (status !== 200)
        throw new Error(`${questions[at % requests.length]?.path} answered ${status}: ${body.toString("utf8").slice(0, 500)}`);
    });
  } finally {
    for (const wire of wires) wire.close();
  }
}

/** Milliseconds of each act, on all connections at once, after half that time to warm up. */
async function timed(
  { seconds, connections }: { seconds: number; connections: number },
  act: (at: number, connection: number) => Promise<void>,
): Promise<number[]> {
  let next = 0;
  const run = async (lasting: number): Promise<number[]> => {
    const times: number[] = [];
    const end = performance.now() + lasting;
    await Promise.all(
      Array.from({ length: connections }, async (_, connection) => {
        while (performance.now() < end) {
          const begun = performance.now();
          await act((next += 1), connection);
          times.push(performance.now() - begun);
        }
      }),
    );
    return times;
  };
  await run(seconds * 500);
  return run(seconds * 1000);
}
