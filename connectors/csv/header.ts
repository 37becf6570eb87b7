import { Fault } from "../contract.ts";
import type { Row } from "./client.ts";
import type { CsvSettings } from "./config.ts";

/** The header, with the columns that the settings name. */
export interface Columns {
  /** By position: the name in mappings; empty for a column without a header. */
  names: readonly string[];
  id: number;
  groups: number | undefined;
  unit: number | undefined;
}

const MOST_COLUMNS = 1000;

export interface Header {
  settings: CsvSettings;
  /** Names that mappings take for granted; see OpenOptions.granted. */
  granted?: readonly string[] | undefined;
  /** What messages call the file. */
  name: string;
}

/**
 * Finds the columns that the settings name: by the header as it stands there, else by one that differs in case and spaces only.
 * Throws `misconfigured` when one is missing or can't be told from another, and when one is missing that the mapping reads.
 */
export function columnsOf(header: Row, { settings, granted = [], name }: Header): Columns {
  const headers = header.cells.map((cell) => cell.trim());
  if (headers.length > MOST_COLUMNS)
    throw new Fault("misconfigured", `${name} has ${headers.length} columns, more than ${MOST_COLUMNS}. Is \`delimiter\` right?`);
  const find = (column: string, setting: string): number => {
    const exact = headers.indexOf(column);
    if (exact >= 0) return exact;
    const alike = headers.flatMap((each, index) => (plain(each) === plain(column) ? [index] : []));
    const [index] = alike;
    if (index !== undefined && alike.length === 1) return index;
    throw new Fault(
      "misconfigured",
      alike.length > 1
        ? `${name} has more than one column "${column}" (\`${setting}\`): ${alike.map((each) => each + 1).join(", ")}.`
        : `${name} has no column "${column}" (\`${setting}\`); it has ${listed(headers)}.`,
    );
  };
  const optional = (column: string | undefined, setting: string) => (column === undefined ? undefined : find(column, setting));
  const names = [...headers];
  for (const [column, attribute] of Object.entries(settings.columns ?? {})) names[find(column, `columns.${column}`)] = attribute;
  refuseTwice(names, name);
  // Left to itself, each person would lose what stood there: an end date would be lifted because its header has another name today.
  const missing = granted.filter((attribute) => !names.includes(attribute));
  if (missing.length > 0) throw new Fault("misconfigured", missingSentence({ missing, headers, name }));
  return {
    names,
    id: find(settings.idColumn, "idColumn"),
    groups: optional(settings.groupsColumn, "groupsColumn"),
    unit: optional(settings.unitColumn, "unitColumn"),
  };
}

function missingSentence({ missing, headers, name }: { missing: readonly string[]; headers: readonly string[]; name: string }): string {
  const columns = missing.map((attribute) => `"${attribute}"`).join(", ");
  const [first] = missing;
  return `${name} has no column ${columns}, which the mapping reads; it has ${listed(headers)}. If it is called otherwise now, say so in \`columns\`; if the feed may go without it, let the mapping ask has(account.${first}) first.`;
}

function plain(header: string): string {
  return header.normalize("NFC").replaceAll(/\s+/g, " ").trim().toLowerCase();
}

/** Which of two columns a mapping means would be left to chance. */
function refuseTwice(names: readonly string[], file: string): void {
  const first = new Map<string, number>();
  for (const [index, name] of names.entries()) {
    const before = first.get(name);
    if (name !== "" && before !== undefined)
      throw new Fault(
        "misconfigured",
        `${file}, line 1: the columns ${before + 1} and ${index + 1} are both called "${name.slice(0, 100)}". Give one another header.`,
      );
    first.set(name, index);
  }
}

function listed(headers: readonly string[]): string {
  const text = headers.join(", ");
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
