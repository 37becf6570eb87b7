import { z } from "zod";
import { reachedPeople } from "../../../access/policy.ts";
import { applyPreview } from "../../../access/preview-apply.ts";
import { findPreview, listPreviewItems, takePreview } from "../../../access/preview-store.ts";
import { members } from "../group-members.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { madePreview, previewSchema, requireMayChange, shownPreview } from "../previewing.ts";
import { route, type ApiCall, type Route } from "../route.ts";
import { idParams, line, moment, reason, uuid } from "../schemas.ts";
import { makerOf } from "../trying-out.ts";
import { ruleFields, ruleOf } from "./rules.ts";

const key = line(200);
const at = moment.optional().describe("Compare access at this instant, now or later; when absent, now, or when the rule begins.");

const wanted = z
  .discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("rule"), rule: ruleFields, at }),
    z.strictObject({ kind: z.literal("ruleRemoval"), name: key, at }),
    z.strictObject({
      kind: z.literal("role"),
      key,
      permissions: z.array(key).max(5000).optional(),
      inherits: z.array(key).max(100).optional(),
      at,
    }),
    z.strictObject({ kind: z.literal("mapping"), connection: key, mapping: z.record(z.string(), z.json()), at }),
    z.strictObject({ kind: z.literal("unitMove"), unitId: uuid, parentId: uuid.nullable(), at }),
    z.strictObject({ kind: z.literal("roleRemoval"), key, reason }),
    z.strictObject({ kind: z.literal("unitMerge"), unitId: uuid, into: uuid, reason }),
    z.strictObject({ kind: z.literal("groupMembers"), groupId: uuid, add: members, remove: members, reason: reason.optional() }),
  ])
  .meta({
    description:
      "A rule as it would be saved, a rule that would be taken away, what a role would hold, where a unit would stand, or how a connection would be mapped; a role that would be deleted with its grants, a unit that would be merged into another, or who would come into a group and leave it, all of these as of now.",
  });

const item = z.object({
  personId: z.string(),
  userName: z.string(),
  unitId: z.string(),
  permission: z.string(),
  change: z.enum(["gained", "lost"]),
});

const owned = (call: ApiCall, id: string) => findPreview(call.sql, { id, owner: call.caller.credential, now: call.ctx.now() });

export const previewRoutes: readonly Route[] = [
  route({
    method: "post",
    path: "/previews",
    summary: "Whose access would differ if this were saved",
    description:
      "The difference in effective (person, unit, permission), counted; `GET /previews/{id}/differences` lists it. Needs the permission for the change itself. Nothing is changed.",
    tag: "Previews",
    access: { permission: "rollcall.access.view", on: "anywhere" },
    body: wanted,
    example: { kind: "role", key: "key-keeper", permissions: ["register.keys.view"] },
    status: 201,
    answer: previewSchema,
    idempotent: true,
    ownTransactions: true,
    async handler(call, { body }) {
      const { at: instant, ...change } = { at: undefined, ...body };
      if (change.kind !== "rule") return madePreview(call, change, instant);
      return madePreview(call, { kind: "rule", rule: JSON.parse(JSON.stringify(await ruleOf(call.sql, change.rule, "rule"))) }, instant);
    },
  }),
  route({
    method: "get",
    path: "/previews/{id}",
    summary: "A preview that one has made, for an hour",
    description:
      "Somebody else's is not there (404), and one's own only with the credential that made it. After an hour it is gone; saving one that is stale is refused (412).",
    tag: "Previews",
    access: "signed-in",
    params: idParams,
    answer: previewSchema,
    handler: async (call, { params }) => shownPreview(call.sql, await owned(call, params.id)),
  }),
  route({
    method: "get",
    path: "/previews/{id}/differences",
    summary: "Who would gain or lose which permission on which unit",
    description: "People whose access the caller may not see are counted in the preview and not listed here; a page may be shorter for it.",
    tag: "Previews",
    access: "signed-in",
    params: idParams,
    query: z.strictObject({
      ...pageQuery,
      permission: key.optional(),
      unit: uuid.optional(),
      person: uuid.optional(),
      change: z.enum(["gained", "lost"]).optional(),
    }),
    answer: pageOf(item),
    async handler(call, { params, query: { limit, cursor, unit, person, ...filter } }) {
      const preview = await owned(call, params.id);
      const after = placeOf(cursor, z.tuple([z.int(), z.int()]));
      const rows = await listPreviewItems(call.sql, { preview, limit: limit + 1, after, unitId: unit, personId: person, ...filter });
      const { items, next } = page(rows, { limit, place: ({ place }) => place });
      const names = await namesInReach(
        call,
        items.map(({ personId }) => personId),
      );
      return {
        items: items
          .flatMap((each) => ({ userName: names.get(each.personId) ?? "", ...each }))
          .filter(({ personId }) => names.has(personId)),
        next,
      };
    },
  }),
  route({
    method: "post",
    path: "/previews/{id}/apply",
    locks: "rules",
    sensitive: true,
    summary: "Save exactly what was shown",
    description:
      "The difference is computed anew in the transaction that saves: when the change would affect other access by now, it is refused (412).",
    tag: "Previews",
    access: "signed-in",
    params: idParams,
    status: 204,
    async handler(call, { params }) {
      const preview = await owned(call, params.id);
      await requireMayChange(call, preview.change);
      await takePreview(call.sql, preview.id);
      await applyPreview(call, { ...preview, make: makerOf(call, preview.change) });
      return undefined;
    },
  }),
];

async function namesInReach(call: ApiCall, personIds: readonly string[]): Promise<Map<string, string>> {
  const within = reachedPeople(await call.reach("rollcall.access.view"), { person: "p", from: 2 });
  const { rows } = await call.sql.query<{ id: string; userName: string }>(
    `select p.id, p.user_name::text as "userName" from people p where p.id = any($1::uuid[]) and ${within.text}`,
    [[...new Set(personIds)], ...within.values],
  );
  return new Map(rows.map(({ id, userName }) => [id, userName]));
}
