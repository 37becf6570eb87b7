import path from "node:path";
import { processEnvironment } from "../src/config.ts";
import { messageOf } from "../src/errors.ts";
import { changeAndSync, connect, firstSync, lendRole, relative, type Proof } from "./acts.ts";
import { castOf } from "./cast.ts";
import { COMPANY_NAME } from "./company.ts";
import { readOptions, USAGE, type Options } from "./options.ts";
import { showOutcome } from "./outcome.ts";
import { createScreen, type Screen } from "./screen.ts";
import { count } from "./sync.ts";
import { lookAround } from "./tour.ts";
import { startWorld, STARTS, type World } from "./world.ts";

async function main(options: Options, { screen, signal }: { screen: Screen; signal: AbortSignal }): Promise<number> {
  const environment = processEnvironment();
  const { installed, reason } = await slapdHere(options.csv);
  screen.heading(`Rollcall: ${COMPANY_NAME}, ${count(options.people)} people`);
  if (reason) screen.line(`${reason} The company comes from a CSV feed instead.`);
  const folder = path.resolve(environment["ROLLCALL_DATA"] || "data", "demo");
  const starting = screen.progress("Starting");
  const world = await startWorld({
    ...options,
    source: installed ? "ldap" : "csv",
    folder,
    environment,
    signal,
    onStarted: (done) => starting.update(done, STARTS),
  });
  starting.end("PostgreSQL, directory, application, server");
  try {
    return await show(world, { screen, options, signal });
  } catch (error) {
    // Ctrl-C in the middle is no failure.
    if (!signal.aborted) throw error;
    return 0;
  } finally {
    screen.line();
    screen.line("Stopping: the server finishes what it is at …");
    await world.stop();
  }
}

/** The story, and the exit code that it came to. */
async function show(world: World, { screen, options, signal }: { screen: Screen; options: Options; signal: AbortSignal }): Promise<number> {
  showWorld(world, screen);
  const proof = keepProof(screen);
  const cast = castOf(world.company);
  await connect(world, screen);
  await firstSync(world, { screen, proof });
  const grantEnds = await lendRole(world, { screen, proof, cast });
  const changes = await changeAndSync(world, { screen, cast, proof, grantEnds });
  await showOutcome(world, { screen, cast, proof, changes });
  if (!options.once) {
    await lookAround(world, { screen, cast });
    await aborted(signal);
  }
  return proof.failed() === 0 ? 0 : 1;
}

/** Whether OpenLDAP is here, installed if that is possible; otherwise why not. */
async function slapdHere(csv: boolean): Promise<{ installed: boolean; reason?: string }> {
  if (csv) return { installed: false };
  // Not a part of the build: it also runs by itself, before there is one.
  const counterparts = new URL("../../scripts/counterparts.mjs", import.meta.url).href;
  const { ensureSlapd } = (await import(counterparts)) as { ensureSlapd(options: { say: (line: string) => void }): boolean };
  const said: string[] = [];
  if (ensureSlapd({ say: (line) => said.push(line) })) return { installed: true };
  return { installed: false, reason: said.at(-1) ?? "OpenLDAP can't be installed here." };
}

function showWorld({ company, directory, downstream, server, folder }: World, screen: Screen): void {
  screen.facts({
    Directory: `${directory.about}: ${count(company.people)} people, ${count(company.groupList.length)} groups, ${company.units.length} units`,
    Application: `${downstream.url}, somebody else's SCIM server (scimmy)`,
    Rollcall: `${server.url}, as npm start runs it, on a PostgreSQL of its own`,
    Data: `${relative(folder)}/, fresh each time`,
  });
}

function keepProof(screen: Screen): Proof {
  let failures = 0;
  return {
    expect(ok, text) {
      if (!ok) failures++;
      screen.verdict(ok, text);
    },
    failed: () => failures,
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
    // An abort signal alone keeps no process alive.
    const alive = setInterval(() => undefined, 60_000);
    signal.addEventListener("abort", () => clearInterval(alive), { once: true });
  });
}

async function run(): Promise<void> {
  const stopping = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => stopping.abort());
  let options: Options;
  try {
    const attended = process.stdin.isTTY;
    options = readOptions({ parameters: process.argv.slice(2), environment: processEnvironment(), attended });
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n\n${USAGE}\n`);
    process.exitCode = 2;
    return;
  }
  if (options.help) return void process.stdout.write(`${USAGE}\n`);
  try {
    process.exitCode = await main(options, { screen: createScreen(process.stdout), signal: stopping.signal });
  } catch (error) {
    process.stderr.write(`\n${messageOf(error)}\n`);
    process.exitCode = 1;
  }
}

await run();
