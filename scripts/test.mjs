#!/usr/bin/env node
// npm test: everything that the tests need, then Jest. Arguments go to Jest: `npm test -- test/connections`.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureChromium, ensureSamba, ensureSimpleSamlPhp, ensureSlapd, ensureSshd } from "./counterparts.mjs";
import { prepare } from "./prepare.mjs";

/** V8's room for what is new, in megabytes. By itself it gives 16, and clearing them up took a sixth of the tests' processor time. Workers inherit it. */
const YOUNG_MEGABYTES = 32;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
await prepare();
ensureSlapd();
ensureSamba();
ensureSshd();
ensureSimpleSamlPhp();
ensureChromium();
const command = [
  `--max-semi-space-size=${YOUNG_MEGABYTES}`,
  join(root, "node_modules", "jest", "bin", "jest.js"),
  ...process.argv.slice(2),
];
const jest = spawnSync(process.execPath, command, { cwd: root, stdio: "inherit" });
process.exitCode = jest.status ?? 1;
