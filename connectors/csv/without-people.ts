import type { UploadWithoutOptions } from "../contract.ts";
import { openCsv, type Row } from "./client.ts";
import type { CsvSettings } from "./config.ts";
import { encode } from "./encode.ts";
import { columnsOf } from "./header.ts";
import { uploadedPlace } from "./uploaded-place.ts";

const CHUNK = 64 * 1024;

/**
 * A file that was handed in, without the lines of some people: all else as it stands there, in its encoding, its trailer counting
 * what is left. Throws the Faults of a file that can't be read.
 */
export async function* withoutPeople({ settings, file, nativeIds, signal }: UploadWithoutOptions<CsvSettings>): AsyncGenerator<Buffer> {
  const delimiter = settings.delimiter === "auto" ? "," : settings.delimiter;
  const place = uploadedPlace({ uploads: { last: async () => file }, maxBytes: file.bytes });
  const { encoding, name, rows, close } = await openCsv(place, { settings, signal });
  let id: number | undefined;
  let removed = 0;
  let text = "";
  let first = true;
  try {
    for await (const row of rows()) {
      const isHeader = id === undefined;
      id ??= columnsOf(row, { settings, name }).id;
      if (!isHeader && nativeIds.has(row.cells[id]?.trim() ?? "")) removed += 1;
      else text += lineOf(recounted(row, { settings, removed }), delimiter);
      if (text.length < CHUNK) continue;
      yield encode(text, { encoding, first });
      text = "";
      first = false;
    }
    yield encode(text, { encoding, first });
  } finally {
    await close();
  }
}

function recounted({ cells, ...row }: Row, { settings, removed }: { settings: CsvSettings; removed: number }): Row {
  const [mark, count = "", ...rest] = cells;
  const isTrailer = settings.trailer !== undefined && mark?.trim() === settings.trailer;
  if (mark === undefined || !isTrailer || removed === 0 || !/^\s*\d+\s*$/.test(count)) return { ...row, cells };
  return { ...row, cells: [mark, String(Number(count) - removed), ...rest] };
}

/** Every cell in quotation marks: then the header tells the delimiter, whatever stands in its cells. */
function lineOf({ cells, torn }: Row, delimiter: string): string {
  return cells.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(delimiter) + (torn ? "" : "\r\n");
}
