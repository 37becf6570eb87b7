import type { Run } from "./begin.ts";

/**
 * New units of this plan under whose code the connection has brought a unit before, which it lists no more or which leaves by this very
 * plan. Of several that claim one code, the first by native id.
 */
const MADE_ANEW = `
  with claims as (
    select distinct on (code) native_id, code from (
      select native_id, (payload->'unit'->>'code')::citext as code from plan_items where plan_id = $1 and kind = 'unit' and action = 'create') c
     where code is not null order by code, native_id collate "C"),
  former as (
    select claims.native_id, u.id from claims join units u on u.code = claims.code and u.origin_id = $2
     where not exists (select from plan_items o where o.plan_id = $1 and o.kind = 'unit' and o.subject_id = u.id and o.action <> 'delete')
       and not exists (select from accounts a where a.connection_id = $2 and a.kind = 'unit' and a.unit_id = u.id and a.gone_at is null
         and not exists (select from plan_items o where o.plan_id = $1 and o.kind = 'unit' and o.native_id = a.native_id and o.action = 'delete')))
  update plan_items i set subject_id = former.id, action = 'link', reason = $3
    from former where i.plan_id = $1 and i.kind = 'unit' and i.native_id = former.native_id`;

/**
 * At the end of a read: a unit that was deleted at the source and made anew is the same unit, by its code. Made beside the former one it
 * would be refused for a code that is taken, run after run, and whoever is named into it would wait for ever.
 */
export async function settleUnitsMadeAnew({ db, planId, connection, before }: Run): Promise<void> {
  if (!before.accounts.has("unit")) return;
  await db.pool.query(MADE_ANEW, [planId, connection.id, `made anew in ${connection.name}`]);
}
