import path from "node:path";
import { parseArgs } from "node:util";
import type { Size } from "../site.ts";
import { optionsOrUsage, wholeNumber } from "../options.ts";
import { scratchFolder } from "../scratch.ts";
import { isOver, renderTable } from "../table.ts";
import { KINDS, USUAL_KINDS, type KindName } from "./kinds.ts";
import { measureDirectory, type DirectoryMeasurement } from "./measure.ts";
import { directoryRows } from "./report.ts";

export const DIRECTORIES_USAGE = `npm run bench -- directories [options]
  --kinds A,B    of ${KINDS.join(", ")} (${USUAL_KINDS.join(",")})
  --people N     people in each (100000); groups, big groups and changes follow: one group and one change in a hundred people
  --repeat N     bare reads, of which the fastest counts (2)
  --no-growth    leave out the run at a fifth of the size, which memory is compared with
  --json         print everything measured, as JSON
  --strict       exit with 1 when a limit is exceeded`;

interface Options {
  kinds: readonly KindName[];
  people: number;
  repeat: number;
  growth: boolean;
  json: boolean;
  strict: boolean;
}

/** Throws with a sentence for whoever typed it. */
function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      kinds: { type: "string", default: USUAL_KINDS.join(",") },
      people: { type: "string", default: "100000" },
      repeat: { type: "string", default: "2" },
      "no-growth": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      strict: { type: "boolean", default: false },
    },
  });
  const kinds = values.kinds.split(",").map((name) => {
    const kind = KINDS.find((each) => each === name);
    if (kind === undefined) throw new Error(`--kinds: there is no "${name}"; there are ${KINDS.join(", ")}.`);
    return kind;
  });
  const { json, strict } = values;
  return {
    kinds,
    people: wholeNumber("people", values.people, { least: 200 }),
    repeat: wholeNumber("repeat", values.repeat),
    growth: !values["no-growth"],
    json,
    strict,
  };
}

/** At 100,000 people: 1,000 groups, three of them of 12,000. */
function sizeOf(people: number): Size {
  return { people, groups: Math.max(4, Math.round(people / 100)), bigGroups: 3, bigSize: Math.round(people * 0.12) };
}

/** Measures each kind by itself, one after another. */
export async function benchDirectories(args: readonly string[]): Promise<void> {
  const options = optionsOrUsage(() => readOptions(args), DIRECTORIES_USAGE);
  if (!options) return;
  const { kinds, people, repeat, growth, json } = options;
  const folder = await scratchFolder();
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const measure = (kind: KindName, count: number): Promise<DirectoryMeasurement> =>
    measureDirectory({
      ...{ kind, repeat, say, size: sizeOf(count), changed: Math.round(count / 100) },
      folder: path.join(folder, `${kind}-${count}`),
    });
  const measured: { large: DirectoryMeasurement; small?: DirectoryMeasurement }[] = [];
  for (const kind of kinds) {
    const small = growth ? await measure(kind, Math.round(people / 5)) : undefined;
    measured.push({ large: await measure(kind, people), ...(small && { small }) });
  }
  const rows = measured.flatMap(directoryRows);
  if (json) process.stdout.write(`${JSON.stringify({ rows: rows.map((row) => ({ ...row, over: isOver(row) })), measured }, null, 2)}\n`);
  else process.stdout.write(`\n${renderTable(rows)}\n`);
  if (options.strict && rows.some(isOver)) process.exitCode = 1;
}
