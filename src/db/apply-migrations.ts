import { createHash, randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { AppError, messageOf } from "../errors.ts";
import { projectFolder } from "./folder.ts";
import type { Sql } from "./database.ts";

/** Prisma's own table, so that `prisma migrate` remains usable. */
const TABLE = `create table if not exists _prisma_migrations (id varchar(36) primary key, checksum varchar(64) not null, finished_at timestamptz,
  migration_name varchar(255) not null, logs text, rolled_back_at timestamptz, started_at timestamptz not null default now(), applied_steps_count integer not null default 0)`;

/** While a migration waits for a table, everybody waits who comes after it: it gives up, and tries again. */
const LOCK_TIMEOUT_SECONDS = 4;
const ATTEMPTS = 10;
const PAUSE_SECONDS = 1;

/** Lock not available, deadlock detected. */
const OTHERS_AT_WORK = ["55P03", "40P01"];

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
      if (error instanceof AppError) throw error;
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
    if (OTHERS_AT_WORK.includes(codeOf(failed.error) ?? "")) {
      onWaiting?.({ migration: name, seconds: attempt * (LOCK_TIMEOUT_SECONDS + PAUSE_SECONDS) });
      await sleep(PAUSE_SECONDS * 1000);
    } else if (await wasBegun(client, name)) throw brokenOff(name, failed.error);
    else throw failed.error;
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
 * Versions before wrote that a migration was begun, applied it statement by statement, and wrote that it was finished: one that died in
 * between left a row that says so. What was not begun in truth is applied now; what stands of the rest only a human can judge.
 */
async function wasBegun(sql: Sql, name: string): Promise<boolean> {
  const { rows } = await sql.query(
    "select from _prisma_migrations where migration_name = $1 and finished_at is null and rolled_back_at is null",
    [name],
  );
  return rows.length > 0;
}

function brokenOff(name: string, cause: unknown): AppError {
  return new AppError(
    "misconfigured",
    `An earlier version broke off in the middle of the migration ${name}, and what it had done stands (${messageOf(cause)}). Restore the backup from before it; or carry out what is missing of prisma/migrations/${name}/migration.sql by hand, set finished_at of its row in _prisma_migrations, and start again.`,
    { cause },
  );
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
