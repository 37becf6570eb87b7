import type { AuditLine } from "./tail.ts";

export const EXPORT_FORMATS = ["csv", "ndjson", "syslog"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export const MEDIA_TYPES: Readonly<Record<ExportFormat, string>> = {
  csv: "text/csv; charset=utf-8",
  ndjson: "application/x-ndjson; charset=utf-8",
  syslog: "text/plain; charset=utf-8",
};

const COLUMNS = ["id", "at", "name", "actor", "subjectType", "subjectId", "correlationId", "reason", "data"] as const;

export interface ExportOptions {
  format: ExportFormat;
  /** The next events after the given id, oldest first; an empty page ends it. */
  nextPage: (after: number) => Promise<readonly AuditLine[]>;
}

/** An export, a piece of text a page: however many events there are, only one page of them is held. */
export async function* exportedText({ format, nextPage }: ExportOptions): AsyncGenerator<string> {
  if (format === "csv") yield `${COLUMNS.join(",")}\r\n`;
  for (let after = 0; ;) {
    const events = await nextPage(after);
    const last = events.at(-1);
    if (!last) return;
    yield events.map(LINE[format]).join("");
    after = last.id;
  }
}

const LINE: Readonly<Record<ExportFormat, (event: AuditLine) => string>> = { csv: csvLine, ndjson: ndjsonLine, syslog: syslogLine };

/** One event as a line of JSON. Removals are proven by these lines, so that who kept an export can hold it against the proof. */
export function ndjsonLine(event: AuditLine): string {
  return `${JSON.stringify(plain(event))}\n`;
}

/** RFC 4180, and harmless where a spreadsheet opens it: a cell that would be taken for a formula begins with an apostrophe. */
export function csvLine(event: AuditLine): string {
  const shown = plain(event);
  const cells = COLUMNS.map((column) => (column === "data" ? JSON.stringify(shown.data) : String(shown[column] ?? "")));
  return `${cells.map((text) => `"${harmless(text).replaceAll('"', '""')}"`).join(",")}\r\n`;
}

/** An apostrophe that stood there is doubled, so that nothing is lost. */
function harmless(text: string): string {
  return /^\s*[=+\-@＝＋－＠]|^[\t\r\n']/.test(text) ? `'${text}` : text;
}

const FACILITY_AUDIT = 13;
const NOTICE = 5;

/** RFC 5424: priority "log audit, notice", the event's name as message id, the event itself as JSON. One line each, ended by LF (RFC 6587). */
export function syslogLine(event: AuditLine): string {
  const { at, name } = event;
  const messageId = name.replaceAll(/[^\x21-\x7e]/g, "").slice(0, 32) || "-";
  return `<${FACILITY_AUDIT * 8 + NOTICE}>1 ${at.toISOString()} - rollcall - ${messageId} - \ufeff${JSON.stringify(plain(event))}\n`;
}

/** In the order of the columns, whatever the order in the database's answer. */
function plain({ id, at, name, actor, subjectType, subjectId, correlationId, reason, data }: AuditLine) {
  return { id, at: at.toISOString(), name, actor, subjectType, subjectId, correlationId, reason, data };
}
