import { mkdir } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { optionsOrUsage } from "../options.ts";
import { scratchFolder } from "../scratch.ts";
import { judgeAims } from "./aims.ts";
import { OPERATIONS } from "./operations/all.ts";
import { renderAims, renderMeasured } from "./report.ts";
import { runServers, SERVERS, type RunOptions, type ServerName } from "./run.ts";

export const SCIM_USAGE = `npm run bench -- scim [options]
  --people N,M    sizes of the directory (10000,100000)
  --seconds N     how long each operation is asked at each concurrency (3)
  --rounds N      how often all of it is gone through in that time (3)
  --only A,B      only these operations: ${OPERATIONS.map(({ key }) => key).join(", ")}
  --servers A,B   only these servers: ${SERVERS.join(", ")}
  --folder PATH   keep the filled databases there, and use those that are there
  --json          print everything measured, as JSON
  --strict        exit with 1 when an aim is missed`;

interface Options extends Omit<RunOptions, "folder" | "say"> {
  folder?: string;
  json: boolean;
  strict: boolean;
}

/** Throws with a sentence for whoever typed it. */
function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      people: { type: "string", default: "10000,100000" },
      seconds: { type: "string", default: "3" },
      rounds: { type: "string", default: "3" },
      only: { type: "string", default: "" },
      servers: { type: "string", default: SERVERS.join(",") },
      folder: { type: "string" },
      json: { type: "boolean", default: false },
      strict: { type: "boolean", default: false },
    },
  });
  const keys = OPERATIONS.map(({ key }) => key);
  return {
    sizes: listed(values.people).map((text) => positive("people", text)),
    seconds: positive("seconds", values.seconds),
    rounds: positive("rounds", values.rounds),
    only: listed(values.only.toLowerCase()).map((key) => known("only", key, keys)),
    servers: listed(values.servers).map((name) => known<ServerName>("servers", name, SERVERS)),
    folder: values.folder,
    json: values.json,
    strict: values.strict,
  };
}

function listed(text: string): string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} must be a number above 0.`);
  if (name !== "seconds" && !Number.isInteger(value)) throw new Error(`--${name} must be a whole number.`);
  return value;
}

function known<T extends string>(name: string, value: string, all: readonly T[]): T {
  const found = all.find((each) => each === value);
  if (found === undefined) throw new Error(`--${name}: there is no ${value}; there are ${all.join(", ")}.`);
  return found;
}

/** The benchmark of the SCIM door; `args` are those after `scim`. Sets the exit code. */
export async function benchScim(args: readonly string[]): Promise<void> {
  const options = optionsOrUsage(() => readOptions(args), SCIM_USAGE);
  if (!options) return;
  const sizes = await runServers({
    ...options,
    folder: await workFolder(options.folder),
    say: (line) => void process.stderr.write(`${line}\n`),
  });
  const aims = judgeAims(sizes);
  if (options.json) process.stdout.write(`${JSON.stringify({ aims, sizes }, null, 2)}\n`);
  else process.stdout.write(`\n${renderMeasured(sizes)}\n\n${renderAims(aims)}\n`);
  if (options.strict && aims.some(({ met }) => met === false)) process.exitCode = 1;
}

async function workFolder(kept: string | undefined): Promise<string> {
  if (kept !== undefined) {
    await mkdir(kept, { recursive: true });
    return path.resolve(kept);
  }
  return scratchFolder("scim");
}
