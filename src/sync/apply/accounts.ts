import { step, type Batch } from "./source.ts";

/** Stores what was read, with its link. A human's choice of link stays a human's. Who leaves with a record of it is out of the scope, and still there. */
export async function storeAccounts(batch: Batch, { known }: { known: boolean }): Promise<void> {
  const { id, mappingVersion } = batch.connection;
  const now = batch.work.ctx.now();
  await step(batch, {
    name: "insert_accounts",
    text: `insert into accounts (connection_id, kind, native_id, reference, attributes, hash, mapping_version, mapped, situation, person_id, group_id, unit_id,
          linked_by, linked_at, candidates, source_changed_at, first_seen_at, changed_at)
        select $4, i.kind, i.native_id, i.reference, i.account_attributes::jsonb, decode(i.a->>'hash', 'hex'), $5, nullif(i.a->'mapped', 'null'), i.a->>'situation',
          case i.kind when 'user' then i.subject_id end, case i.kind when 'group' then i.subject_id end, case i.kind when 'unit' then i.subject_id end,
          i.a->>'linkedBy', case when i.subject_id is not null then $6::timestamptz end, i.a->'candidates', i.source_changed_at, $6, $6
        from (select *, payload->'account' as a from item where account_id is null and payload ? 'account' offset 0) i`,
    values: [id, mappingVersion, now],
  });
  if (!known) return;
  await step(batch, {
    name: "update_accounts",
    text: `update accounts a set
          reference = coalesce(i.reference, a.reference), attributes = i.account_attributes::jsonb, hash = decode(i.a->>'hash', 'hex'), mapping_version = $4,
          mapped = nullif(i.a->'mapped', 'null'), situation = i.a->>'situation',
          person_id = case i.kind when 'user' then i.linked_id end, group_id = case i.kind when 'group' then i.linked_id end, unit_id = case i.kind when 'unit' then i.linked_id end,
          former_person_id = case when i.linked_id is null then coalesce(a.person_id, a.former_person_id) end,
          linked_by = case when i.linked_id is null then null else coalesce(i.a->>'linkedBy', a.linked_by) end,
          linked_at = case when i.linked_id is null then null when coalesce(a.person_id, a.group_id, a.unit_id) is distinct from i.linked_id then $5 else a.linked_at end,
          candidates = i.a->'candidates', source_changed_at = coalesce(i.source_changed_at, a.source_changed_at), changed_at = $5, gone_at = null, version = a.version + 1
        from (select *, payload->'account' as a, case when action <> 'delete' then subject_id end as linked_id from item where account_id is not null and payload ? 'account' offset 0) i
        where a.id = i.account_id`,
    values: [mappingVersion, now],
  });
  await step(batch, {
    name: "leave_accounts",
    text: `update accounts a set situation = 'deleted', gone_at = $4, changed_at = $4, version = a.version + 1 from item i where a.id = i.account_id and i.action = 'delete' and not i.payload ? 'account'`,
    values: [now],
  });
}
