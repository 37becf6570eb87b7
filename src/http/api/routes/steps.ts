import { z } from "zod";
import { reachedPeople } from "../../../access/policy.ts";
import { relationTo } from "../../../access/relation.ts";
import { stepFacts } from "../../../provision/step-facts.ts";
import { kindFor, overall, stepsOf } from "../../../provision/steps.ts";
import { stuckSteps } from "../../../provision/stuck.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { route, type Route } from "../route.ts";
import { idParams, instant } from "../schemas.ts";

const kinds = z.enum(["onboarding", "offboarding", "change"]);

const stepSchema = z
  .object({
    what: z.enum([
      "arrival",
      "leaving",
      "plan",
      "source-account",
      "unit",
      "grant",
      "sessions",
      "tokens",
      "service-token",
      "target-account",
      "target-group",
    ]),
    target: z.string().nullable().describe("The connection, role or group that it is about, or the name of a token."),
    state: z.enum(["done", "waiting", "failed", "skipped"]),
    at: instant.nullable().describe("When it was done, or decided while it is not."),
    by: z.string().nullable().describe("Who or what did it, or has to."),
    detail: z.string(),
    error: z.string().nullable().describe("What the target answered last; only for administrators."),
    nextTry: instant.nullable(),
  })
  .meta({ id: "Step" });

const stuckSchema = z
  .object({
    person: z.object({ id: z.string(), displayName: z.string() }).nullable().describe("Null for a group at a target."),
    what: z.enum(["target-account", "target-group", "plan"]),
    target: z.string(),
    state: z.enum(["waiting", "failed"]),
    at: instant.nullable(),
    detail: z.string(),
    error: z.string().nullable(),
    nextTry: instant.nullable(),
  })
  .meta({ id: "StuckStep" });

export const stepRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/people/{id}/steps",
    summary: "What was done, is waiting or failed for one person to begin, to leave, or to change",
    description:
      "Derived at each request from accounts, plans, grants, deliveries, sessions and tokens; nothing is done while a delivery of it is outstanding.",
    tag: "Steps",
    access: { permission: "rollcall.people.view", on: { person: "id" } },
    params: idParams,
    query: z.strictObject({ kind: kinds.optional().describe("Absent: by the person's state.") }),
    answer: z
      .object({ personId: z.string(), kind: kinds, state: z.enum(["none", "done", "waiting", "failed"]), steps: z.array(stepSchema) })
      .meta({ id: "Steps" }),
    async handler(call, { params, query }) {
      const now = call.ctx.now();
      const facts = await stepFacts(call.sql, { personId: params.id, now });
      const kind = query.kind ?? kindFor(facts.state);
      const relation = await relationTo(call.sql, { reach: await call.reach("rollcall.people.view"), personId: params.id });
      const steps = stepsOf(facts, { kind, now });
      return {
        personId: params.id,
        kind,
        state: overall(steps),
        steps: relation === "administrator" ? steps : steps.map((step) => ({ ...step, error: null })),
      };
    },
  }),
  route({
    method: "get",
    path: "/steps",
    summary: "Who is stuck anywhere: steps that failed, or that are waiting",
    description:
      "Of everybody's joining and leaving in the caller's reach. `GET /people/{id}/steps` has all the steps of one person, those that are done too.",
    tag: "Steps",
    access: { permission: "rollcall.people.view", on: "anywhere" },
    query: z.strictObject({ ...pageQuery, state: z.enum(["failed", "waiting"]).default("failed") }),
    answer: pageOf(stuckSchema),
    async handler(call, { query }) {
      const { limit, cursor, state } = query;
      const reach = await call.reach("rollcall.people.view");
      const rows = await stuckSteps(call.sql, {
        state,
        limit: limit + 1,
        after: placeOf(cursor, z.tuple([z.int(), z.int(), z.int()])),
        people: (from) => reachedPeople(reach, { person: "p", from }),
        told: (from) => reachedPeople({ ...reach, self: null, teamOf: null }, { person: "p", from }),
        groups: reach.organisation,
      });
      return page(rows, { limit, place: ({ place }) => place });
    },
  }),
];
