import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { Agent } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { createApp } from "../../src/app.ts";
import { hashPassword, isPassword } from "../../src/auth/passwords/hash.ts";
import { openDatabase } from "../../src/db/database.ts";
import { sealingKey } from "../../src/db/envelope.ts";
import { createLog } from "../../src/log.ts";
import { signInSettings, type SignInSettings } from "../../src/sign-in-settings.ts";
import { percentile } from "../access/percentile.ts";
import { inChild } from "../child.ts";
import { optionsOrUsage, someSeconds, wholeNumber } from "../options.ts";
import { startScratch } from "../scratch.ts";
import { showRows, type Row } from "../table.ts";
import { openBenchBrowser, type Where } from "./browser.ts";
import { detectableShift, kolmogorovSmirnov } from "./distribution.ts";
import { fillLogins, PASSWORD } from "./fill.ts";

const USAGE = `npm run bench -- login [options]
  --people N    people with a password (1000)
  --tries N     answers that are timed, of each kind (1000)
  --seconds N   how long sign-ins are counted (10)
  --json        print everything measured, as JSON
  --strict      exit with 1 when a limit is exceeded`;

const AT_ONCE = 8;
/** Every attempt comes from one address here. */
const UNLIMITED = { attempts: 1_000_000, minutes: 1440 };
const MOST_TIMES_SLOWER = 1.5;
/** Answers that are not timed. */
const WARMING_UP = 50;

interface Options {
  people: number;
  tries: number;
  seconds: number;
  json: boolean;
  strict: boolean;
}

function readOptions(args: readonly string[]): Options {
  const text = (value: string) => ({ type: "string", default: value }) as const;
  const flag = { type: "boolean", default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { people: text("1000"), tries: text("1000"), seconds: text("10"), json: flag, strict: flag },
  });
  return {
    people: Math.max(10, wholeNumber("people", values.people)),
    tries: wholeNumber("tries", values.tries),
    seconds: someSeconds(values.seconds),
    json: values.json,
    strict: values.strict,
  };
}

/** The benchmark of signing in; `args` are those after `login`. Sets the exit code. */
export async function benchLogin(args: readonly string[]): Promise<void> {
  const options = optionsOrUsage(() => readOptions(args), USAGE);
  if (!options) return;
  const rows = await measure(options);
  showRows(rows, options);
}

async function measure(options: Options): Promise<Row[]> {
  const { cluster, stop } = await startScratch("login");
  const settings = signInSettings.parse({
    limits: { device: UNLIMITED, account: UNLIMITED, network: UNLIMITED, overall: UNLIMITED },
  });
  try {
    const filled: { names?: string[] } = {};
    await cluster.ensure("login", async (url) => {
      await inChild({ step: "migrate", job: { url } });
      filled.names = await fillLogins(url, { people: options.people, settings: settings.password });
    });
    await cluster.settle();
    return await measureAt(cluster.url("login"), { names: filled.names ?? [], settings, ...options });
  } finally {
    await stop();
  }
}

type Measured = Options & { names: readonly string[]; settings: SignInSettings };

