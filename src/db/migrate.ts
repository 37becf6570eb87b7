import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { PrismaPg } from "@prisma/adapter-pg";
import { bindMigrationAwareSqlAdapterFactory } from "@prisma/driver-adapter-utils";
import type * as Engine from "@prisma/schema-engine-wasm/schema_engine_bg";
import { runMigrations as migrateQueue } from "graphile-worker";
import pg from "pg";
import type { Sql } from "./database.ts";
import { projectFolder } from "./folder.ts";

/** "rollcall migrate" as a number for pg_advisory_lock. */
const MIGRATE_LOCK = 7_305_001;

/**
 * Brings the schema up to date: Prisma's own schema engine (as WebAssembly: nothing is downloaded), then the queue's tables.
 * Safe to call from any number of nodes at once. Returns the names of the migrations that it applied.
 */
export async function migrate(url: string): Promise<string[]> {
  const lock = new pg.Client({ connectionString: url });
  await lock.connect();
  const pool = new pg.Pool({ connectionString: url, max: 3 });
  try {
    await lock.query("select pg_advisory_lock($1)", [MIGRATE_LOCK]);
    if (await upToDate(lock)) return [];
    const applied = await applyPrismaMigrations(pool);
    await migrateQueue({ pgPool: pool });
    return applied;
  } finally {
    await pool.end();
    await lock.end();
  }
}

/** The engine arms a ten-second time-out for its own lock and never clears it; unreferenced, it keeps no process from ending. */
function withoutLingeringTimers(imports: object): WebAssembly.ModuleImports {
  return Object.fromEntries(
    Object.entries(imports).map(([name, value]: [string, unknown]) => {
      if (!name.startsWith("__wbg_setTimeout") || typeof value !== "function") return [name, value];
      return [name, (...parameters: unknown[]) => (value(...parameters) as NodeJS.Timeout).unref()];
    }),
  );
}

function migrationNames(): string[] {
  return readdirSync(path.join(projectFolder(), "prisma/migrations"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

async function upToDate(client: pg.Client): Promise<boolean> {
  return (await pendingMigrations(client)).length === 0;
}

/** Names of the migrations that this version brings and the database lacks, the queue's tables included. */
export async function pendingMigrations(sql: Sql): Promise<string[]> {
  const { rows: tables } = await sql.query(
    "select to_regclass('_prisma_migrations') is not null as ours, to_regclass('graphile_worker.migrations') is not null as queue",
  );
  const queue = tables[0].queue ? [] : ["graphile_worker"];
  if (!tables[0].ours) return [...migrationNames(), ...queue];
  const { rows } = await sql.query(
    "select migration_name from _prisma_migrations where finished_at is not null and rolled_back_at is null",
  );
  const done = new Set(rows.map((row) => row.migration_name));
  return [...migrationNames().filter((name) => !done.has(name)), ...queue];
}

async function applyPrismaMigrations(pool: pg.Pool): Promise<string[]> {
  const script = createRequire(import.meta.url).resolve("@prisma/schema-engine-wasm/schema_engine_bg");
  // The script keeps views of its engine's memory: loaded once, it would read the first engine's memory for a second one.
  const engine = (await import(`${pathToFileURL(script).href}?${randomUUID()}`)) as typeof Engine;
  const instance = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(script.replace(/\.js$/, ".wasm"))), {
    "./schema_engine_bg.js": withoutLingeringTimers(engine),
  });
  engine.__wbg_set_wasm(instance.exports);
  (instance.exports["__wbindgen_start"] as () => void)();
  const folder = path.join(projectFolder(), "prisma");
  const schema = readFileSync(path.join(folder, "schema.prisma"), "utf8");
  const adapter = bindMigrationAwareSqlAdapterFactory(new PrismaPg(pool, { disposeExternalPool: false }));
  const schemaEngine = await engine.SchemaEngine.new({ datamodels: [["schema.prisma", schema]] }, () => undefined, adapter);
  const { appliedMigrationNames } = await schemaEngine.applyMigrations({
    filters: { externalTables: [], externalEnums: [] },
    migrationsList: {
      baseDir: path.join(folder, "migrations"),
      shadowDbInitScript: "",
      lockfile: { path: "migration_lock.toml", content: readFileSync(path.join(folder, "migrations/migration_lock.toml"), "utf8") },
      migrationDirectories: migrationNames().map((name) => ({
        path: name,
        migrationFile: {
          path: "migration.sql",
          content: { tag: "ok", value: readFileSync(path.join(folder, "migrations", name, "migration.sql"), "utf8") },
        },
      })),
    },
  });
  return appliedMigrationNames;
}
