import { z } from "zod";
import { AppError, type ErrorCode, type Problem } from "../../errors.ts";
import { ERROR_STATUS, errorStatusOf } from "../middleware/error-status.ts";
import { wordsOf } from "./issue-words.ts";

const TITLE: Readonly<Record<ErrorCode, string>> = {
  invalid: "The request is not valid",
  not_found: "There is no such thing",
  conflict: "It does not fit what is there",
  precondition_failed: "It was changed in the meantime",
  unauthenticated: "A valid credential is needed",
  forbidden: "This is not allowed",
  too_large: "The request is too large",
  unsupported_type: "This media type is not taken here",
  not_acceptable: "It comes in no form that is asked for",
  rate_limited: "Too many requests",
  held: "A guard holds this change",
  busy: "Something else is at work on it",
  unavailable: "This can't be answered now",
  misconfigured: "This server is not set up for it",
  internal: "Something went wrong here",
};

/** Problem details (RFC 9457), with the fields that are wrong. */
export const problemSchema = z
  .object({
    type: z.string().describe("What kind of problem it is: a page of the documentation."),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe("What happened, to which thing, and what to do."),
    code: z.string(),
    field: z.string().optional().describe("The input that it is about."),
    errors: z.array(z.object({ field: z.string(), detail: z.string() })).optional(),
    requestId: z.string(),
  })
  .meta({ id: "Problem" });
export type ProblemDetails = z.output<typeof problemSchema>;

/** Renders anything thrown; what is not ours says nothing of itself. */
export function problemOf(error: unknown, requestId: string): ProblemDetails {
  const known =
    error instanceof AppError ? error : new AppError("internal", "Something went wrong here; the log of this server says what.");
  const { code, problems } = known;
  const field = known.field ?? problems[0]?.field;
  const shown = code === "internal" ? "Something went wrong here; the log of this server says what." : known.message;
  return {
    type: `/api/docs#problem-${code.replaceAll("_", "-")}`,
    title: TITLE[code],
    // Ourselves, for a while, rather than a system behind us.
    status: errorStatusOf(known),
    detail: shown,
    code,
    ...(field === undefined ? {} : { field }),
    ...(problems.length === 0 ? {} : { errors: problems.map(({ field: at, message }) => ({ field: at, detail: message })) }),
    requestId,
  };
}

/** For the documentation: every code with its status and title. */
export function problemKinds(): { code: ErrorCode; status: number; title: string }[] {
  return (Object.keys(ERROR_STATUS) as ErrorCode[]).map((code) => ({ code, status: ERROR_STATUS[code], title: TITLE[code] }));
}

/** Parses with a schema. Throws `invalid` naming every field that is wrong. */
export function parsed<S extends z.ZodType>(schema: S, value: unknown, { what }: { what: "body" | "query" | "path" }): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue) => problemsOf(issue, { what, schema }));
  const [first] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  throw new AppError("invalid", `${first?.field ?? what}: ${first?.message ?? "is not valid"}${more}`, {
    field: first?.field ?? what,
    problems,
  });
}

const MOST_PROBLEMS = 50;

function problemsOf(issue: z.core.$ZodIssue, { what, schema }: { what: string; schema: z.ZodType }): Problem[] {
  const at = issue.path.map(String).join(".");
  if (issue.code !== "unrecognized_keys") {
    const words = wordsOf(issue);
    // What was sent in a body is not seen there.
    return [{ field: at || what, message: words === "is needed" && what === "query" ? "is needed, in the query" : words }];
  }
  const known = at === "" && schema instanceof z.ZodObject ? `; known are ${Object.keys(schema.shape).join(", ")}` : "";
  return issue.keys.slice(0, MOST_PROBLEMS).map((key) => ({ field: at ? `${at}.${key}` : key, message: `is not known here${known}` }));
}
