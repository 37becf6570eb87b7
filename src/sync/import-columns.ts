import type { AttributeValue } from "../../connectors/contract.ts";
import type { CustomAttribute } from "../directory/custom-attributes.ts";
import { AppError, type Problem } from "../errors.ts";

/** Columns that are one attribute each. */
const PLAIN: Readonly<Record<string, string>> = {
  userName: "userName",
  givenName: "name.givenName",
  middleName: "name.middleName",
  familyName: "name.familyName",
  displayName: "displayName",
  nickName: "nickName",
  title: "title",
  userType: "userType",
  language: "preferredLanguage",
  locale: "locale",
  timeZone: "timezone",
  employeeNumber: "employeeNumber",
  externalId: "externalId",
  costCenter: "costCenter",
  organization: "organization",
  division: "division",
  department: "department",
};
const CUSTOM = "custom.";
/** Between several values in one cell. */
const SEPARATOR = "|";

/** The columns there are, in the order of the template. */
export function importColumns(catalogue: readonly CustomAttribute[]): string[] {
  const [userName = "", ...others] = Object.keys(PLAIN);
  return [userName, "email", ...others, "phone", "mobile", "manager", "units", "state", ...catalogue.map(({ key }) => `${CUSTOM}${key}`)];
}

/** One row as it is understood; what a row leaves empty, it says nothing of. */
export interface ImportInput {
  line: number;
  userName: string | undefined;
  email: string | undefined;
  employeeNumber: string | undefined;
  /** Attribute key to value: all but addresses, phones, the organisation's own. */
  plain: Readonly<Record<string, string>>;
  phones: readonly { type: "work" | "mobile"; value: string }[];
  /** Of the organisation's own attributes, by key, as their types want them. */
  custom: Readonly<Record<string, AttributeValue>>;
  /** A login. */
  manager: string | undefined;
  /** Codes. */
  units: readonly string[] | undefined;
  state: "active" | "invited" | undefined;
  problems: readonly Problem[];
}

/** Whether a value is one for this attribute, by the rules of every other way to write it; what is wrong otherwise. */
export type CheckValue = (key: string, value: unknown) => string | undefined;

/** Each column of the header as the columns are called. Throws `invalid` naming every one that is unknown or there twice. */
export function columnsOf(header: readonly string[], catalogue: readonly CustomAttribute[]): string[] {
  const known = new Map(importColumns(catalogue).map((column) => [column.toLowerCase(), column]));
  const columns = header.map((name) => known.get(name.toLowerCase()) ?? "");
  const problems = header.flatMap((name, index): Problem[] => {
    const field = `column ${index + 1}`;
    if (columns[index] === "") return [{ field, message: `"${name.slice(0, 100)}" is no column; the template has them all` }];
    return columns.indexOf(columns[index] ?? "") === index ? [] : [{ field, message: `"${name}" is there twice` }];
  });
  if (!columns.some((column) => ["userName", "email", "employeeNumber"].includes(column)))
    problems.push({ field: "line 1", message: "names none of userName, email, employeeNumber, by which people are known" });
  const [first] = problems;
  if (first) throw new AppError("invalid", `${first.field}: ${first.message}`, { field: first.field, problems });
  return columns;
}

/** Understands a row. Pure; what is wrong is told by column, never thrown. */
export function inputOf(
  { line, cells }: { line: number; cells: readonly string[] },
  { columns, catalogue, check }: { columns: readonly string[]; catalogue: readonly CustomAttribute[]; check: CheckValue },
): ImportInput {
  const problems: Problem[] = [];
  if (cells.length > columns.length) problems.push({ field: `column ${columns.length + 1}`, message: "has a value, but no header" });
  const given = new Map(columns.map((column, index) => [column, cells[index] ?? ""] as const).filter(([, value]) => value !== ""));
  const checked = (column: string, key: string, value: unknown) => {
    const wrong = check(key, value);
    if (wrong !== undefined) problems.push({ field: column, message: wrong });
  };
  const plain: Record<string, string> = {};
  for (const [column, key] of Object.entries(PLAIN)) {
    const value = given.get(column);
    if (value === undefined) continue;
    checked(column, key, value);
    plain[key] = value;
  }
  const email = given.get("email");
  if (email !== undefined) checked("email", "emails", [{ value: email }]);
  const phones = (
    [
      ["phone", "work"],
      ["mobile", "mobile"],
    ] as const
  ).flatMap(([column, type]) => {
    const value = given.get(column);
    if (value === undefined) return [];
    checked(column, "phoneNumbers", [{ value }]);
    return [{ type, value }];
  });
  const state = given.get("state")?.toLowerCase();
  if (state !== undefined && state !== "active" && state !== "invited")
    problems.push({ field: "state", message: "must be active or invited" });
  const custom = Object.fromEntries(
    catalogue.flatMap((attribute) => {
      const cell = given.get(`${CUSTOM}${attribute.key}`);
      return cell === undefined ? [] : [[attribute.key, typed(attribute, cell)]];
    }),
  );
  const units = given.get("units");
  return {
    line,
    userName: plain["userName"],
    email,
    employeeNumber: plain["employeeNumber"],
    plain,
    phones,
    custom,
    manager: given.get("manager"),
    units: units === undefined ? undefined : [...new Set(parts(units))],
    state: state === "active" || state === "invited" ? state : undefined,
    problems,
  };
}

function typed({ type, multiple }: CustomAttribute, cell: string): AttributeValue {
  const one = (text: string) => {
    if (type === "number" && /^[+-]?\d+(\.\d+)?$/.test(text)) return Number(text);
    if (type === "boolean" && /^(true|yes|1|false|no|0)$/i.test(text)) return /^(true|yes|1)$/i.test(text);
    return text;
  };
  return multiple ? (parts(cell).map(one) as AttributeValue) : one(cell);
}

function parts(cell: string): string[] {
  return cell
    .split(SEPARATOR)
    .map((part) => part.trim())
    .filter((part) => part !== "");
}
