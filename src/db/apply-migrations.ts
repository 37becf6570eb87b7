import { createHash, randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { messageOf } from "../errors.ts";
import { projectFolder } from "./folder.ts";
import type { Sql } from "./database.ts";

/** Prisma's own table, so that `prisma migrate` remains usable. */
const TABLE = `create table if not exists _prisma_migrations (id varchar(36) primary key, checksum varchar(64) not null, finished_at timestamptz,
  migration_name varchar(255) not null, logs text, rolled_back_at timestamptz, started_at timestamptz not null default now(), applied_steps_count integer not null default 0)`;

/** While a migration waits for a table, everybody waits who comes after it: it gives up, and tries again. */
const LOCK_TIMEOUT_SECONDS = 4;
const ATTEMPTS = 10;
const PAUSE_SECONDS = 1;

const LOCK_NOT_AVAILABLE = "55P03";
/** Schema, table, column, object and function that exist already. */
const EXISTS = ["42P06", "42P07", "42701", "42710", "42723"];

/** Told while a migration waits for others' statements. */
export type OnWaiting = (waiting: { migration: string; seconds: number }) => void;

/** Names of the migrations that this version brings, in their order. */
export function migrationNames(): string[] {
  return readdirSync(folder(), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

/**
 * Applies migrations in their order, each whole in one transaction with the row that says so: whatever dies in the middle of one leaves
 * the database as it was, and the next start goes on. The caller holds the lock of migrations. Throws with the name of the one that
 * failed, and PostgreSQL's code.
 */
export async function applyMigrations(
  client: pg.Client,
  { names, onWaiting }: { names: readonly string[]; onWaiting?: OnWaiting | undefined },
): Promise<void> {
  await client.query(TABLE);
  for (const name of names) {
    const content = readFileSync(path.join(folder(), name, "migration.sql"), "utf8");
    await applyOne(client, { name, content, onWaiting }).catch((error: unknown) => {
      throw Object.assign(new Error(`The migration ${name} failed: ${messageOf(error)}`, { cause: error }), { code: codeOf(error) });
    });
  }
}

interface Migration {
  name: string;
  content: string;
  onWaiting: OnWaiting | undefined;
}

async function applyOne(client: pg.Client, { name, content, onWaiting }: Migration): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    // In the end it waits as long as it takes, and with it whoever comes after.
    const seconds = attempt > ATTEMPTS ? 0 : LOCK_TIMEOUT_SECONDS;
    const failed = await inOneTransaction(client, async () => {
      await client.query(`set local lock_timeout = '${seconds}s'`);
      await client.query(content);
      await note(client, { name, content });
    });
    if (!failed) return;
    if (codeOf(failed.error) === LOCK_NOT_AVAILABLE) {
      onWaiting?.({ migration: name, seconds: attempt * (LOCK_TIMEOUT_SECONDS + PAUSE_SECONDS) });
      await sleep(PAUSE_SECONDS * 1000);
    } else if (EXISTS.includes(codeOf(failed.error) ?? "") && (await wasBegun(client, name))) {
      await note(client, { name, content });
      return;
    } else throw failed.error;
  }
}

async function inOneTransaction(client: pg.Client, steps: () => Promise<void>): Promise<{ error: unknown } | undefined> {
  await client.query("begin");
  try {
    await steps();
    await client.query("commit");
    return undefined;
  } catch (error) {
    await client.query("rollback");
    return { error };
  }
}

/**
 * Versions before wrote that a migration was begun before they applied it, and that it was finished after: one that died in between left
 * a row that says neither. Scripts are applied whole or not at all, so what exists already was applied.
 */
async function wasBegun(sql: Sql, name: string): Promise<boolean> {
  const { rows } = await sql.query(
    "select from _prisma_migrations where migration_name = $1 and finished_at is null and rolled_back_at is null",
    [name],
  );
  return rows.length > 0;
}

async function note(sql: Sql, { name, content }: Pick<Migration, "name" | "content">): Promise<void> {
  await sql.query("delete from _prisma_migrations where migration_name = $1 and finished_at is null", [name]);
  await sql.query(
    "insert into _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count) values ($1, $2, $3, clock_timestamp(), 1)",
    [randomUUID(), createHash("sha256").update(content).digest("hex"), name],
  );
}

function codeOf(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

function folder(): string {
  return path.join(projectFolder(), "prisma/migrations");
}
