import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";
import { projectFolder } from "../../src/db/folder.ts";
import type { Row } from "../../bench/table.ts";

test("the benchmark of people searches and lists them beside a bare SELECT", async () => {
  const main = path.join(projectFolder(), "dist/bench/main.js");
  const args = [main, "people", "--people", "300", "--units", "20", "--seconds", "1", "--json"];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1 << 24 });
  const { rows } = JSON.parse(stdout) as { rows: Row[] };
  expect(rows.map(({ what }) => what.replace(/,.*/, ""))).toEqual([
    "bare SELECT by primary key",
    "search over HTTP",
    "filtered lists over HTTP",
  ]);
  for (const { value } of rows.slice(1)) expect(value).toBeGreaterThan(0);
  await expect(promisify(execFile)(process.execPath, [main, "people", "--people", "none"])).rejects.toMatchObject({ code: 2 });
}, 300_000);
