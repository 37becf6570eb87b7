import type { AuditLine } from "../audit/tail.ts";
import { AppError, messageOf } from "../errors.ts";
import { Fault } from "../../connectors/contract.ts";
import { onOneLine, visible } from "./visible.ts";
import { widthOf } from "./width.ts";

/** Where a command writes: answers on standard output, everything about the work on standard error. */
export interface Terminal {
  write(text: string): void;
  writeError(text: string): void;
  /** Whether standard error is a terminal somebody watches. */
  watched: boolean;
}

export interface Column<Row> {
  title: string;
  value: (row: Row) => string | number | boolean | Date | null | undefined;
  align?: "right";
}

/** A command's answers, as text or as JSON. Whatever is in them steers no terminal. */
export interface Output {
  readonly json: boolean;
  /** One line of answer; left out with --json. */
  line(text: string): void;
  /** One line about the work, on standard error. */
  note(text: string): void;
  /** The whole answer: the value with --json, else its text. */
  result(value: unknown, text: string | readonly string[]): void;
  /** Rows as an aligned table, or what to do when there are none. */
  table<Row>(rows: readonly Row[], options: { columns: readonly Column<Row>[]; empty: string }): void;
}

export function createOutput(terminal: Terminal, { json }: { json: boolean }): Output {
  const print = (text: string) => terminal.write(`${visible(text)}\n`);
  const printJson = (value: unknown) => print(JSON.stringify(value, null, 2));
  return {
    json,
    line: (text) => void (json || print(text)),
    note: (text) => terminal.writeError(`${visible(text)}\n`),
    result: (value, text) => (json ? printJson(value) : (typeof text === "string" ? [text] : text).forEach(print)),
    table(rows, { columns, empty }) {
      if (json) printJson(rows);
      else if (rows.length === 0) print(empty);
      else alignedRows(rows, columns).forEach(print);
    },
  };
}

/** Title row first; the last column is not padded. */
export function alignedRows<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string[] {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ value }) => cell(value(row))))];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => widthOf(line[index] ?? ""))));
  return cells.map((line) =>
    line
      .map((text, index) => {
        const rest = " ".repeat((widths[index] ?? 0) - widthOf(text));
        return columns[index]?.align === "right" ? rest + text : text + rest;
      })
      .join("  ")
      .trimEnd(),
  );
}

function cell(value: string | number | boolean | Date | null | undefined): string {
  if (value === null || value === undefined) return "-";
  if (value instanceof Date) return moment(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return onOneLine(String(value));
}

/** `2026-03-01 08:15:00Z`. */
export function moment(at: Date | null): string {
  return at === null ? "-" : `${at.toISOString().slice(0, 19).replace("T", " ")}Z`;
}

/** An error as lines for a reader: its sentence, then each problem with its field. */
export function errorLines(error: unknown): string[] {
  const sentence = messageOf(error);
  if (error instanceof Error && error.name === "AbortError")
    return ["Stopped before it was through; running it again goes on from where it can."];
  if (!(error instanceof AppError))
    return error instanceof Fault ? [sentence] : [`Unexpected: ${sentence}`, "LOG_LEVEL=debug shows where it happened."];
  const problems = error.problems.map(({ field, message }) => `  ${field}: ${message}`);
  // Some sentences already hold their problems, line by line.
  return [sentence, ...problems.filter((line) => !sentence.includes(line))];
}

/** The same for --json. */
export function errorDocument(error: unknown): object {
  const code = error instanceof AppError ? error.code : error instanceof Fault ? error.kind : "internal";
  const problems = error instanceof AppError ? error.problems : [];
  return {
    error: {
      code,
      message: messageOf(error),
      ...(error instanceof AppError && error.field !== undefined && { field: error.field }),
      ...(problems.length > 0 && { problems }),
    },
  };
}

/** One audit event on one line. */
export function eventText({ at, name, actor, subjectType, subjectId, reason, data }: AuditLine): string {
  const subject = subjectId === null ? "" : ` ${subjectType ?? ""} ${subjectId}`;
  const facts = Object.entries(data).map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return onOneLine(
    `${moment(at)}  ${name}${subject}  by ${actor}${facts.length ? `  ${facts.join(" ")}` : ""}${reason ? `  (${reason})` : ""}`,
  );
}
