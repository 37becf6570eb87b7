/**
 * SQL of a manager's id, by an account of the connection that names it, or by id: a SCIM client speaks of our ids, in whichever letters
 * its own store prints them.
 */
export const managerOf = ({ reference, connection }: { reference: string; connection: string }) => `coalesce(
    (select a.person_id from (select * from accounts where connection_id = ${connection} and reference = ${reference} offset 0) a
      where a.kind = 'user' and a.gone_at is null and a.person_id is not null limit 1),
    (select p.id from people p where p.id = case when ${reference} ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then ${reference}::uuid end))`;
