import { z } from "zod";
import { passingFailure } from "../../../db/failures.ts";
import { AppError } from "../../../errors.ts";
import { lockAhead } from "../bulk-locks.ts";
import { matchRoute } from "../match-route.ts";
import { perform, type ApiAnswer } from "../perform.ts";
import { problemOf, problemSchema, type ProblemDetails } from "../problem.ts";
import { route, type ApiCall, type Route } from "../route.ts";

const MOST_OPERATIONS = 500;
/** Stands for the id of what an operation of this request creates (as RFC 7644 section 3.7.2 has it). */
const CREATED = /^bulkId:([\w.-]{1,60})$/;

const operation = z.strictObject({
  bulkId: z
    .string()
    .regex(/^[\w.-]{1,60}$/, "must be letters, digits, dots, dashes")
    .optional()
    .describe("By which later operations name what this one creates: `bulkId:NAME` in a path or as a value."),
  method: z.enum(["post", "put", "patch", "delete"]),
  path: z
    .string()
    .regex(/^\/[^?#]{1,300}$/, "must be a path below /api/v1, without a query")
    .describe("Below /api/v1: `/units`."),
  body: z.json().optional(),
  ifMatch: z.string().max(100).optional(),
});
type Operation = z.output<typeof operation>;

const operations = z
  .array(operation)
  .min(1)
  .max(MOST_OPERATIONS)
  // Where the second fails by itself, what follows would be done to what the first has made.
  .superRefine((all, { addIssue }) => {
    const seen = new Set<string>();
    for (const [index, { bulkId }] of all.entries()) {
      if (bulkId === undefined) continue;
      if (seen.has(bulkId)) addIssue({ code: "custom", path: [index, "bulkId"], message: "is the name of another operation already" });
      seen.add(bulkId);
    }
  });

const request = z.strictObject({ operations });

const result = z.object({
  bulkId: z.string().optional(),
  status: z.int(),
  headers: z.record(z.string(), z.string()).optional(),
  body: z.unknown().optional(),
  problem: problemSchema.optional(),
});
const answer = z.object({ results: z.array(result) }).meta({ id: "BulkAnswer" });

/** Many changes in one request: all or none of them, or each by itself. Every one is asked for its own permission. */
export function bulkRoutes(routes: readonly Route[]): Route[] {
  return [
    route({
      method: "post",
      path: "/bulk",
      summary: "Many changes, all or none",
      description:
        "They run in the order in which they stand, in one transaction. The first that fails undoes all; `field` says which it was.",
      tag: "Bulk",
      access: "signed-in",
      body: request,
      example: {
        operations: [
          { bulkId: "sales", method: "post", path: "/units", body: { name: "Sales", parentId: "5f0c1b86-3c1e-4c55-9d0a-2f0f6f1f7a11" } },
          { method: "post", path: "/units", body: { name: "Sales north", parentId: "bulkId:sales" } },
        ],
      },
      answer,
      idempotent: true,
      async handler(call, { body }) {
        const made = new Map<string, string>();
        const results = [];
        await lockAhead(
          call,
          body.operations.flatMap(({ method, path, body: given }) => {
            const found = matchRoute(routes, { method, path });
            return found ? [{ ...found, body: given }] : [];
          }),
        );
        for (const [index, each] of body.operations.entries()) {
          try {
            results.push(shown(each, await performed(call, { routes, operation: each, made, inOneTransaction: true })));
          } catch (error) {
            throw at(error, index);
          }
        }
        return { results };
      },
    }),
    route({
      method: "post",
      path: "/bulk/each",
      summary: "Many changes, each by itself",
      description: "One that fails doesn't stop the others; its `problem` says why.",
      tag: "Bulk",
      access: "signed-in",
      body: request,
      example: {
        operations: [
          { method: "post", path: "/people/8e0f7c52-6f0b-4f5e-8b1d-6a2e2f1c9d33/suspend", body: { reason: "Season is over" } },
          { method: "post", path: "/people/b7c1d2e3-4f50-4a61-9b72-8c93a4b5c6d7/suspend", body: { reason: "Season is over" } },
        ],
      },
      answer,
      idempotent: true,
      ownTransactions: true,
      async handler(call, { body }) {
        const made = new Map<string, string>();
        const results: z.input<typeof result>[] = [];
        for (const each of body.operations) {
          call.ctx.signal.throwIfAborted();
          try {
            results.push(shown(each, await performed(call, { routes, operation: each, made, inOneTransaction: false })));
          } catch (error) {
            const problem: ProblemDetails = problemOf(passingFailure(error) ?? error, call.ctx.correlationId);
            if (problem.code === "internal") call.ctx.log.error({ err: error }, "an operation of a bulk request failed");
            results.push({ ...(each.bulkId === undefined ? {} : { bulkId: each.bulkId }), status: problem.status, problem });
          }
        }
        return { results };
      },
    }),
  ];
}

interface Given {
  routes: readonly Route[];
  operation: Operation;
  made: Map<string, string>;
  inOneTransaction: boolean;
}

async function performed(call: ApiCall, { routes, operation: each, made, inOneTransaction }: Given): Promise<ApiAnswer> {
  const path = each.path
    .split("/")
    .map((part) => filled(part, made))
    .join("/");
  const found = matchRoute(routes, { method: each.method, path });
  if (!found) throw new AppError("not_found", `There is no ${each.method.toUpperCase()} ${each.path}.`, { field: "path" });
  const { route: wanted, params } = found;
  if (wanted.upload || wanted.sends || wanted.access === "public" || (inOneTransaction && wanted.ownTransactions))
    throw new AppError(
      "invalid",
      `${each.method.toUpperCase()} ${wanted.path} can't be part of ${inOneTransaction ? "a bulk that is all or nothing" : "a bulk"}.`,
      {
        field: "path",
      },
    );
  const done = await perform(wanted, {
    ctx: call.ctx,
    caller: call.caller,
    options: call.options,
    ...(inOneTransaction ? { sql: call.sql } : {}),
    request: { base: call.base, path, params, query: {}, body: substituted(each.body, made), ifMatch: each.ifMatch },
  });
  const id = "body" in done && typeof done.body === "object" && done.body !== null && "id" in done.body ? done.body.id : undefined;
  if (each.bulkId !== undefined && (typeof id === "string" || typeof id === "number")) made.set(each.bulkId, String(id));
  return done;
}

function filled(text: string, made: ReadonlyMap<string, string>): string {
  const name = CREATED.exec(text)?.[1];
  if (name === undefined) return text;
  const id = made.get(name);
  if (id === undefined) throw new AppError("invalid", `No operation before this one has created ${text}.`, { field: text });
  return id;
}

function substituted(value: unknown, made: ReadonlyMap<string, string>): unknown {
  if (typeof value === "string") return filled(value, made);
  if (Array.isArray(value)) return value.map((each) => substituted(each, made));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, substituted(each, made)]));
}

function shown({ bulkId }: Operation, done: ApiAnswer): z.input<typeof result> {
  const named = bulkId === undefined ? {} : { bulkId };
  if ("special" in done) throw new Error("a route that answers otherwise than with JSON was let into a bulk request");
  return { ...named, status: done.status, headers: { ...done.headers }, ...(done.body === undefined ? {} : { body: done.body }) };
}

/** The same error, which says which operation it was. */
function at(error: unknown, index: number): unknown {
  if (!(error instanceof AppError)) return error;
  const place = `operations.${index}`;
  const problems = error.problems.map(({ field, message }) => ({ field: `${place}.body.${field}`, message }));
  return new AppError(error.code, `${place}: ${error.message.replace(/[^.]$/, "$&.")} Nothing was changed.`, {
    field: place,
    problems,
    cause: error,
    ...(error.retryAfter === undefined ? {} : { retryAfter: error.retryAfter }),
  });
}
