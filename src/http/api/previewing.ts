import { z } from "zod";
import { isTried, type PreviewChange } from "../../access/preview-change.ts";
import { keepPreview, type StoredPreview } from "../../access/preview-store.ts";
import { computePreview, type ComputedPreview } from "../../access/preview.ts";
import { rulesAskForRoles } from "../../access/rules-on-roles.ts";
import { requireMayGiveByRule } from "../../access/rule-giving.ts";
import { mappingSchema, type Mapping } from "../../connections/definition.ts";
import { inTransaction, type Sql } from "../../db/database.ts";
import { inReadSnapshot } from "../../db/read-snapshot.ts";
import { findUnit } from "../../directory/units.ts";
import { AppError } from "../../errors.ts";
import { LEFT_OUT, leftOutOf, type LeftOut } from "../../sync/preview-coverage.ts";
import { previewMapping } from "../../sync/preview-mapping.ts";
import type { ApiCall } from "./route.ts";
import { instant } from "./schemas.ts";
import { tried } from "./trying-out.ts";
import { requireMayMove } from "./unit-moving.ts";

const counted = { gained: z.int(), lost: z.int() };

/** What a change would do, in numbers (B3). */
export const previewSchema = z
  .object({
    id: z.string(),
    kind: z.enum(["rule", "ruleRemoval", "role", "roleRemoval", "unitMove", "unitMerge", "groupMembers", "mapping"]),
    at: instant.describe("The instant for which access was compared."),
    createdAt: instant,
    expiresAt: instant.describe("Until then it can be looked at and saved."),
    people: z.int().describe("Whose access differs."),
    peopleWhoGain: z.int(),
    peopleWhoLose: z.int(),
    units: z.int().describe("On how many units."),
    ...counted,
    byPermission: z.array(z.object({ permission: z.string(), ...counted })),
    byUnit: z
      .array(z.object({ unitId: z.string(), name: z.string(), code: z.string().nullable(), ...counted }))
      .describe("The 200 most concerned."),
    leavesOut: z
      .array(z.enum([...LEFT_OUT, "rulesOnRoles"]))
      .describe(
        "`rulesOnRoles`: some rule asks for roles, and follows a moment after it is saved. Else what a mapping would change besides, and what is not counted here because it follows from the next reading: accounts that nobody is linked to, of whom comes back into the scope, too (`newcomers`), groups and who leaves them with the scope, units themselves, dates of `employment`. The plan of the next run shows it, and `planOnly` has it wait for approval. Empty: the difference is whole.",
      ),
  })
  .meta({ id: "Preview", description: "Counts are of (person, unit, permission)." });

/** Who may make a change may see what it does. Throws as the change itself would. */
export async function requireMayChange(call: ApiCall, change: PreviewChange): Promise<void> {
  const { sql, caller, ctx } = call;
  switch (change.kind) {
    case "rule":
    case "ruleRemoval": {
      await call.require("rollcall.rules.edit", { organisation: true });
      const name = change.kind === "rule" ? String(change.rule["name"]) : change.name;
      const { rows } = await sql.query<{ role: string; unit: string }>(
        "select roles.key as role, r.unit_code::text as unit from rules r join roles on roles.id = r.role_id where r.name = $1 and r.deleted_at is null",
        [name],
      );
      if (change.kind === "ruleRemoval" && !rows[0]) throw new AppError("not_found", `There is no rule named ${name}.`, { field: "name" });
      const wanted = change.kind === "rule" ? [{ role: String(change.rule["role"]), unit: String(change.rule["unit"]) }] : [];
      for (const rule of [...rows, ...wanted]) await requireMayGiveByRule(sql, { caller, rule, at: ctx.now() });
      return;
    }
    case "mapping":
      await call.require("rollcall.connections.edit", { organisation: true });
      return;
    case "role":
    case "roleRemoval":
      await call.require("rollcall.roles.edit", { organisation: true });
      return;
    case "groupMembers":
      await call.require("rollcall.groups.edit", { organisation: true });
      return;
    case "unitMerge":
      await call.require("rollcall.units.edit", { unitId: change.unitId });
      return;
    case "unitMove":
      await call.require("rollcall.units.edit", { unitId: change.unitId });
      await requireMayMove(call, { unit: await findUnit(sql, change.unitId), parentId: change.parentId });
  }
}

