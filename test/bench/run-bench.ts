import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { projectFolder } from "../../src/db/folder.ts";
import { scratchRoot } from "../helpers/scratch-folder.ts";

export interface BenchOptions {
  /** A PostgreSQL that it starts and fills itself, as a user's run does, rather than databases on that of the tests. */
  ownPostgres?: boolean;
}

/** Runs the benchmark in a process of its own. Returns what it printed to standard output; rejects, with `code`, when it fails. */
export async function runBench(args: readonly string[], { ownPostgres = false }: BenchOptions = {}): Promise<string> {
  const main = path.join(projectFolder(), "dist/bench/main.js");
  const environment = {
    ...process.env,
    NODE_OPTIONS: "",
    TMPDIR: scratchRoot(),
    ROLLCALL_BENCH_TEMPLATE: ownPostgres ? "" : templateUrl(),
  };
  const { stdout } = await promisify(execFile)(process.execPath, [main, ...args], { maxBuffer: 1 << 24, env: environment });
  return stdout;
}

/** The migrated database that test/helpers/global-setup.mjs makes. */
function templateUrl(): string {
  const server = process.env["ROLLCALL_TEST_SERVER"];
  if (!server) throw new Error("ROLLCALL_TEST_SERVER is set by test/helpers/global-setup.mjs; run the tests through npm test");
  const url = new URL(server);
  url.pathname = "/rollcall_template";
  return url.href;
}
