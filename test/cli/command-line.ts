import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { runCommandLine } from "../../src/cli/program.ts";
import { configSchema, type Config } from "../../src/config.ts";
import { testDatabase, type TestDatabase } from "../helpers/database.ts";

/** The command line over a database and a data folder of its own. */
export interface TestCommandLine {
  db: TestDatabase;
  config: Config;
  /** Carries out `rollcall …`; what it wrote to either stream, and its exit code. */
  rollcall(...line: readonly string[]): Promise<{ code: number; text: string }>;
  close(): Promise<void>;
}

export async function openCommandLine(): Promise<TestCommandLine> {
  const db = await testDatabase();
  const folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-cli-"));
  return {
    db,
    config: configSchema.parse({ data: folder }),
    async rollcall(...line) {
      let text = "";
      const write = (more: string) => void (text += more);
      const code = await runCommandLine({
        arguments: [...line],
        environment: { PATH: process.env["PATH"], HOME: folder, DATABASE_URL: db.url, ROLLCALL_DATA: folder },
        terminal: { write, writeError: write, watched: false },
        version: "1.2.3",
        startServer: () => Promise.reject(new Error("not here")),
      });
      return { code, text };
    },
    async close() {
      await db.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
