import { z } from "zod";
import { requireMayGiveByRule } from "../../../access/rule-giving.ts";
import { listRulesPage, readRule, type ListedRule } from "../../../access/rule-list.ts";
import { keepingAnAdministrator } from "../../../access/last-administrator.ts";
import type { RuleDefinition } from "../../../access/rule-input.ts";
import { createRule, deleteRule, updateRule } from "../../../access/rules.ts";
import { parseSavedRule } from "../../../access/stored-conditions.ts";
import type { Sql } from "../../../db/database.ts";
import { requireVersion } from "../entity-tag.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { madePreview, previewSchema } from "../previewing.ts";
import { route, type ApiCall, type Route } from "../route.ts";
import { idParams, instant, line, moment } from "../schemas.ts";

const ruleSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    group: z.string().nullable().describe("Display name of a group, which may arrive later; null for a rule with a condition."),
    connection: z.string().nullable().describe("Only groups that this connection masters."),
    condition: z.string().nullable().describe("CEL over `person`, boolean."),
    role: z.string().describe("The role's key."),
    unit: z.string().describe("The unit's code; it may arrive later."),
    startsAt: instant.nullable(),
    expiresAt: instant.nullable().describe("At this instant there is no access any more."),
    expiresAfterSeconds: z.int().nullable().describe("Counted from the beginning of each membership, or of the match."),
    enabled: z.boolean(),
    grants: z.int().describe("Grants by it that hold now or begin later."),
    problem: z
      .string()
      .nullable()
      .describe(
        "Why its condition can't be evaluated, as it was saved before this server refused such; null when it can. It gives nothing new then, and keeps what it gave.",
      ),
    version: z.int(),
    createdAt: instant,
    modifiedAt: instant,
  })
  .meta({ id: "Rule" });

/** What of it somebody writes; everything but name, role and unit may be null. */
export const ruleFields = z.strictObject({
  name: line(200),
  group: line(500).nullable().optional(),
  connection: line(200).nullable().optional(),
  condition: z.string().min(1).max(4000).nullable().optional(),
  role: line(100),
  unit: line(100),
  startsAt: moment.nullable().optional(),
  expiresAt: moment.nullable().optional(),
  expiresAfterSeconds: z
    .int()
    .min(1)
    .max(2 ** 31 - 1)
    .nullable()
    .optional(),
  enabled: z.boolean().optional(),
});
const ruleChange = ruleFields.omit({ name: true }).partial();

/**
 * Checked as a rule: its condition's types too. Fields are named as they were sent.
 * @param field where it stands in the body; empty where it is the body
 */
export function ruleOf(sql: Sql, input: Partial<z.output<typeof ruleFields>>, field: "" | "rule" = ""): Promise<RuleDefinition> {
  return parseSavedRule(sql, Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null && value !== undefined)), {
    field,
  });
}

function inputOf({ name, group, connection, condition, role, unit, startsAt, expiresAt, expiresAfterSeconds, enabled }: ListedRule) {
  return { name, group, connection, condition, role, unit, startsAt, expiresAt, expiresAfterSeconds, enabled };
}

const TAG = "Rules";
const VIEW = { permission: "rollcall.rules.view", on: "organisation" } as const;
const EDIT = { permission: "rollcall.rules.edit", on: "organisation" } as const;

const mayGive = (call: ApiCall, rule: { role: string; unit: string }) =>
  requireMayGiveByRule(call.sql, { caller: call.caller, rule, at: call.ctx.now() });

