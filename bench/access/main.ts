import path from "node:path";
import { parseArgs } from "node:util";
import { inChild } from "../child.ts";
import { startOurs } from "../scim/servers/ours.ts";
import { optionsOrUsage, wholeNumber } from "../options.ts";
import { startScratch } from "../scratch.ts";
import { megabytes, seconds as inSeconds, showRows, type Row } from "../table.ts";
import { fillAccess, type AccessSize } from "./fill.ts";
import { measureInProcess, type InProcess } from "./in-process.ts";
import { load, startBare, type LoadResult } from "./over-http.ts";

export const ACCESS_USAGE = `npm run bench -- access [options]
  --people N    people (100000)
  --units N     units (1000)
  --grants N    grants, one in twenty to a group (200000)
  --groups N    groups (1000)
  --seconds N   how long each thing is measured (5)
  --commits N   grants given while it is measured how soon they are known (200)
  --json        print everything measured, as JSON
  --strict      exit with 1 when a limit is exceeded`;

const CONNECTIONS = 16;
/** 200,000 questions a second; half of what a bare handler does; milliseconds. */
const LIMITS = { microsPerQuestion: 5, timesBare: 2, p99Ms: 10, staleMs: 1000 };

interface Options {
  size: AccessSize;
  seconds: number;
  commits: number;
  json: boolean;
  strict: boolean;
}

function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      people: { type: "string", default: "100000" },
      units: { type: "string", default: "1000" },
      grants: { type: "string", default: "200000" },
      groups: { type: "string", default: "1000" },
      seconds: { type: "string", default: "5" },
      commits: { type: "string", default: "200" },
      json: { type: "boolean", default: false },
      strict: { type: "boolean", default: false },
    },
  });
  const seconds = Number(values.seconds);
  if (!(seconds > 0)) throw new Error("--seconds must be a number above 0.");
  return {
    size: {
      people: wholeNumber("people", values.people),
      units: wholeNumber("units", values.units),
      grants: wholeNumber("grants", values.grants),
      groups: wholeNumber("groups", values.groups),
    },
    seconds,
    commits: wholeNumber("commits", values.commits),
    json: values.json,
    strict: values.strict,
  };
}

/** The benchmark of effective access; `args` are those after `access`. Sets the exit code. */
export async function benchAccess(args: readonly string[]): Promise<void> {
  const options = optionsOrUsage(() => readOptions(args), ACCESS_USAGE);
  if (!options) return;
  const measured = await measure(options);
  const rows = reportRows(measured);
  showRows(rows, options);
}

interface Measurement {
  inProcess: InProcess;
  ours: LoadResult;
  bare: LoadResult;
  peakBytes: number | undefined;
}

async function measure({ size, seconds, commits }: Options): Promise<Measurement> {
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const { folder, cluster, stop } = await startScratch("access");
  try {
    say(`filling a database: ${size.people.toLocaleString("en")} people, ${size.grants.toLocaleString("en")} grants`);
    let token = "";
    await cluster.ensure("access", async (url) => {
      await inChild({ step: "migrate", job: { url } });
      token = await fillAccess(url, size);
    });
    await cluster.settle();
    const url = cluster.url("access");
    say("in process");
    const inProcess = await measureInProcess({ url, seconds, commits });
    say("over HTTP");
    const running = await startOurs({ databaseUrl: url, key: cluster.key, logFile: path.join(folder, "ours.log") });
    try {
      const asked = { host: "127.0.0.1", token, questions: inProcess.questions.slice(0, 20_000), connections: CONNECTIONS, seconds };
      const { port } = running.address;
      await readFirst({ port, token });
      const ours = await load({ ...asked, port });
      const peakBytes = running.peakBytes();
      const bareServer = await startBare(ours.answer);
      const bare = await load({ ...asked, port: bareServer.port });
      bareServer.stop();
      return { inProcess, ours, bare, peakBytes };
    } finally {
      await running.stop();
    }
  } finally {
    await stop();
  }
}

/** The first question is answered once everything is read. */
async function readFirst({ port, token }: { port: number; token: string }): Promise<void> {
  const ask = () =>
    fetch(`http://127.0.0.1:${port}/api/v1/check`, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      body: JSON.stringify({ questions: [{ person: "nobody", permission: "none", unit: "U0" }] }),
    });
  for (let response = await ask(); response.status !== 200; response = await ask())
    if (response.status !== 503) throw new Error(`POST /check answered ${response.status}: ${await response.text()}`);
}

function reportRows({ inProcess, ours, bare, peakBytes }: Measurement): Row[] {
  const ms = (value: number) => `${value.toFixed(2)} ms`;
  const rate = (value: number) => `${Math.round(value).toLocaleString("en")}/s`;
  return [
    { what: "bare SELECT by primary key, p50, p99", measured: `${ms(inProcess.selectP50Ms)}, ${ms(inProcess.selectP99Ms)}` },
    { what: "reading everything into memory", measured: inSeconds(inProcess.readMs) },
    { what: "memory that it holds", measured: megabytes(inProcess.snapshotBytes) },
    {
      what: `questions in process (${Math.round(inProcess.allowed * 100)} % allowed; ${inProcess.cpuMicros.toFixed(2)} µs of processor time; a look into a Map: ${inProcess.lookupMicros.toFixed(2)})`,
      measured: rate(inProcess.perSecond),
      value: 1_000_000 / inProcess.perSecond,
      limit: LIMITS.microsPerQuestion,
      unit: " µs",
    },
    {
      what: `POST /check, ${CONNECTIONS} connections (bare Express: ${rate(bare.perSecond)})`,
      measured: rate(ours.perSecond),
      value: bare.perSecond / ours.perSecond,
      limit: LIMITS.timesBare,
      unit: " × slower",
    },
    {
      what: `    p99 (p50 ${ms(ours.p50Ms)}; bare ${ms(bare.p50Ms)}, ${ms(bare.p99Ms)})`,
      measured: ms(ours.p99Ms),
      value: ours.p99Ms,
      limit: LIMITS.p99Ms,
      unit: " ms",
    },
    ...(peakBytes === undefined ? [] : [{ what: "    peak memory of the server", measured: megabytes(peakBytes) }]),
    {
      what: `from commit to known on another node, p99 (p50 ${ms(inProcess.staleP50Ms)})`,
      measured: ms(inProcess.staleP99Ms),
      value: inProcess.staleP99Ms,
      limit: LIMITS.staleMs,
      unit: " ms",
    },
  ];
}
