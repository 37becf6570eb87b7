import { COUNTED_ACTION, TAKES_ACCESS } from "../records.ts";
import { step, type Batch } from "./source.ts";

/**
 * The audit trail of a batch, in the batch's own transaction (invariant 8). States and blocks record their own. Items name a person's
 * units whether they have changed or not: only who is among those concerned was updated by them.
 */
export async function recordTrail(batch: Batch, { concerned }: { concerned: readonly string[] }): Promise<void> {
  const { ctx } = batch.work;
  await step(batch, {
    name: "trail",
    text: `insert into audit_events (at, name, actor, subject_type, subject_id, correlation_id, reason, data, sealed)
        select $4, e.name, $5, i.kind_name, coalesce(i.subject_id::text, i.native_id), $6, i.reason,
          jsonb_strip_nulls(jsonb_build_object('connection', $7::text, 'plan', $8::bigint, 'account', i.account_id, 'changed', i.payload->'person'->'changed',
            'candidates', i.payload->'account'->'candidates', 'added', i.payload->'members'->'add', 'removed', i.payload->'members'->'remove')),
          i.sealed
        from (select *, case kind when 'user' then 'person' else kind end as kind_name from item) i
        join lateral (
          select case
            when i.kind = 'user' then case i.action
              when 'create' then 'person.joined' when 'link' then 'person.linked' when 'dispute' then 'account.disputed' when 'delete' then 'account.gone'
              else case when i.payload ? 'person' or (i.payload ? 'units' and i.subject_id = any($9::uuid[])) then 'person.updated' end end
            when i.action = 'delete' then i.kind || '.deleted'
            when i.action = 'create' then i.kind || '.created'
            else i.kind || '.updated' end as name
          union all
          select 'group.members_changed' where i.kind = 'group' and i.payload ? 'members' and (i.payload->'members'->>'add')::int + (i.payload->'members'->>'remove')::int > 0
        ) e on e.name is not null`,
    values: [ctx.now(), ctx.actor, ctx.correlationId, batch.connection.name, batch.planId ?? null, concerned],
  });
}

/**
 * Counts disables and deletes for the sliding window, those that take no person's access apart: who was out already, groups, units.
 * Accounts that are nobody's take nobody away. Plans that somebody approved are not counted.
 */
export async function countForGuards(batch: Batch): Promise<void> {
  await step(batch, {
    name: "guard_counts",
    text: `insert into guard_counts (connection_id, at, action, count)
      select $4::int, $5::timestamptz, l.counted, count(*) from item i
        cross join lateral (select ${COUNTED_ACTION} as action, case when ${TAKES_ACCESS} then ${COUNTED_ACTION} else 'rest' end as counted) l
       where l.action in ('disable', 'delete') and i.subject_id is not null group by l.counted`,
    values: [batch.connection.id, batch.work.ctx.now()],
  });
}
