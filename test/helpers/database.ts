import { randomBytes } from "node:crypto";
import { pino, type Logger } from "pino";
import pg from "pg";
import type { Network } from "../../connectors/contract.ts";
import { createContext, type Actor, type Context } from "../../src/context.ts";
import { openDatabase, type Database } from "../../src/db/database.ts";

export interface TestDatabase extends Database {
  /** Closes every connection and drops the database. */
  drop(): Promise<void>;
}

/** A fresh, migrated database of this test file's own. */
export async function testDatabase({ poolSize = 10 } = {}): Promise<TestDatabase> {
  const server = process.env["ROLLCALL_TEST_SERVER"];
  if (!server) throw new Error("ROLLCALL_TEST_SERVER is set by test/helpers/global-setup.mjs; run the tests through npm test");
  const name = `t_${randomBytes(6).toString("hex")}`;
  // Where nothing is written through to a disk, copying its files costs half of what copying its pages does.
  await asAdmin(server, `create database ${name} template rollcall_template strategy file_copy`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const db = openDatabase({ url: url.href, poolSize });
  return { ...db, drop: () => db.close().then(() => asAdmin(server, `drop database if exists ${name} with (force)`)) };
}

async function asAdmin(server: string, statement: string): Promise<void> {
  const admin = new pg.Client({ connectionString: server });
  await admin.connect();
  try {
    // A template can be copied by one session at a time.
    await admin.query("select pg_advisory_lock(7305999)");
    await admin.query(statement);
  } finally {
    await admin.end();
  }
}

export const silentLog: Logger = pino({ level: "silent" });

/** What tests may reach: stand-ins on this machine. */
export const loopback: Network = { allow: ["127.0.0.0/8", "::1/128"] };

export interface TestContextOptions {
  actor?: Actor;
  now?: () => Date;
  signal?: AbortSignal;
  log?: Logger;
  network?: Network;
}

export function testContext(options: TestContextOptions = {}): Context {
  return createContext({ actor: "system", log: silentLog, network: loopback, ...options });
}
