import {
  Fault,
  type CheckResult,
  type Completeness,
  type Connector,
  type Kind,
  type OpenOptions,
  type Page,
  type Source,
} from "../contract.ts";
import { openCsv } from "./client.ts";
import { csvSettings, type CsvSettings } from "./config.ts";
import { readKind } from "./read.ts";

/** An HR feed: people, and their groups and units by columns, from one CSV file. */
export const csv: Connector<CsvSettings> = {
  name: "csv",
  title: "CSV file",
  settings: csvSettings,
  secretFields: [],
  openSource,
  check,
  scopeOf: ({ file, idColumn, groupsColumn, unitColumn, unitSeparator }) => ({ file, idColumn, groupsColumn, unitColumn, unitSeparator }),
};

async function openSource(options: OpenOptions<CsvSettings>): Promise<Source> {
  const { settings, signal } = options;
  const kinds = kindsOf(settings);
  const file = await openCsv(settings, { signal });
  return {
    kinds,
    readAll: (kind) => (kinds.includes(kind) ? readKind({ file, settings }, kind) : refuse(kind)),
    readOne: (kind, nativeId) => findOne(options, { kind, nativeId }),
    close: () => file.close(),
  };
}

function kindsOf({ groupsColumn, unitColumn }: CsvSettings): Kind[] {
  return [...(unitColumn === undefined ? [] : ["unit" as const]), "user", ...(groupsColumn === undefined ? [] : ["group" as const])];
}

// eslint-disable-next-line require-yield -- it refuses before there is anything to give
async function* refuse(kind: Kind): AsyncGenerator<Page, Completeness> {
  throw new Fault(
    "misconfigured",
    `No column says who belongs to which ${kind}: set \`${kind === "group" ? "groupsColumn" : "unitColumn"}\`.`,
  );
}

/** Asks the file as it stands now, which may be a newer one than the run has read. A file that does not prove itself whole knows nobody to be gone. */
async function findOne(
  { settings, signal }: OpenOptions<CsvSettings>,
  { kind, nativeId }: { kind: Kind; nativeId: string },
): Promise<Awaited<ReturnType<Source["readOne"]>>> {
  const file = await openCsv(settings, { signal });
  try {
    const pages = readKind({ file, settings }, kind);
    let step = await pages.next();
    for (; !step.done; step = await pages.next()) {
      const found = step.value.records.find((record) => record.nativeId === nativeId);
      if (found) return found;
      const problem = step.value.problems?.find((each) => each.nativeId === nativeId);
      if (problem) throw new Fault("rejected", problem.message);
    }
    if (!step.value.finalCursor)
      throw new Fault("transient", `${settings.file} does not prove itself whole, so that nobody is known to be gone from it.`);
    return "gone";
  } finally {
    await file.close();
  }
}

async function check(options: OpenOptions<CsvSettings>): Promise<CheckResult[]> {
  const { settings } = options;
  const source = await openSource(options);
  try {
    const pages = source.readAll("user");
    let problems = 0;
    let step = await pages.next();
    for (; !step.done; step = await pages.next()) problems += step.value.problems?.length ?? 0;
    const { count, finalCursor } = step.value;
    return [
      {
        name: "file",
        ok: true,
        message: `${settings.file} has ${count} people${problems ? ` and ${problems} lines that can't be taken` : ""}.`,
      },
      {
        name: "completeness",
        ok: finalCursor || (settings.trailer === undefined && settings.expectedCount === undefined),
        message: completenessMessage(settings, finalCursor),
      },
    ];
  } finally {
    await source.close();
  }
}

function completenessMessage({ trailer, expectedCount }: CsvSettings, proven: boolean): string {
  if (proven) return "The file proves itself whole: whoever is missing from it is taken to be gone.";
  if (trailer !== undefined)
    return `The last line is not "${trailer}" with the right number of people: the file is cut short, or its writer miscounts.`;
  if (expectedCount !== undefined)
    return `The file does not hold ${expectedCount} people: change \`expectedCount\`, or find out who is missing.`;
  return "Nothing proves that the file is whole, so nobody is taken to be gone because a line is missing. Set `trailer` to change that.";
}