/** Computes a preview from one state of the database, and keeps it. */
export async function madePreview(call: ApiCall, change: PreviewChange, at?: Date): Promise<z.input<typeof previewSchema>> {
  const { ctx, options, caller } = call;
  await requireMayChange(call, change);
  const moment = later(at, beginningOf(change, ctx.now()));
  const computed = await options.previewTurns.take(() => computedFor(call, { change, moment }));
  const kept = await inTransaction(options.db, ctx, (work) => keepPreview(work, { owner: caller.credential, change, computed }));
  return shownPreview(call.sql, kept);
}

function computedFor(call: ApiCall, { change, moment }: { change: PreviewChange; moment: Date }): Promise<ComputedPreview> {
  const { ctx, options } = call;
  if (isTried(change)) return tried(call, { change, at: ctx.now() });
  return inReadSnapshot(options.db, ctx, (work) =>
    change.kind === "mapping" ? previewMapping(work, { ...change, at: moment }) : computePreview(work, { change, at: moment }),
  );
}

/** What was so can't be changed: an instant that is past is asked for now. */
function later(at: Date | undefined, than: Date): Date {
  return at !== undefined && at > than ? at : than;
}

/** A rule that begins later does nothing before. */
function beginningOf(change: PreviewChange, now: Date): Date {
  const starts = change.kind === "rule" && typeof change.rule["startsAt"] === "string" ? new Date(change.rule["startsAt"]) : now;
  return starts > now ? starts : now;
}

export async function shownPreview(
  sql: Sql,
  { id, change, at, createdAt, expiresAt, summary }: StoredPreview,
): Promise<z.input<typeof previewSchema>> {
  const { byUnit, ...counts } = summary;
  const { rows } = await sql.query<{ id: string; name: string; code: string | null }>(
    "select id, name::text as name, code::text as code from units where id = any($1::uuid[])",
    [byUnit.map(({ unitId }) => unitId)],
  );
  const named = new Map(rows.map((unit) => [unit.id, unit]));
  const units = byUnit.map((each) => ({
    ...each,
    name: named.get(each.unitId)?.name ?? each.unitId,
    code: named.get(each.unitId)?.code ?? null,
  }));
  return { id, kind: change.kind, at, createdAt, expiresAt, ...counts, byUnit: units, leavesOut: await leftOut(sql, change) };
}

/** What follows a moment later, for all who change what rules make of grants; and what of a mapping the next reading shows. */
async function leftOut(sql: Sql, change: PreviewChange): Promise<(LeftOut | "rulesOnRoles")[]> {
  const after = GIVES_ROLES.has(change.kind) && (await rulesAskForRoles(sql)) ? (["rulesOnRoles"] as const) : [];
  return [...(await leftOutOfMapping(sql, change)), ...after];
}

const GIVES_ROLES: ReadonlySet<PreviewChange["kind"]> = new Set<PreviewChange["kind"]>(["rule", "ruleRemoval", "roleRemoval", "mapping"]);

async function leftOutOfMapping(sql: Sql, change: PreviewChange): Promise<LeftOut[]> {
  const wanted = change.kind === "mapping" ? mappingSchema.safeParse(change.mapping) : undefined;
  if (change.kind !== "mapping" || !wanted?.success) return [];
  const { rows } = await sql.query<{ mapping: Mapping | null }>("select mapping from connections where name = $1", [change.connection]);
  return leftOutOf(rows[0]?.mapping ?? null, wanted.data);
}
