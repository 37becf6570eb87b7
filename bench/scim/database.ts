import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import pg from "pg";
import { processEnvironment } from "../../src/config.ts";
import { startEmbeddedPostgres } from "../../src/db/embedded.ts";

/** The PostgreSQL that all parts of a run use, with the settings of real use. */
export interface Cluster {
  /** Of the database with this name. */
  url(name: string): string;
  /** Makes a database from a template, which nobody may be using, replacing one of the same name. */
  clone(name: string, template: string): Promise<void>;
  /** Makes a database by filling it, unless it is there whole from an earlier run. */
  ensure(name: string, fill: (url: string) => Promise<void>): Promise<void>;
  /** The master key that what is sealed in the databases was sealed with. */
  key: Buffer;
  /** The log's free space is taken and nothing waits to be written: who comes next starts like who came before. */
  settle(): Promise<void>;
  stop(): Promise<void>;
  stopAtOnce(): void;
}

/**
 * One of the run's own, in this folder. Where nobody cares for times, ROLLCALL_BENCH_TEMPLATE saves the start and the migrations: the URL of a
 * migrated database on a server that runs already. Each database is a copy of it there, and goes at the end.
 */
export async function startCluster(folder: string): Promise<Cluster> {
  const template = processEnvironment()["ROLLCALL_BENCH_TEMPLATE"];
  return template ? openCluster({ folder, ...copiesOf(template) }) : openCluster({ folder, ...(await ownPostgres(folder)) });
}

interface Opened {
  /** Of the database from which others are made and dropped. */
  adminUrl: string;
  /** What a new database is a copy of. */
  template: string;
  /** Before the names of databases, so that runs on one server don't meet. */
  prefix: string;
  /** Stops the server, unless it is somebody else's. */
  stopServer?: () => void;
}

async function ownPostgres(folder: string): Promise<Opened> {
  const { url, stop } = await startEmbeddedPostgres({ folder });
  return { adminUrl: url, template: "template1", prefix: "", stopServer: stop };
}

function copiesOf(url: string): Opened {
  const admin = new URL(url);
  const template = admin.pathname.slice(1);
  admin.pathname = "/postgres";
  return { adminUrl: admin.href, template, prefix: `bench_${randomBytes(6).toString("hex")}_` };
}

async function openCluster({ folder, adminUrl, template, prefix, stopServer }: Opened & { folder: string }): Promise<Cluster> {
  const admin = new pg.Client({ connectionString: adminUrl });
  await admin.connect();
  // At the end the server goes first.
  admin.on("error", () => undefined);
  const made = new Set<string>();
  const url = (name: string) => {
    const changed = new URL(adminUrl);
    changed.pathname = `/${prefix}${name}`;
    return changed.href;
  };
  const drop = (name: string) => admin.query(`drop database if exists ${prefix}${name} with (force)`);
  return {
    url,
    key: keyOf(folder),
    async clone(name, source) {
      await drop(name);
      made.add(name);
      await admin.query(`create database ${prefix}${name} template ${prefix}${source} strategy file_copy`);
    },
    async ensure(name, fill) {
      const { rowCount } = await admin.query("select from pg_database where datname = $1", [`${prefix}${name}`]);
      if (rowCount) return;
      const draft = `${name}_draft`;
      await drop(draft);
      made.add(draft).add(name);
      await admin.query(`create database ${prefix}${draft} template ${template}`);
      await fill(url(draft));
      await admin.query(`alter database ${prefix}${draft} rename to ${prefix}${name}`);
    },
    async settle() {
      await admin.query("checkpoint");
    },
    async stop() {
      if (!stopServer) for (const name of made) await drop(name);
      await admin.end();
      stopServer?.();
    },
    stopAtOnce: () => stopServer?.(),
  };
}

/** Kept with the databases, for a folder that is used again. */
function keyOf(folder: string): Buffer {
  const file = path.join(folder, "key");
  if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString("hex"), { mode: 0o600 });
  return Buffer.from(readFileSync(file, "utf8"), "hex");
}