async function measureAt(url: string, { names, settings, tries, seconds }: Measured): Promise<Row[]> {
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const db = openDatabase({ url, poolSize: 12 });
  const log = createLog({ level: "silent" });
  const config = { http: { bodyLimit: 1024 * 1024, trustProxy: false }, signIn: settings };
  const server = createApp({ db, keyRing: { current: sealingKey(randomBytes(32)), older: [] }, config, log }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const agent = new Agent({ keepAlive: true });
  const where: Where = { port: (server.address() as AddressInfo).port, agent };
  try {
    say(`${tries} wrong passwords each, for accounts that exist and for names of nobody`);
    const { known, unknown } = await wrongPasswords({ where, names, tries });
    say(`sign-ins for ${seconds} s, ${AT_ONCE} at once`);
    const ours = await perSecond(seconds, (at) => signIn(where, names[at % names.length] ?? ""));
    say("bare argon2id");
    const hash = await hashPassword(PASSWORD, settings.password.argon2);
    const bare = await perSecond(seconds, async () => {
      if (!(await isPassword(PASSWORD, hash))) throw new Error("the password does not fit its hash");
    });
    const all = [...known, ...unknown];
    const shift = detectableShift(all, { each: tries });
    const told = `p50 ${percentile(known, 0.5).toFixed(2)} and ${percentile(unknown, 0.5).toFixed(2)} ms, p99 ${percentile(known, 0.99).toFixed(1)} and ${percentile(unknown, 0.99).toFixed(1)} ms`;
    return [
      {
        what: `a wrong password, known and unknown name: Kolmogorov–Smirnov, n = ${tries} each, α = 0.01`,
        measured: told,
        value: kolmogorovSmirnov(known, unknown),
        limit: 1,
        unit: " of critical",
      },
      { what: "smallest shift that this test finds in 95 of 100 repetitions", measured: `${shift.toFixed(2)} ms` },
      { what: `bare argon2id, ${AT_ONCE} at once`, measured: `${bare.rate.toFixed(1)}/s` },
      {
        what: `whole sign-ins (three requests), ${AT_ONCE} at once`,
        measured: `${ours.rate.toFixed(1)}/s`,
        value: bare.rate / ours.rate,
        limit: MOST_TIMES_SLOWER,
        unit: "x slower",
      },
      {
        what: "processor time of a whole sign-in in this process, its client's included, beside that of bare argon2id",
        measured: `${ours.cpuMs.toFixed(1)} ms beside ${bare.cpuMs.toFixed(1)} ms`,
      },
    ];
  } finally {
    agent.destroy();
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
    await db.close();
  }
}

/** One after the other, of both kinds in turn by chance, so that whatever the machine does meanwhile meets both alike. */
async function wrongPasswords({ where, names, tries }: { where: Where; names: readonly string[]; tries: number }) {
  const [known, unknown]: [number[], number[]] = [[], []];
  const browser = openBenchBrowser(where);
  await browser.get("/login");
  for (let at = 0; known.length < tries || unknown.length < tries; at += 1) {
    const isKnown = Math.random() < 0.5;
    const times = isKnown ? known : unknown;
    if (times.length >= tries) continue;
    const name = isKnown ? (names[at % names.length] ?? "") : `person-${at % names.length}-${randomUUID().slice(0, 4)}`;
    const begun = performance.now();
    const { status } = await browser.post("/login/password", { name, password: "not the one it is" });
    const took = performance.now() - begun;
    if (status !== 401) throw new Error(`a wrong password was answered with ${status}`);
    // What is run for the first time takes its time.
    if (at >= Math.min(WARMING_UP, tries)) times.push(took);
  }
  return { known, unknown };
}

async function signIn(where: Where, name: string): Promise<void> {
  const browser = openBenchBrowser(where);
  await browser.get("/login");
  const proven = await browser.post("/login/password", { name, password: PASSWORD });
  const { status } = await browser.get("/login/next");
  if (proven.status !== 303 || status !== 303) throw new Error(`signing in was answered with ${proven.status} and ${status}`);
}

interface Pace {
  /** Acts a second. */
  rate: number;
  /** Processor time of one, user and system: what others do on the machine changes it less than the rate. */
  cpuMs: number;
}

/** How often an act is done within a second, several at once, after half that time to warm up. */
async function perSecond(seconds: number, act: (at: number) => Promise<void>): Promise<Pace> {
  let next = 0;
  const run = async (lasting: number): Promise<Pace> => {
    const begun = performance.now();
    const before = process.cpuUsage();
    let count = 0;
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (performance.now() < begun + lasting) {
          await act((next += 1));
          count += 1;
        }
      }),
    );
    const { user, system } = process.cpuUsage(before);
    return { rate: (count * 1000) / (performance.now() - begun), cpuMs: (user + system) / 1000 / count };
  };
  await run(seconds * 500);
  return run(seconds * 1000);
}
