import { Fault, type CheckResult, type OpenOptions } from "../contract.ts";
import { openCsv } from "./client.ts";
import type { CsvSettings } from "./config.ts";
import { placeOf } from "./place.ts";
import { pageReader, type Reading } from "./read.ts";

/** Can the file be had and read, and does it prove itself whole? Of a server it also says which key it shows. */
export async function check(options: OpenOptions<CsvSettings>): Promise<CheckResult[]> {
  const { settings, signal, granted } = options;
  const place = placeOf(options);
  try {
    const file = await openCsv(place, { settings, signal });
    try {
      return [...(place.findings?.() ?? []), ...(await findingsOf({ file, settings, granted }))];
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return [...(place.findings?.() ?? []), { name: "file", ok: false, message: error.message }];
  } finally {
    await place.close();
  }
}

async function findingsOf(reading: Reading): Promise<CheckResult[]> {
  const { file, settings } = reading;
  const pages = pageReader(reading)("user");
  const problems: string[] = [];
  let step = await pages.next();
  for (; !step.done; step = await pages.next()) problems.push(...(step.value.problems ?? []).map(({ message }) => message));
  const { count, finalCursor } = step.value;
  const [first] = problems;
  const refused = first === undefined ? "." : ` and ${problems.length} lines that can't be taken. ${first}`;
  return [
    {
      name: "file",
      ok: true,
      message: `${file.name} (${file.encoding}) has ${count} people${refused}`,
    },
    {
      name: "completeness",
      ok: finalCursor || (settings.trailer === undefined && settings.expectedCount === undefined),
      message: completenessMessage(settings, finalCursor),
    },
  ];
}

function completenessMessage({ trailer, expectedCount }: CsvSettings, proven: boolean): string {
  if (proven) return "The file proves itself whole: whoever is missing from it is taken to be gone.";
  if (trailer !== undefined)
    return `The last line is not "${trailer}" with the right number of people: the file is cut short, or its writer miscounts.`;
  if (expectedCount !== undefined)
    return `The file does not hold ${expectedCount} people: change \`expectedCount\`, or find out who is missing.`;
  return "Nothing proves that the file is whole, so nobody is taken to be gone, or out of a group, because a line is missing. Set `trailer` to change that.";
}
