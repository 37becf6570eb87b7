import type { AttributeObject } from "../../connectors/contract.ts";
import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";

export interface FoundPerson {
  id: string;
  userName: string;
  email: string | null;
  employeeNumber: string | null;
  externalId: string | null;
  displayName: string | null;
  active: boolean;
  state: string;
  attributes: AttributeObject;
  custom: AttributeObject;
  /** Attribute to the name of the connection that masters it. */
  mastery: Readonly<Record<string, string>>;
  /** Name of the connection that masters the person; null = local. */
  origin: string | null;
  manager: string | null;
  version: number;
  createdAt: Date;
  modifiedAt: Date;
}

const FIND = `
  select p.id, p.user_name as "userName", p.email, p.employee_number as "employeeNumber", p.external_id as "externalId", p.display_name as "displayName",
    p.active, p.state, p.attributes, p.custom, origin.name as origin, coalesce(manager.display_name, manager.user_name::text) as manager,
    p.version, p.created_at as "createdAt", p.modified_at as "modifiedAt",
    coalesce((select jsonb_object_agg(m.key, coalesce(c.name, m.value)) from jsonb_each_text(p.mastery) m left join connections c on c.id::text = m.value), '{}') as mastery
  from people p
  left join connections origin on origin.id = p.origin_id
  left join people manager on manager.id = p.manager_id
  where`;

// The first way that finds somebody counts. Each has its index.
const WAYS = [
  "p.id::text = lower($1) and p.id = (case when $1 ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then $1 end)::uuid",
  "lower(p.user_name::text) = lower($1::text) and p.state <> 'deleted'",
  "lower(p.email::text) = lower($1::text) and p.state <> 'deleted'",
  "p.employee_number = $1 and p.state <> 'deleted'",
  "p.external_id = $1 and p.state <> 'deleted'",
];

/** A person by id, user name, e-mail, employee number or external id. Throws `not_found`, or `conflict` when several share the key. */
export async function findPerson(sql: Sql, key: string): Promise<FoundPerson> {
  for (const way of WAYS) {
    const { rows } = await sql.query<FoundPerson>(`${FIND} ${way} limit 2`, [key]);
    if (rows.length > 1)
      throw new AppError("conflict", `More than one person is known as ${key}; use the user name or the id.`, { field: "person" });
    if (rows[0]) return rows[0];
  }
  throw new AppError("not_found", `There is no person with the id, user name, e-mail or employee number ${key}.`, { field: "person" });
}
