import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import pg from "pg";
import { startEmbeddedPostgres } from "../../src/db/embedded.ts";

/** The PostgreSQL that all servers of a run use, with the settings of real use. */
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

export async function startCluster(folder: string): Promise<Cluster> {
  const postgres = await startEmbeddedPostgres({ folder });
  const admin = new pg.Client({ connectionString: postgres.url });
  await admin.connect();
  // At the end the server goes first.
  admin.on("error", () => undefined);
  const url = (name: string) => {
    const changed = new URL(postgres.url);
    changed.pathname = `/${name}`;
    return changed.href;
  };
  const drop = (name: string) => admin.query(`drop database if exists ${name} with (force)`);
  return {
    url,
    key: keyOf(folder),
    async clone(name, template) {
      await drop(name);
      await admin.query(`create database ${name} template ${template} strategy file_copy`);
    },
    async ensure(name, fill) {
      const { rowCount } = await admin.query("select from pg_database where datname = $1", [name]);
      if (rowCount) return;
      const draft = `${name}_draft`;
      await drop(draft);
      await admin.query(`create database ${draft}`);
      await fill(url(draft));
      await admin.query(`alter database ${draft} rename to ${name}`);
    },
    async settle() {
      await admin.query("checkpoint");
    },
    async stop() {
      await admin.end();
      postgres.stop();
    },
    stopAtOnce: () => postgres.stop(),
  };
}

/** Kept with the databases, for a folder that is used again. */
function keyOf(folder: string): Buffer {
  const file = path.join(folder, "key");
  if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString("hex"), { mode: 0o600 });
  return Buffer.from(readFileSync(file, "utf8"), "hex");
}
