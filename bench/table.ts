/** One line of the result. */
export interface Row {
  /** What was measured. */
  what: string;
  /** The number as a reader wants it: `12.3 s`, `310 MB`. */
  measured: string;
  /** The number that the limit is about, where there is one. */
  value?: number;
  limit?: number;
  /** How value and limit are written: `x` after a ratio, ` MB` after a size. */
  unit?: string;
}

export function isOver(row: Row): boolean {
  return row.value !== undefined && row.limit !== undefined && row.value > row.limit;
}

/** Aligned columns: what, measured, value, limit, verdict. */
export function renderTable(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.what,
    row.measured,
    row.value === undefined ? "" : number(row.value, row.unit),
    row.limit === undefined ? "" : `≤ ${number(row.limit, row.unit)}`,
    row.limit === undefined || row.value === undefined ? "" : isOver(row) ? "over" : "ok",
  ]);
  const table = [["", "measured", "value", "limit", ""], ...cells];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...table.map((line) => (line[column] ?? "").length)));
  const text = (line: readonly string[]) =>
    line
      .map((cell, column) => (column === 0 || column === 4 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd();
  const [head, ...body] = table;
  return [text(head ?? []), "-".repeat(widths.reduce((sum, width) => sum + width, 8)), ...body.map(text)].join("\n");
}

function number(value: number, unit = ""): string {
  const digits = Number.isInteger(value) || value >= 50 ? 0 : value < 1 ? 3 : 2;
  return `${value.toFixed(digits)}${unit}`;
}

/** Prints the rows, as a table or as JSON; when `strict`, an exceeded limit makes the exit code 1. */
export function showRows(rows: readonly Row[], { json, strict }: { json: boolean; strict: boolean }): void {
  const judged = rows.map((row) => ({ ...row, over: isOver(row) }));
  process.stdout.write(json ? `${JSON.stringify({ rows: judged }, null, 2)}\n` : `\n${renderTable(rows)}\n`);
  if (strict && rows.some(isOver)) process.exitCode = 1;
}

export function seconds(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(2)} s` : `${(ms / 1000).toFixed(1)} s`;
}

export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MB`;
}
