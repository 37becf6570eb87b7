import type { AttributeValue } from "../../connectors/contract.ts";
import { isStorable } from "../../connectors/kit/storable-text.ts";
import { AppError, type Problem } from "../errors.ts";
import type { CustomAttribute } from "./custom-attributes.ts";

export type CustomValue = string | number | boolean;

const MOST_LETTERS = 2000;
const MOST_VALUES = 100;
const DAY = /^\d{4}-\d\d-\d\d$/;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/;

/**
 * Values of the organisation's own attributes as they are kept (P2), the same whichever door they come through; null = emptied.
 * Throws `invalid` naming each field that is wrong: unknown, of another type, none of the choices, emptied though required.
 */
export function checkedCustomValues(
  catalogue: readonly CustomAttribute[],
  { values, whole }: { values: Readonly<Record<string, unknown>>; whole: boolean },
): Record<string, AttributeValue | null> {
  const problems: Problem[] = [];
  const checked: Record<string, AttributeValue | null> = {};
  for (const [key, value] of Object.entries(values)) {
    const attribute = catalogue.find((each) => each.key.toLowerCase() === key.toLowerCase());
    const result = attribute ? checkedValue(attribute, value) : { wrong: "is not an attribute of this organisation" };
    if ("wrong" in result) problems.push({ field: `custom.${key}`, message: result.wrong });
    else if (attribute) checked[attribute.key] = result.value;
  }
  for (const { key, required } of catalogue) {
    const missing = whole ? (checked[key] ?? null) === null : checked[key] === null;
    if (required && missing && !problems.some(({ field }) => field === `custom.${key}`))
      problems.push({ field: `custom.${key}`, message: "is required" });
  }
  const [first] = problems;
  if (first) throw new AppError("invalid", `${first.field}: ${first.message}`, { field: first.field, problems });
  return checked;
}

type Checked = { value: AttributeValue | null } | { wrong: string };

function checkedValue(attribute: CustomAttribute, value: unknown): Checked {
  if (value === null || value === "" || (Array.isArray(value) && value.length === 0)) return { value: null };
  if (!attribute.multiple) return Array.isArray(value) ? { wrong: "has one value, not a list" } : single(attribute, value);
  if (!Array.isArray(value)) return { wrong: "must be a list of values" };
  if (value.length > MOST_VALUES) return { wrong: `has at most ${MOST_VALUES} values` };
  const each = value.map((one: unknown) => single(attribute, one));
  const wrong = each.find((one): one is { wrong: string } => "wrong" in one);
  if (wrong) return wrong;
  const values = each.flatMap((one) => ("value" in one ? [one.value as CustomValue] : []));
  return { value: [...new Set(values)] as readonly string[] };
}

function single({ type, choices }: CustomAttribute, value: unknown): Checked {
  switch (type) {
    case "number":
      return typeof value === "number" && Number.isFinite(value) ? { value } : { wrong: "must be a number" };
    case "boolean":
      return typeof value === "boolean" ? { value } : { wrong: "must be true or false" };
    case "date":
      return dated(value);
    case "choice": {
      const choice =
        typeof value === "string" ? (choices ?? []).find((one) => one.toLowerCase() === value.trim().toLowerCase()) : undefined;
      return choice === undefined ? { wrong: `must be one of ${(choices ?? []).slice(0, 20).join(", ")}` } : { value: choice };
    }
    case "string":
      if (typeof value !== "string") return { wrong: "must be a text" };
      if (value.length > MOST_LETTERS) return { wrong: `has at most ${MOST_LETTERS} characters` };
      return isStorable(value) ? { value } : { wrong: "has a character that can't be kept" };
  }
}

/** RFC 7643 section 2.3.5 knows no date without a time: a day is its first instant in UTC, as the SCIM door keeps it. */
function dated(value: unknown): Checked {
  if (typeof value !== "string" || !(DAY.test(value) || INSTANT.test(value)) || Number.isNaN(Date.parse(value)))
    return { wrong: "must be a day (2027-01-31) or a date and time with its offset" };
  const text = DAY.test(value) ? `${value}T00:00:00Z` : value;
  return new Date(`${text.slice(0, 10)}T00:00:00Z`).toISOString().slice(0, 10) === text.slice(0, 10)
    ? { value: text }
    : { wrong: "is no day of the calendar" };
}
