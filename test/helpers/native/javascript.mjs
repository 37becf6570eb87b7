import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { transform, version } from "@swc/core";

const KEPT = fileURLToPath(new URL("../../../node_modules/.cache/rollcall-tests/", import.meta.url));
const OPTIONS = {
  jsc: { parser: { syntax: "typescript" }, target: "es2022" },
  module: { type: "nodenext" },
  sourceMaps: "inline",
  swcrc: false,
};
const COMPILER = `${version}\0${JSON.stringify(OPTIONS)}\0`;
mkdirSync(KEPT, { recursive: true });

/** A TypeScript file as JavaScript with its source map; what was made of the same text before is kept, for every worker and run. */
export async function javascriptOf(filename) {
  const source = readFileSync(filename, "utf8");
  const kept = path.join(KEPT, `${createHash("sha256").update(`${COMPILER}${filename}\0${source}`).digest("hex")}.js`);
  try {
    return readFileSync(kept, "utf8");
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  const { code } = await transform(source, { ...OPTIONS, filename });
  // Several workers may come to it at once: none may read half a file.
  const written = `${kept}.${process.pid}`;
  writeFileSync(written, code);
  renameSync(written, kept);
  return code;
}
