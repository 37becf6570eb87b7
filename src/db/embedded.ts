import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { AppError, messageOf } from "../errors.ts";
import { postgresUser, readableBinaries } from "./embedded-binaries.ts";
import { passwordOf, refuseOtherVersion, SUPER_USER, type ClusterOptions } from "./embedded-cluster.ts";
import { bePresent, PRESENCE, stayPresent, type Presence } from "./embedded-presence.ts";
import { makeDataFolder } from "./folder.ts";
import { freePort, isFree } from "./free-port.ts";
import { lockFile } from "./lock-file.ts";
import { processLives } from "./process-lives.ts";

/** A real PostgreSQL that belongs to this data folder, shared by every Rollcall process on it. */
export interface EmbeddedPostgres {
  url: string;
  /** Leaves; the last process to leave stops the server. */
  release(): Promise<void>;
  /** Stops the server now, whoever uses it. */
  stop(): void;
}

export interface EmbeddedOptions {
  /** The data folder (ROLLCALL_DATA); the cluster lives in `<folder>/postgres`. */
  folder: string;
  /** Extra server settings, such as `fsync=off` in tests. */
  settings?: readonly string[];
  /** Told when the server is gone while it is used, and each time that it can't be started again. */
  onTrouble?: ((error: Error) => void) | undefined;
}

const SETTINGS = [
  "shared_buffers=256MB",
  "max_wal_size=4GB",
  "max_connections=200",
  "jit=off",
  "work_mem=16MB",
  "maintenance_work_mem=128MB",
  "timezone=UTC",
  "random_page_cost=1.1",
];
const START_TIMEOUT_MS = 60_000;
/** The same for one that is gone, which is tried again and again: who leaves meanwhile waits for as long. */
const START_AGAIN_TIMEOUT_MS = 5000;
/** Between two starts of a server that ends by itself. */
const AGAIN_MS = 500;
/** So long a server that starts may have written its port, and not listen there yet. */
const DEAF_MS = 3000;

/** Makes the cluster when there is none, starts it when it does not run, and says where it answers. */
export async function startEmbeddedPostgres({ folder, settings = [], onTrouble }: EmbeddedOptions): Promise<EmbeddedPostgres> {
  makeDataFolder(folder);
  const cluster = path.resolve(folder, "postgres");
  const owner = postgresUser();
  const binaries = readableBinaries(owner);
  const lock = path.join(folder, "postgres.lock");
  const unlock = await lockFile(lock);
  try {
    const password = passwordOf({ cluster, binaries, owner });
    const how = { cluster, binaries, owner, settings, password };
    const port = await untilReady(how);
    const url = urlOf({ password, port, database: "rollcall" });
    // Taken under the lock: who leaves later sees that somebody has come.
    const presence = stayPresent(await bePresent(url), { comeBack: () => comeBack({ ...how, lock, port }), onTrouble });
    const stop = () => {
      presence.leave();
      stopServer({ cluster, binaries, owner });
    };
    return { url, stop, release: () => leave({ url, presence, lock, stop }) };
  } finally {
    unlock();
  }
}

/** Starts it again where it is gone, at the same port: all who use it know it by that. */
async function comeBack({ lock, port, ...options }: StartOptions & { password: string; lock: string; port: number }): Promise<pg.Client> {
  const unlock = await lockFile(lock);
  try {
    const now = await untilReady({ ...options, withinMs: START_AGAIN_TIMEOUT_MS });
    if (now !== port)
      throw new AppError(
        "unavailable",
        `The embedded PostgreSQL had to be started at another port (${now}, before: ${port}): start Rollcall anew.`,
      );
    return await bePresent(urlOf({ password: options.password, port, database: "rollcall" }));
  } finally {
    unlock();
  }
}

/** The port in postmaster.pid (line 4) when that process lives. */
function runningPort(cluster: string): number | undefined {
  const file = path.join(cluster, "postmaster.pid");
  if (!existsSync(file)) return undefined;
  const [pid, , , port] = readFileSync(file, "utf8").split("\n");
  // Not since when: a clock that is set right after the start must not make a server look dead.
  return port && processLives(Number(pid)) ? Number(port) : undefined;
}

interface StartOptions extends ClusterOptions {
  settings: readonly string[];
}

interface Started {
  port: number;
  server: ChildProcess;
}

