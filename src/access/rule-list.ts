import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { conditionProblem } from "./stored-conditions.ts";

export interface ListedRule {
  id: string;
  name: string;
  group: string | null;
  connection: string | null;
  condition: string | null;
  role: string;
  unit: string;
  startsAt: Date | null;
  expiresAt: Date | null;
  expiresAfterSeconds: number | null;
  enabled: boolean;
  version: number;
  /** Grants that hold now or begin later. */
  grants: number;
  /** Why its condition does not compile any more: it gives nothing new then, and keeps what it gave. */
  problem: string | null;
  createdAt: Date;
  modifiedAt: Date;
}

const SELECT = `
  select r.id, r.name, r.group_name::text as "group", c.name as connection, r.condition, roles.key as role, r.unit_code::text as unit, r.starts_at as "startsAt",
    r.expires_at as "expiresAt", r.expires_after_seconds as "expiresAfterSeconds", r.enabled, r.version, r.created_at as "createdAt", r.modified_at as "modifiedAt",
    (select count(*)::int from grants g where g.rule_id = r.id and g.recorded_to is null and (g.valid_to is null or g.valid_to > $1)) as grants
  from rules r join roles on roles.id = r.role_id left join connections c on c.id = r.connection_id where r.deleted_at is null`;

export interface RuleFilter {
  text?: string | undefined;
  role?: string | undefined;
  unit?: string | undefined;
  group?: string | undefined;
}

/** Rules by name. @param after the name of the last one of the page before */
export async function listRulesPage(
  sql: Sql,
  { at, limit, after, text, role, unit, group }: RuleFilter & { at: Date; limit: number; after?: string | undefined },
): Promise<ListedRule[]> {
  const { rows } = await sql.query<Omit<ListedRule, "problem">>(
    `${SELECT} and ($3::text is null or r.name > $3) and ($4::text is null or position(lower($4) in lower(r.name)) > 0)
       and ($5::text is null or roles.key = $5) and ($6::citext is null or r.unit_code = $6) and ($7::citext is null or r.group_name = $7)
     order by r.name limit $2`,
    [at, limit, after ?? null, text ?? null, role ?? null, unit ?? null, group ?? null],
  );
  return rows.map(withProblem);
}

function withProblem(rule: Omit<ListedRule, "problem">): ListedRule {
  return { ...rule, problem: conditionProblem(rule) };
}

/** The rule of this id. Throws `not_found`. */
export async function readRule(sql: Sql, { id, at }: { id: string; at: Date }): Promise<ListedRule> {
  const { rows } = await sql.query<Omit<ListedRule, "problem">>(`${SELECT} and r.id = $2`, [at, id]);
  const [rule] = rows;
  if (!rule) throw new AppError("not_found", `There is no rule ${id}.`, { field: "rule" });
  return withProblem(rule);
}

/** Live rules, by name, of which no unit has the code that they name: they give nothing until one has. */
export async function rulesWithoutUnit(sql: Sql): Promise<{ name: string; unit: string }[]> {
  const { rows } = await sql.query<{ name: string; unit: string }>(
    `select r.name, r.unit_code::text as unit from rules r
     where r.deleted_at is null and r.enabled and not exists (select from units u where u.code = r.unit_code and u.deleted_at is null) order by r.name`,
  );
  return rows;
}
