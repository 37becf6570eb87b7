import type { Request } from "express";
import type { Sql } from "../../db/database.ts";
import type { Call } from "./call.ts";
import { viewOf } from "./call-view.ts";
import { isMatch } from "./preconditions.ts";
import { notNeeded, type Projection } from "./projection.ts";
import type { Found } from "./read.ts";
import type { ResourceType } from "./resource-type.ts";
import { parameters } from "./view.ts";

/** Whether the client names this very version as the one that it holds. */
export function isNamed(request: Request, { version }: Found): boolean {
  const ifNoneMatch = request.method === "GET" || request.method === "HEAD" ? request.get("If-None-Match") : undefined;
  return ifNoneMatch !== undefined && isMatch(ifNoneMatch, version);
}

/**
 * Whether what was sent under a resource's version is what would be sent now. A user's groups change without the user: who joined or
 * left since the version began is sent in full, since a copy that says otherwise would stay where it is kept. What access follows from
 * changes with time alone.
 */
export async function isStill(
  sql: Sql,
  { type, call, id, projection }: { type: ResourceType; call: Call; id: string; projection: Projection | undefined },
): Promise<boolean> {
  const given = parameters();
  const view = viewOf(call, { type, parameters: given });
  const without = notNeeded(projection, view);
  if ([...(view.onRequest ?? [])].some(([path]) => !without.has(path)) && type.kind === "user") return false;
  if (!view.drifts || without.has(view.drifts.path)) return true;
  const { rows } = await sql.query<{ drifted: boolean }>(
    `select ${view.drifts.since} as drifted from ${view.table} ${view.joins} where ${view.id} = ${given.add(id)}::uuid and ${view.visible}`,
    given.values,
  );
  return rows[0]?.drifted === false;
}
