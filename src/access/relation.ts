import type { Sql } from "../db/database.ts";
import type { Relation } from "../directory/person-edit-rights.ts";
import { reaches, type Reach } from "./policy.ts";

/** By which way a permission reaches somebody: the strongest counts. */
export async function relationTo(sql: Sql, { reach, personId }: { reach: Reach; personId: string }): Promise<Relation> {
  const thing = { personId };
  if (await reaches(sql, { reach: { ...reach, self: null, teamOf: null }, thing })) return "administrator";
  if (reach.self === personId) return "self";
  return (await reaches(sql, { reach, thing })) ? "manager" : "other";
}
