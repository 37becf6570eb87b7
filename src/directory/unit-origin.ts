import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";

/**
 * Refuses to change here what a directory masters: it would be undone by the next sync (invariant 9). Throws `conflict` naming the
 * origin. A unit whose connection was removed, or lists it no more, is nobody's but ours.
 */
export async function refuseOriginsUnit(sql: Sql, unitId: string): Promise<void> {
  const { rows } = await sql.query<{ name: string; origin: string }>(
    `select u.name::text, c.name as origin from units u join connections c on c.id = u.origin_id where u.id = $1
       and (select coalesce(bool_or(a.gone_at is null), true) from accounts a where a.unit_id = u.id and a.connection_id = c.id)`,
    [unitId],
  );
  const [unit] = rows;
  if (unit) throw new AppError("conflict", `${unit.name} is mastered by ${unit.origin}: change it there.`, { field: "origin" });
}
