import pg from "pg";
import { newRunFolder } from "./run-folder.mjs";

/** What is lost with the run need not be written through; the log of changes is kept short, since it may take memory. */
const SETTINGS = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_wal_size=512MB"];

/** One cluster for the run (ROLLCALL_TEST_DATABASE_URL names another), and a migrated template in it. */
export default async function setup() {
  const { startEmbeddedPostgres } = await import("../../dist/src/db/embedded.js");
  const { migrate } = await import("../../dist/src/db/migrate.js");
  let url = process.env["ROLLCALL_TEST_DATABASE_URL"];
  if (!url) {
    const folder = newRunFolder();
    process.env["ROLLCALL_TEST_FOLDER"] = folder;
    const cluster = await startEmbeddedPostgres({ folder, settings: SETTINGS });
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
