import path from "node:path";
import { parseArgs } from "node:util";
import { benchAccess } from "./access/main.ts";
import { benchDirectories } from "./directories/main.ts";
import { benchExplain } from "./explain.ts";
import { benchLogin } from "./login/main.ts";
import { measure } from "./measure.ts";
import { benchPeople } from "./people/main.ts";
import { reportRows } from "./report.ts";
import { benchScim } from "./scim/main.ts";
import type { Size } from "./site.ts";
import { optionsOrUsage, wholeNumber } from "./options.ts";
import { scratchFolder } from "./scratch.ts";
import { isOver, renderTable } from "./table.ts";

const USAGE = `npm run bench -- [options]     or: npm run bench -- scim [options], npm run bench -- directories [options], npm run bench -- access [options], npm run bench -- explain [options], npm run bench -- people [options], npm run bench -- login [options]
  --people N     people in the directory (100000)
  --groups N     groups (1000)
  --big NxSIZE   how many of the groups are big ones, and their members (3x12000)
  --changed N    people changed before the incremental sync (one in a hundred)
  --repeat N     bare reads, of which the fastest counts (2)
  --no-growth    leave out the run at a tenth of the size, which memory is compared with
  --json         print everything measured, as JSON
  --strict       exit with 1 when a limit is exceeded`;

interface Options {
  size: Size;
  changed: number;
  repeat: number;
  growth: boolean;
  json: boolean;
  strict: boolean;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      people: { type: "string", default: "100000" },
      groups: { type: "string", default: "1000" },
      big: { type: "string", default: "3x12000" },
      changed: { type: "string" },
      repeat: { type: "string", default: "2" },
      "no-growth": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      strict: { type: "boolean", default: false },
    },
  });
  const [bigGroups, bigSize] = values.big.split("x").map((part) => wholeNumber("big", part));
  if (!bigGroups || !bigSize) throw new Error("--big must be two whole numbers above 0: 3x12000.");
  const size = {
    people: wholeNumber("people", values.people),
    groups: wholeNumber("groups", values.groups),
    bigGroups,
    bigSize,
  };
  return {
    size,
    changed: values.changed === undefined ? Math.max(1, Math.round(size.people / 100)) : wholeNumber("changed", values.changed),
    repeat: wholeNumber("repeat", values.repeat),
    growth: !values["no-growth"],
    json: values.json,
    strict: values.strict,
  };
}

function tenth({ people, groups, bigGroups, bigSize }: Size): Size {
  const part = (value: number) => Math.max(1, Math.round(value / 10));
  return { people: part(people), groups: Math.max(bigGroups + 1, part(groups)), bigGroups, bigSize: part(bigSize) };
}

async function main(options: Options): Promise<boolean> {
  const { size, changed, repeat, json } = options;
  const folder = await scratchFolder();
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const small = options.growth
    ? await measure({
        folder: path.join(folder, "small"),
        size: tenth(size),
        changed: Math.max(1, Math.round(changed / 10)),
        repeat: 1,
        say,
      })
    : undefined;
  const large = await measure({ folder: path.join(folder, "large"), size, changed, repeat, say });
  const rows = reportRows({ large, small });
  const over = rows.filter(isOver);
  if (json)
    process.stdout.write(`${JSON.stringify({ rows: rows.map((row) => ({ ...row, over: isOver(row) })), large, small }, null, 2)}\n`);
  else {
    process.stdout.write(`\n${renderTable(rows)}\n\n`);
    process.stdout.write(
      over.length ? `${over.length} over the limit: ${over.map(({ what }) => what.trim()).join("; ")}\n` : "All within their limits.\n",
    );
  }
  return over.length === 0;
}

/** Times on a machine that others use, too, prove little: only --strict makes them count. */
async function run(): Promise<void> {
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => process.exit(130));
  const [first, ...rest] = process.argv.slice(2);
  if (first === "scim") return benchScim(rest);
  if (first === "explain") return benchExplain(rest);
  if (first === "access") return benchAccess(rest);
  if (first === "people") return benchPeople(rest);
  if (first === "login") return benchLogin(rest);
  if (first === "directories") return benchDirectories(rest);
  const options = optionsOrUsage(readOptions, USAGE);
  if (!options) return;
  const within = await main(options);
  if (options.strict && !within) process.exitCode = 1;
}

await run();
