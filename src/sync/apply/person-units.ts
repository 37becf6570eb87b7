import { closePeriods } from "../../directory/periods.ts";
import { step, type Batch } from "./source.ts";

/** Units by reference within the connection, or by code; looked up once, however many of the batch are in them. */
const WANTED = `
  named as materialized (
    select i.subject_id as person_id, i.native_id, jsonb_array_elements_text(i.payload->'units') as reference from item i
     where i.payload ? 'units' and i.subject_id is not null),
  found as materialized (
    select reference, coalesce(
        (select a.unit_id from accounts a where a.connection_id = $4 and a.reference = named_once.reference and a.kind = 'unit' and a.gone_at is null limit 1),
        (select u.id from units u where u.code = named_once.reference::citext and u.deleted_at is null)) as unit_id
      from (select distinct reference from named) named_once),
  wanted as materialized (select named.*, found.unit_id from named join found using (reference))`;

/** Puts people into the units that this connection names, and takes them out of those that it no longer names. Returns whose units changed. */
export async function storePersonUnits(batch: Batch, { known }: { known: boolean }): Promise<string[]> {
  const left = known ? await leaveUnits(batch) : [];
  const joined = await step<{ person_id: string }>(batch, {
    name: "units_joined",
    // Who waits is an account that is there: of one that leaves, another of the person's.
    text: `, ${WANTED},
      waiting as (insert into pending_references (connection_id, kind, account_id, reference, since)
        select $4::int, 'unit', a.id, w.reference, $5::timestamptz from (select * from wanted where unit_id is null offset 0) w
          cross join lateral (select id from (select * from accounts where person_id = w.person_id offset 0) every
            where connection_id = $4 and kind = 'user' and gone_at is null order by native_id <> w.native_id, id limit 1) a
        on conflict do nothing)
      insert into person_units (person_id, unit_id, connection_id, valid_from, recorded_from)
      select w.person_id, w.unit_id, $4::int, $5::timestamptz, $5::timestamptz from wanted w where w.unit_id is not null
      on conflict do nothing returning person_id`,
    values: [batch.connection.id, batch.work.ctx.now()],
  });
  return [...left, ...joined.map((row) => row.person_id)];
}

async function leaveUnits(batch: Batch): Promise<string[]> {
  const left = await step<{ id: number; person_id: string }>(batch, {
    name: "units_left",
    text: `, ${WANTED}
      select m.id, m.person_id from item i join person_units m on m.person_id = i.subject_id and m.connection_id = $4 and m.recorded_to is null and m.valid_to is null
       where (i.payload ? 'units' and not exists (select from wanted w where w.person_id = m.person_id and w.unit_id = m.unit_id))
          or (i.action = 'delete' and not i.payload ? 'units')`,
    values: [batch.connection.id],
  });
  await closePeriods(batch.work.sql, { table: "person_units", ids: left.map((row) => row.id), at: batch.work.ctx.now() });
  await step(batch, {
    name: "units_forget",
    // Whichever of the person's accounts waits: an item names the units of all that this connection has.
    text: `delete from pending_references w using item i cross join lateral (
          select i.account_id as id union select a.id from (select * from accounts where person_id = i.subject_id offset 0) a where a.connection_id = $4) a
        where (i.payload ? 'units' or i.action = 'delete') and w.account_id = a.id and w.kind = 'unit'`,
    values: [batch.connection.id],
  });
  return left.map((row) => row.person_id);
}
