import { mkdtempSync, chmodSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import pg from "pg";

/** One cluster for the run (ROLLCALL_TEST_DATABASE_URL names another), and a migrated template in it. */
export default async function setup() {
  const { startEmbeddedPostgres } = await import("../../dist/src/db/embedded.js");
  const { migrate } = await import("../../dist/src/db/migrate.js");
  let url = process.env["ROLLCALL_TEST_DATABASE_URL"];
  if (!url) {
    const folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-test-"));
    chmodSync(folder, 0o755);
    const cluster = await startEmbeddedPostgres({ folder, settings: ["fsync=off", "synchronous_commit=off", "full_page_writes=off"] });
    url = cluster.url;
    globalThis.__ROLLCALL_TEST_CLUSTER__ = { cluster, folder };
  }
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  await admin.query("drop database if exists rollcall_template with (force)");
  await admin.query("create database rollcall_template");
  await migrate(withDatabase(url, "rollcall_template"));
  await admin.end();
  process.env["ROLLCALL_TEST_SERVER"] = url;
}

function withDatabase(url, name) {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}