async function start({ cluster, binaries, owner, settings }: StartOptions): Promise<Started> {
  refuseOtherVersion({ cluster, binaries, owner });
  const port = await portFor(cluster);
  const flags = [...SETTINGS, "listen_addresses=127.0.0.1", "unix_socket_directories=", ...settings].flatMap((setting) => ["-c", setting]);
  const log = openSync(path.join(path.dirname(cluster), "postgres.log"), "a", 0o600);
  const server = spawn(path.join(binaries, "postgres"), ["-D", cluster, "-p", String(port), ...flags], {
    ...owner,
    detached: true,
    stdio: ["ignore", log, log],
  });
  server.unref();
  closeSync(log);
  return { port, server };
}

/** The port of the last start, as long as nobody else has it: processes that outlived a restart find the server again. */
async function portFor(cluster: string): Promise<number> {
  const file = path.join(path.dirname(cluster), "postgres.port");
  const last = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
  const port = last > 0 && (await isFree(last)) ? last : await freePort();
  writeFileSync(file, String(port));
  return port;
}

/**
 * The port of the server once it answers. It is started where none runs, and again where the one that ran ends: somebody may have begun to
 * stop it just before. A port where nobody listens is of a server that was killed, and whose process id another one has by now: PostgreSQL
 * itself knows better, and starts no second server.
 */
async function untilReady({
  password,
  withinMs = START_TIMEOUT_MS,
  ...options
}: StartOptions & { password: string; withinMs?: number }): Promise<number> {
  const { cluster } = options;
  const deadline = Date.now() + withinMs;
  let started: Started | undefined;
  let listening = Date.now();
  for (;;) {
    const running = isAlive(started) ? started?.port : Date.now() - listening < DEAF_MS ? runningPort(cluster) : undefined;
    if (running === undefined) {
      if (started) await sleep(AGAIN_MS);
      started = await start(options);
      listening = Date.now();
    }
    const port = running ?? started?.port ?? 0;
    try {
      await makeDatabase(urlOf({ password, port, database: "postgres" }));
      return port;
    } catch (cause) {
      if (Date.now() > deadline)
        throw new AppError(
          "unavailable",
          `The embedded PostgreSQL in ${cluster} does not answer (${messageOf(cause)}). Its log is ${path.dirname(cluster)}/postgres.log.`,
          { cause },
        );
      if ((cause as NodeJS.ErrnoException).code !== "ECONNREFUSED") listening = Date.now();
      await sleep(25);
    }
  }
}

function isAlive(started: Started | undefined): boolean {
  return started?.server.exitCode === null && started.server.signalCode === null;
}

function urlOf({ password, port, database }: { password: string; port: number; database: string }): string {
  return `postgresql://${SUPER_USER}:${password}@127.0.0.1:${port}/${database}`;
}

async function makeDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  // A server that is stopped just after it let us in says so while nothing is asked; the next statement tells.
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rowCount } = await client.query("select from pg_database where datname = 'rollcall'");
    if (!rowCount) await client.query("create database rollcall");
  } finally {
    await client.end().catch(() => undefined);
  }
}

function stopServer({ cluster, binaries, owner }: ClusterOptions): void {
  if (runningPort(cluster) === undefined) return;
  execFileSync(path.join(binaries, "pg_ctl"), ["stop", "-D", cluster, "-m", "fast", "-w"], { ...owner, stdio: "ignore", cwd: cluster });
}

async function leave({ url, presence, lock, stop }: { url: string; presence: Presence; lock: string; stop: () => void }): Promise<void> {
  presence.leave();
  const unlock = await lockFile(lock);
  try {
    const client = presence.client();
    // A restart of the server has cut the presence off; asking takes another one.
    const alone = await nobodyElse(client).catch(() =>
      bePresent(url).then(async (another) => nobodyElse(another).finally(() => another.end())),
    );
    await client.end().catch(() => undefined);
    if (alone) stop();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ECONNREFUSED") throw error;
    // Stopped already, by somebody who had the right to.
  } finally {
    unlock();
  }
}

/** How often, and how far apart, connections that are nobody's presence are looked at again. */
const LOOKS = 20;
const BETWEEN_LOOKS_MS = 50;

/** A pool that has ended does not wait for its connections: those of the process that leaves may be on their way out still. */
async function nobodyElse(client: pg.Client): Promise<boolean> {
  for (let look = 1; ; look += 1) {
    const { rows } = await client.query<{ name: string }>(
      "select application_name as name from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
    );
    if (rows.length === 0) return true;
    if (look === LOOKS || rows.some(({ name }) => name === PRESENCE)) return false;
    await sleep(BETWEEN_LOOKS_MS);
  }
}
