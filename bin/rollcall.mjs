#!/usr/bin/env node
// The command line, in a clone as in an image: `npx rollcall --help`.
import { existsSync } from "node:fs";
import module from "node:module";

// An image holds the build and no scripts.
const prepare = new URL("../scripts/prepare.mjs", import.meta.url);
if (existsSync(prepare)) await (await import(prepare.href)).prepare();
// Compiled code is kept between runs, where this Node.js can.
module.enableCompileCache?.();
await import("../dist/src/main.js");