export const ruleRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/rules",
    summary: "Rules, by name",
    description: "With how many grants follow from each, and whether it is enabled.",
    tag: TAG,
    access: VIEW,
    query: z.strictObject({
      ...pageQuery,
      q: line(100).optional().describe("Part of the name."),
      role: line(100).optional(),
      unit: line(100).optional(),
      group: line(500).optional(),
    }),
    answer: pageOf(ruleSchema),
    async handler({ ctx, sql }, { query: { limit, cursor, q, ...filter } }) {
      const after = placeOf(cursor, z.tuple([z.string()]))?.[0];
      return page(await listRulesPage(sql, { ...filter, text: q, at: ctx.now(), limit: limit + 1, after }), {
        limit,
        place: ({ name }) => [name],
      });
    },
  }),
  route({
    method: "post",
    path: "/rules",
    locks: "rules",
    sensitive: true,
    summary: "Make a rule; carried out at once",
    description: "Needs the right to give the role on the unit. `POST /rules/preview` shows beforehand whose access would differ.",
    tag: TAG,
    access: EDIT,
    body: ruleFields,
    example: { name: "Sellers see contracts", condition: 'person.department == "Sales"', role: "register-only-viewer", unit: "SALES" },
    status: 201,
    answer: ruleSchema,
    idempotent: true,
    async handler(call, { body }) {
      const rule = await ruleOf(call.sql, body);
      await mayGive(call, rule);
      return readRule(call.sql, { id: await createRule(call, rule), at: call.ctx.now() });
    },
  }),
  route({
    method: "post",
    path: "/rules/preview",
    summary: "Whose access would differ if this rule were saved",
    description: "A rule of the same name would be replaced. Nothing is changed; `POST /previews/{id}/apply` saves exactly what was shown.",
    tag: TAG,
    access: EDIT,
    body: ruleFields,
    example: { name: "Sellers see contracts", condition: 'person.department == "Sales"', role: "register-only-viewer", unit: "SALES" },
    status: 201,
    answer: previewSchema,
    idempotent: true,
    ownTransactions: true,
    handler: async (call, { body }) => madePreview(call, { kind: "rule", rule: JSON.parse(JSON.stringify(await ruleOf(call.sql, body))) }),
  }),
  route({
    method: "get",
    path: "/rules/{id}",
    summary: "One rule",
    description: "Its condition or group, its role, unit and period; the ETag is what a change needs.",
    tag: TAG,
    access: VIEW,
    params: idParams,
    answer: ruleSchema,
    versioned: true,
    handler: ({ ctx, sql }, { params }) => readRule(sql, { id: params.id, at: ctx.now() }),
  }),
  route({
    method: "patch",
    path: "/rules/{id}",
    locks: "rules",
    sensitive: true,
    summary: "Change a rule; carried out at once",
    description:
      "Its grants are made anew; one whose condition can't be evaluated any more (`problem`) is switched off as it is. With `group: null` and a condition it becomes a rule with a condition, and the other way round.",
    tag: TAG,
    access: EDIT,
    params: idParams,
    body: ruleChange,
    example: { condition: 'person.department == "Sales" && person.title != "Trainee"' },
    answer: ruleSchema,
    versioned: true,
    async handler(call, { params: { id }, body }) {
      const { sql, ctx } = call;
      const known = await readRule(sql, { id, at: ctx.now() });
      requireVersion({ ifVersion: call.ifVersion, version: known.version, what: `The rule ${known.name}` });
      const rule = await ruleOf(sql, { ...inputOf(known), ...body });
      await mayGive(call, known);
      await mayGive(call, rule);
      await keepingAnAdministrator(call, async () => {
        await requireUnchanged(call, id);
        await updateRule(call, rule);
      });
      return readRule(sql, { id, at: ctx.now() });
    },
  }),
  route({
    method: "delete",
    path: "/rules/{id}",
    locks: "rules",
    summary: "Take a rule away, with the grants that it made",
    description:
      "Their access ends in the same transaction. Look first: `POST /previews` with `ruleRemoval` says whose. Needs the right to give what the rule gives (403); refused where the last administrator's rights hang on it (409).",
    tag: TAG,
    access: EDIT,
    params: idParams,
    status: 204,
    versioned: true,
    async handler(call, { params: { id } }) {
      const known = await readRule(call.sql, { id, at: call.ctx.now() });
      requireVersion({ ifVersion: call.ifVersion, version: known.version, what: `The rule ${known.name}` });
      await mayGive(call, known);
      await keepingAnAdministrator(call, async () => {
        await requireUnchanged(call, id);
        await deleteRule(call, { name: known.name });
      });
      return undefined;
    },
  }),
];

/** Under the lock that changes take one after the other: two of the same version are not both saved. Throws `precondition_failed`. */
async function requireUnchanged({ sql, ctx, ifVersion }: ApiCall, id: string): Promise<void> {
  const { name, version } = await readRule(sql, { id, at: ctx.now() });
  requireVersion({ ifVersion, version, what: `The rule ${name}` });
}
