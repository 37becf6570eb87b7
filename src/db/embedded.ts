import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { AppError, messageOf } from "../errors.ts";
import { postgresUser, reachable, readableBinaries, type Owner } from "./embedded-binaries.ts";
import { freePort, isFree } from "./free-port.ts";

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
const SUPER_USER = "rollcall";

/** Makes the cluster when there is none, starts it when it does not run, and says where it answers. */
export async function startEmbeddedPostgres({ folder, settings = [] }: EmbeddedOptions): Promise<EmbeddedPostgres> {
  mkdirSync(folder, { recursive: true });
  const cluster = path.resolve(folder, "postgres");
  const owner = postgresUser();
  const binaries = readableBinaries(owner);
  const unlock = await lockFile(path.join(folder, "postgres.lock"));
  try {
    if (!existsSync(path.join(cluster, "PG_VERSION"))) initialise({ cluster, binaries, owner });
    const password = readFileSync(path.join(cluster, "password"), "utf8").trim();
    const port = runningPort(cluster) ?? (await start({ cluster, binaries, owner, settings }));
    const url = `postgresql://${SUPER_USER}:${password}@127.0.0.1:${port}/rollcall`;
    await untilReady(url, cluster);
    // Taken under the lock: who leaves later sees that somebody has come.
    const presence = await bePresent(url);
    const stop = () => stopServer({ cluster, binaries, owner });
    return { url, stop, release: () => leave({ url, presence, folder, stop }) };
  } finally {
    unlock();
  }
}

interface ClusterOptions {
  cluster: string;
  binaries: string;
  owner: Owner | undefined;
}

function initialise({ cluster, binaries, owner }: ClusterOptions): void {
  mkdirSync(cluster, { recursive: true, mode: 0o700 });
  if (owner) {
    if (!reachable(path.dirname(cluster))) {
      throw new AppError(
        "misconfigured",
        `The data folder ${path.dirname(cluster)} can't be reached by the user "postgres", under which PostgreSQL runs when Rollcall runs as root. Set ROLLCALL_DATA to a folder that others may enter, or DATABASE_URL.`,
      );
    }
    chownSync(cluster, owner.uid, owner.gid);
  }
  const password = randomBytes(24).toString("hex");
  const passwordFile = `${cluster}.password`;
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (owner) chownSync(passwordFile, owner.uid, owner.gid);
  try {
    execFileSync(
      path.join(binaries, "initdb"),
      [
        "--pgdata",
        cluster,
        "--username",
        SUPER_USER,
        "--auth",
        "scram-sha-256",
        "--pwfile",
        passwordFile,
        "--encoding",
        "UTF8",
        "--locale-provider",
        "builtin",
        "--builtin-locale",
        "C.UTF-8",
        "--locale",
        "C.UTF-8",
      ],
      { ...owner, stdio: ["ignore", "ignore", "pipe"] },
    );
  } catch (cause) {
    rmSync(cluster, { recursive: true, force: true });
    throw new AppError("unavailable", `The embedded PostgreSQL could not be initialised in ${cluster}: ${messageOf(cause)}`, { cause });
  } finally {
    rmSync(passwordFile, { force: true });
  }
  writeFileSync(path.join(cluster, "password"), password, { mode: 0o600 });
}

/** The port in postmaster.pid (line 4) when that process lives. */
function runningPort(cluster: string): number | undefined {
  const file = path.join(cluster, "postmaster.pid");
  if (!existsSync(file)) return undefined;
  const [pid, , , port] = readFileSync(file, "utf8").split("\n");
  return processLives(Number(pid)) && port ? Number(port) : undefined;
}

function processLives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function start({ cluster, binaries, owner, settings }: ClusterOptions & { settings: readonly string[] }): Promise<number> {
  const port = await portFor(cluster);
  const flags = [...SETTINGS, "listen_addresses=127.0.0.1", "unix_socket_directories=", ...settings].flatMap((setting) => ["-c", setting]);
  const log = openSync(path.join(path.dirname(cluster), "postgres.log"), "a", 0o600);
  const child = spawn(path.join(binaries, "postgres"), ["-D", cluster, "-p", String(port), ...flags], {
    ...owner,
    detached: true,
    stdio: ["ignore", log, log],
  });
  child.unref();
  closeSync(log);
  return port;
}

/** The port of the last start, as long as nobody else has it: processes that outlived a restart find the server again. */
async function portFor(cluster: string): Promise<number> {
  const file = path.join(path.dirname(cluster), "postgres.port");
  const last = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
  const port = last > 0 && (await isFree(last)) ? last : await freePort();
  writeFileSync(file, String(port));
  return port;
}

async function untilReady(url: string, cluster: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  const admin = url.replace(/\/rollcall$/, "/postgres");
  for (;;) {
    const client = new pg.Client({ connectionString: admin });
    try {
      await client.connect();
      const { rowCount } = await client.query("select from pg_database where datname = 'rollcall'");
      if (!rowCount) await client.query("create database rollcall");
      return;
    } catch (cause) {
      if (Date.now() > deadline) {
        throw new AppError(
          "unavailable",
          `The embedded PostgreSQL in ${cluster} does not answer (${messageOf(cause)}). Its log is ${path.dirname(cluster)}/postgres.log.`,
          { cause },
        );
      }
      await sleep(25);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

function stopServer({ cluster, binaries, owner }: ClusterOptions): void {
  if (runningPort(cluster) === undefined) return;
  execFileSync(path.join(binaries, "pg_ctl"), ["stop", "-D", cluster, "-m", "fast", "-w"], { ...owner, stdio: "ignore", cwd: cluster });
}

/** A connection that says "somebody uses this server" for as long as this process does. */
async function bePresent(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: "rollcall-presence" });
  // The server may be stopped or restarted under us; leaving copes with that.
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

async function leave({
  url,
  presence,
  folder,
  stop,
}: {
  url: string;
  presence: pg.Client;
  folder: string;
  stop: () => void;
}): Promise<void> {
  const unlock = await lockFile(path.join(folder, "postgres.lock"));
  try {
    // A restart of the server has cut the presence off; asking takes another one.
    const alone = await nobodyElse(presence).catch(() =>
      bePresent(url).then(async (another) => nobodyElse(another).finally(() => another.end())),
    );
    await presence.end().catch(() => undefined);
    if (alone) stop();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ECONNREFUSED") throw error;
    // Stopped already, by somebody who had the right to.
  } finally {
    unlock();
  }
}

async function nobodyElse(client: pg.Client): Promise<boolean> {
  const { rowCount } = await client.query("select from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()");
  return !rowCount;
}

/** A lock between processes on one machine; one left by a dead process is taken over. */
async function lockFile(file: string): Promise<() => void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: "wx", mode: 0o600 });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const holder = Number(readFileSync(file, "utf8") || "0");
      if (holder > 0 && !processLives(holder)) rmSync(file, { force: true });
      if (Date.now() > deadline) throw new AppError("busy", `Another process (${holder}) has held ${file} for a minute.`, { cause: error });
      await sleep(20);
    }
  }
}
