import { createReadStream } from "node:fs";
import { parse } from "csv-parse";
import type { BareCount } from "./pages.ts";

/** Every line of the file parsed once, the header and the trailer left out of the count. */
export async function readCsvBare(file: string): Promise<BareCount> {
  const count = { records: -2, members: 0, requests: 0 };
  const rows = createReadStream(file).pipe(parse({ bom: true, relax_column_count: true }));
  for await (const cells of rows as AsyncIterable<string[]>) {
    count.records++;
    const groups = cells[6];
    if (groups !== undefined && groups !== "" && count.records > -1) count.members += groups.split(";").length;
  }
  return count;
}
