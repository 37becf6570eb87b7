import type { z } from "zod";

const COUNTED: Readonly<Record<string, string>> = { string: " characters", array: " elements", set: " elements", file: " bytes" };

/** What is wrong with a value, for whoever sent it, where the schema says nothing in its own words. Pure. */
export function wordsOf(issue: z.core.$ZodIssue): string {
  if (!/^(Invalid|Too) [a-z]+(: | value\. |$)/.test(issue.message)) return issue.message;
  switch (issue.code) {
    case "invalid_type":
      if (issue.message.endsWith("received undefined")) return "is needed";
      return `must be of the type ${issue.expected}${/ received (\w+)$/.test(issue.message) ? `, not ${issue.message.split(" ").at(-1)}` : ""}`;
    case "invalid_value":
      return issue.values.length === 1 ? `must be ${String(issue.values[0])}` : `must be one of ${issue.values.map(String).join(", ")}`;
    case "too_small":
      if (issue.origin === "string" && Number(issue.minimum) === 1) return "must not be empty";
      return `must ${bound(issue.origin, "at least", issue.minimum)}`;
    case "too_big":
      return `must ${bound(issue.origin, "at most", issue.maximum)}`;
    case "invalid_union":
      if ("options" in issue && Array.isArray(issue.options)) return `must be one of ${issue.options.map(String).join(", ")}`;
      return `is in none of its forms: ${issue.errors.map(formOf).join("; or ")}`;
    default:
      return issue.message;
  }
}

/** What keeps a value from one form of several. */
function formOf(issues: readonly z.core.$ZodIssue[]): string {
  return issues.map((issue) => [issue.path.map(String).join("."), wordsOf(issue)].filter(Boolean).join(" ")).join(", ");
}

function bound(origin: string, how: string, limit: number | bigint): string {
  const unit = COUNTED[origin];
  return unit === undefined ? `be ${how} ${limit}` : `have ${how} ${limit}${unit}`;
}
