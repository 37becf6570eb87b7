import { Fault, type AttributeValue, type RecordProblem, type SourceRecord } from "../contract.ts";
import type { Row } from "./client.ts";
import type { CsvSettings } from "./config.ts";

/** The header, with the columns that the settings name. */
export interface Columns {
  names: readonly string[];
  id: number;
  groups: number | undefined;
  unit: number | undefined;
}

/** Throws `misconfigured` when a column that the settings name is not there. */
export function columnsOf(header: Row, settings: CsvSettings): Columns {
  const names = header.cells.map((cell) => cell.trim());
  const find = (column: string, setting: string): number => {
    const index = names.indexOf(column);
    if (index < 0)
      throw new Fault("misconfigured", `${settings.file} has no column "${column}" (\`${setting}\`); it has ${names.join(", ")}.`);
    return index;
  };
  const optional = (column: string | undefined, setting: string) => (column === undefined ? undefined : find(column, setting));
  return {
    names,
    id: find(settings.idColumn, "idColumn"),
    groups: optional(settings.groupsColumn, "groupsColumn"),
    unit: optional(settings.unitColumn, "unitColumn"),
  };
}

/** A person, or what is wrong with the line. */
export function personOf(
  row: Row,
  { columns, settings, changedAt }: { columns: Columns; settings: CsvSettings; changedAt: Date },
): SourceRecord | RecordProblem {
  const nativeId = row.cells[columns.id]?.trim() ?? "";
  const problem = (code: string, message: string): RecordProblem => ({
    kind: "user",
    nativeId: nativeId || `line ${row.line}`,
    code,
    message: `Line ${row.line}: ${message}`,
  });
  if (nativeId === "") return problem("no_id", `the column ${settings.idColumn} is empty.`);
  if (row.cells.length !== columns.names.length)
    return problem(
      "columns",
      `${row.cells.length} cells, but the header has ${columns.names.length}. Is a cell with a ${settings.delimiter} not in quotation marks?`,
    );
  const attributes: Record<string, AttributeValue> = {};
  for (const [index, name] of columns.names.entries()) {
    const value = row.cells[index]?.trim() ?? "";
    if (index === columns.groups) attributes[name] = namesIn(value, settings.groupsSeparator);
    else if (value !== "" && name !== "") attributes[name] = value;
  }
  return { kind: "user", nativeId, reference: nativeId, changedAt, attributes };
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
