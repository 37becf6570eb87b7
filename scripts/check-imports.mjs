#!/usr/bin/env node
// Imports point one way; this table says which. Usage: node scripts/check-imports.mjs [FOLDER]. Exit code 1 names each violation.
// Cycles are oxlint's business (import/no-cycle).
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** From the top of the house to its ground. A file imports from the floors below its own, or from its own room. */
const FLOORS = [
  ["src/main.ts"],
  ["src/app.ts"],
  ["src/cli", "src/http", "src/jobs"],
  ["src/sync", "src/provision", "src/auth", "src/notify", "src/offline"],
  ["src/access"],
  ["src/directory", "src/connections"],
  ["src/expressions"],
  ["src/audit"],
  ["src/db"],
  ["src/config.ts", "src/sign-in-settings.ts", "src/log.ts", "src/context.ts", "src/errors.ts", "src/heap.ts"],
];

/** Pure files without effects, or any knowledge of ours, that every floor may use. */
const GROUND = ["src/directory/attributes.ts", "src/db/envelope.ts", "src/db/folder.ts", "src/errors.ts", "connectors/contract.ts"];

/** Rooms with doors of their own: nothing passes between them. */
const DOORS = ["src/http/scim", "src/http/oauth", "src/http/hooks", "src/http/feeds", "src/http/api", "src/http/login"];

/** Files of the contract that the rest knows through it. */
const PARTS_OF_CONTRACT = ["connectors/fault.ts", "connectors/upload.ts"];

/** What the rest knows of connectors: their contract, and of the kit what there is to be one rule for only (what may be reached, what a provider may say of itself, what can be kept, which ids are the same), recordings, and files without a name. */
const KNOWN_OF_CONNECTORS = [
  "connectors/contract.ts",
  "connectors/kit/send.ts",
  "connectors/kit/address.ts",
  "connectors/kit/comparable-id.ts",
  "connectors/kit/nameless-file.ts",
  "connectors/kit/openid-metadata.ts",
  "connectors/kit/storable-text.ts",
  "connectors/kit/recording/",
];

const root = resolve(process.argv[2] ?? dirname(dirname(fileURLToPath(import.meta.url))));
const violations = ["src", "connectors"]
  .flatMap((folder) => typescriptIn(folder))
  .flatMap((file) => importsOf(file).flatMap((imported) => complaint(file, imported) ?? []));
for (const violation of violations) console.error(violation);
if (violations.length === 0) console.log("Imports point one way.");
process.exitCode = violations.length === 0 ? 0 : 1;

function typescriptIn(folder) {
  if (!existsSync(join(root, folder)) || folder === "src/db/generated") return [];
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? typescriptIn(path) : entry.name.endsWith(".ts") ? [path] : [];
  });
}

/** Imports of our own files: `{ path, typesOnly }`. */
function importsOf(file) {
  const text = readFileSync(join(root, file), "utf8");
  const statements = text.matchAll(
    /^\s*(?:import|export)\s+(type\s)?[^"';]*?from\s+["'](\.[^"']+)["']|^\s*import\s+["'](\.[^"']+)["']|\bimport\(\s*["'](\.[^"']+)["']\s*\)/gm,
  );
  return [...statements].map(([, type, named, bare, dynamic]) => ({
    path: posix.normalize(posix.join(posix.dirname(file), named ?? bare ?? dynamic)),
    typesOnly: type !== undefined,
  }));
}

function complaint(file, { path, typesOnly }) {
  const says = (reason) => `${file} imports ${path}: ${reason}`;
  if (/^(test|demo|bench|scripts)\//.test(path)) return says("what runs in production knows nothing of tests, demo, bench and scripts");
  if (path === "src/main.ts") return says("main.ts is imported by nothing");
  if (file.startsWith("connectors/")) return connectorComplaint(file, path, says);
  if (path.startsWith("connectors/")) {
    if (KNOWN_OF_CONNECTORS.some((known) => path.startsWith(known)) || typesOnly) return undefined;
    return path === "connectors/registry.ts" && file.startsWith("src/connections/")
      ? undefined
      : says("of connectors only the contract is known; src/connections alone reads the registry");
  }
  if (typesOnly || GROUND.includes(path)) return undefined;
  const from = placeOf(file);
  const to = placeOf(path);
  if (!from || !to) return says(`${from ? path : file} has no floor in scripts/check-imports.mjs`);
  const doors = [file, path].map((each) => DOORS.find((door) => each.startsWith(`${door}/`)));
  if (doors[0] && doors[1] && doors[0] !== doors[1]) return says("doors never import each other");
  if (from.room === to.room) return undefined;
  if (to.floor < from.floor) return says("imports point downwards");
  // The ground floor's four files may use each other; a cycle among them is still refused by the linter.
  if (to.floor === from.floor && to.floor < FLOORS.length - 1) return says("rooms of one floor don't import each other");
  return undefined;
}

function connectorComplaint(file, path, says) {
  if (!path.startsWith("connectors/")) return says("a connector is a leaf: it never imports src/");
  if (file === "connectors/registry.ts") return undefined;
  if (file === "connectors/contract.ts" && PARTS_OF_CONTRACT.includes(path)) return undefined;
  const own = file.split("/")[1];
  const other = path.split("/")[1];
  return other === own || other === "kit" || other === "contract.ts" ? undefined : says("connectors don't import each other");
}

function placeOf(path) {
  for (const [floor, rooms] of FLOORS.entries()) {
    const room = rooms.find((each) => path === each || path.startsWith(`${each}/`));
    if (room) return { floor, room };
  }
  return undefined;
}
