#!/usr/bin/env node
// npm test: everything that the tests need, then Jest. Arguments go to Jest: `npm test -- test/connections`.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureChromium, ensureSamba, ensureSimpleSamlPhp, ensureSlapd, ensureSshd } from "./counterparts.mjs";
import { prepare } from "./prepare.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
await prepare();
ensureSlapd();
ensureSamba();
ensureSshd();
ensureSimpleSamlPhp();
ensureChromium();
const jest = spawnSync(process.execPath, [join(root, "node_modules", "jest", "bin", "jest.js"), ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
});
process.exitCode = jest.status ?? 1;
