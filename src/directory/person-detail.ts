import type { AttributeObject } from "../../connectors/contract.ts";
import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";
import type { Contribution } from "./attributes.ts";

export interface PersonDetail {
  id: string;
  userName: string;
  displayName: string | null;
  email: string | null;
  active: boolean;
  state: string;
  attributes: AttributeObject;
  custom: AttributeObject;
  /** What was edited here. */
  local: Contribution | null;
  /** Attribute to the name of the connection that masters it; `*` = all that are not named. */
  mastery: Readonly<Record<string, string>>;
  /** Name of the connection that masters the person; null = made here. */
  origin: string | null;
  managerId: string | null;
  manager: string | null;
  version: number;
  createdAt: Date;
  modifiedAt: Date;
}

/** Throws `not_found`, for the deleted too. */
export async function readPerson(sql: Sql, id: string): Promise<PersonDetail> {
  const { rows } = await sql.query<PersonDetail>(
    `select p.id, p.user_name::text as "userName", p.display_name as "displayName", p.email::text, p.active, p.state, p.attributes, p.custom, p.local,
       coalesce((select jsonb_object_agg(m.key, coalesce(c.name, m.value)) from jsonb_each_text(p.mastery) m left join connections c on c.id::text = m.value), '{}') as mastery,
       origin.name as origin, manager.id as "managerId", coalesce(manager.display_name, manager.user_name::text) as manager,
       p.version, p.created_at as "createdAt", p.modified_at as "modifiedAt"
     from people p left join connections origin on origin.id = p.origin_id left join people manager on manager.id = p.manager_id and manager.state <> 'deleted'
     where p.id = $1 and p.state <> 'deleted' and p.deleted_at is null`,
    [id],
  );
  const [person] = rows;
  if (!person) throw new AppError("not_found", "There is no such person.", { field: "person" });
  return person;
}
