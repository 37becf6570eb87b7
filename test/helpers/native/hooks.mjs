import { fileURLToPath } from "node:url";
import { javascriptOf } from "./javascript.mjs";

const TESTS = new URL("../../", import.meta.url).href;
const GLOBALS = new URL("./globals.mjs", import.meta.url).href;

/** Whatever a test file loads from `test` is loaded for that file alone: its address carries the file's number on. */
export async function resolve(specifier, context, next) {
  if (specifier === "@jest/globals") return { url: GLOBALS, shortCircuit: true };
  const found = await next(specifier, context);
  if (!found.url.startsWith(TESTS) || found.url.includes("?")) return found;
  const file = context.parentURL ? new URL(context.parentURL).searchParams.get("file") : null;
  return file ? { ...found, url: `${found.url}?file=${file}` } : found;
}

/** TypeScript as JavaScript; everything else is Node's. */
export async function load(url, context, next) {
  const [address] = url.split("?");
  if (!address.endsWith(".ts")) return next(url, context);
  return { format: "module", source: await javascriptOf(fileURLToPath(address)), shortCircuit: true };
}
