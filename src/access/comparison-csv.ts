import type { Cell, RoleComparison } from "./comparison.ts";

const MARKS: Readonly<Record<Cell, string>> = { own: "yes", inherited: "inherited", none: "" };

/** The comparison as CSV (RFC 4180): a row a permission, a column a role. */
export function comparisonCsv({ roles, rows }: RoleComparison): string {
  const lines = [
    ["permission", "description", ...roles.map(({ name, set }) => `${name} (${set})`)],
    ...rows.map(({ permission, cells }) => [
      permission.key,
      permission.description,
      ...roles.map(({ key }) => MARKS[cells[key] ?? "none"]),
    ]),
  ];
  return lines.map((line) => `${line.map(field).join(",")}\r\n`).join("");
}

/** A spreadsheet takes what begins like a formula for one. */
function field(text: string): string {
  const plain = /^[=+\-@＝＋－＠\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
