import type { AttributeValue, RecordProblem, SourceRecord } from "../contract.ts";
import type { Row } from "./client.ts";
import type { CsvSettings } from "./config.ts";
import type { Columns } from "./header.ts";

const LONGEST_ID = 255;
/** What becomes of letters that were once read in a wrong encoding. */
const DAMAGED = /[\u0080-\u009f\ufffd]/;

const NOBODYS: ReadonlySet<string> = new Set(["torn", "no_id", "bad_id"]);

/** A person, or what is wrong with the line. */
export function personOf(
  row: Row,
  { columns, settings, changedAt }: { columns: Columns; settings: CsvSettings; changedAt: Date },
): SourceRecord | RecordProblem {
  const nativeId = row.cells[columns.id]?.trim() ?? "";
  const problem = (code: string, message: string): RecordProblem => ({
    kind: "user",
    nativeId: nativeId.slice(0, LONGEST_ID) || `line ${row.line}`,
    code,
    message: `Line ${row.line}: ${message}`,
  });
  if (row.torn)
    return problem(
      "torn",
      "the file ends here without a line break, so that the rest of the line may be missing. End it with one, or set `lastLineBreak: optional`.",
    );
  if (nativeId === "") return problem("no_id", `the column ${settings.idColumn} is empty.`);
  if (nativeId.length > LONGEST_ID) return problem("bad_id", `the column ${settings.idColumn} has more than ${LONGEST_ID} letters.`);
  if (row.cells.length !== columns.names.length)
    return problem(
      "columns",
      `${row.cells.length} cells, but the header has ${columns.names.length}. Is a cell with a delimiter in it not in quotation marks?`,
    );
  const damaged = row.cells.findIndex((cell) => DAMAGED.test(cell));
  if (damaged >= 0)
    return problem("damaged", `column ${damaged + 1} (${columns.names[damaged] ?? ""}) has letters that were lost when it was written.`);
  const nameless = columns.names.findIndex((name, index) => name === "" && row.cells[index]?.trim() !== "");
  if (nameless >= 0) return problem("nameless", `column ${nameless + 1} has a value, but its header is empty.`);
  const attributes: [string, AttributeValue][] = [];
  for (const [index, name] of columns.names.entries()) {
    const value = row.cells[index]?.trim() ?? "";
    if (index === columns.groups) attributes.push([name, namesIn(value, settings.groupsSeparator)]);
    else if (value !== "") attributes.push([name, value]);
  }
  // Defines its properties, whatever they are called: `__proto__` is a header like others.
  return { kind: "user", nativeId, reference: nativeId, changedAt, attributes: Object.fromEntries(attributes) };
}

/**
 * Whether it is certain whose line this is. Of another one, whoever is missing from the file may stand there: under a name
 * that was cut short, or in a cell that a delimiter moved.
 */
export function saysWhom(item: SourceRecord | RecordProblem, { row, columns }: { row: Row; columns: Columns }): boolean {
  if (!isProblem(item)) return true;
  if (item.code === "columns") return columns.id === 0;
  return !NOBODYS.has(item.code) && !DAMAGED.test(row.cells[columns.id] ?? "");
}

export function isProblem(item: SourceRecord | RecordProblem): item is RecordProblem {
  return "code" in item;
}

/** Group names or path parts: trimmed, empty ones and repetitions left out. */
export function namesIn(value: string, separator: string): string[] {
  return [
    ...new Set(
      value
        .split(separator)
        .map((name) => name.trim())
        .filter(Boolean),
    ),
  ];
}

export function groupOf(
  name: string,
  { members, changedAt }: { members: NonNullable<SourceRecord["members"]>; changedAt: Date },
): SourceRecord {
  return { kind: "group", nativeId: name, reference: name, changedAt, attributes: { name }, members };
}

/** A unit and those above it, from the top; each is named by its whole path. */
export function unitsOf(value: string, { separator, changedAt }: { separator: string | undefined; changedAt: Date }): SourceRecord[] {
  const parts =
    separator === undefined
      ? [value.trim()]
      : value
          .split(separator)
          .map((part) => part.trim())
          .filter(Boolean);
  return parts.flatMap((name, index) => {
    if (name === "") return [];
    const path = parts.slice(0, index + 1).join(separator);
    const parent = parts.slice(0, index).join(separator);
    return [
      { kind: "unit" as const, nativeId: path, reference: path, changedAt, attributes: { name, path }, ...(parent !== "" && { parent }) },
    ];
  });
}
