import { randomUUID } from "node:crypto";
import type { Sql, Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { OUT_OF_REACH } from "./policy.ts";
import { previewChange, type PreviewChange } from "./preview-change.ts";
import type { PreviewPart } from "./preview-difference.ts";
import { itemsOf, type PreviewFilter, type PreviewItem } from "./preview-items.ts";
import type { PreviewSummary } from "./preview-summary.ts";
import type { ComputedPreview } from "./preview.ts";

/** How long a preview can be looked at and saved. */
const KEPT_MS = 3_600_000;

export interface StoredPreview {
  id: string;
  change: PreviewChange;
  summary: PreviewSummary;
  at: Date;
  createdAt: Date;
  expiresAt: Date;
  hash: Buffer;
}

/** Keeps a preview for an hour. @param owner names the credential that may look at it */
export async function keepPreview(
  { ctx, sql }: Work,
  { owner, change, computed }: { owner: string; change: PreviewChange; computed: ComputedPreview },
): Promise<StoredPreview> {
  const [id, now] = [randomUUID(), ctx.now()];
  const kept = {
    id,
    change,
    summary: computed.summary,
    at: computed.at,
    createdAt: now,
    expiresAt: new Date(now.getTime() + KEPT_MS),
    hash: computed.hash,
  };
  await sql.query(
    "insert into access_previews (id, owner, change, hash, summary, units, at, created_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    [id, owner, JSON.stringify(change), kept.hash, JSON.stringify(kept.summary), computed.units, kept.at, now, kept.expiresAt],
  );
  await sql.query(
    `insert into access_preview_parts (preview_id, seq, people, difference)
     select $1, seq, array(select jsonb_array_elements_text(part -> 'people')::uuid), part -> 'difference' from jsonb_array_elements($2::jsonb) with ordinality as p (part, seq)`,
    [id, JSON.stringify(computed.parts)],
  );
  return kept;
}

/** A preview that is still kept. Throws `not_found`, for somebody else's too. */
export async function findPreview(
  sql: Sql,
  { id, owner, now }: { id: string; owner: string; now: Date },
): Promise<StoredPreview & { units: string[] }> {
  const { rows } = await sql.query<StoredPreview & { units: string[]; own: boolean }>(
    'select id, change, summary, at, created_at as "createdAt", expires_at as "expiresAt", hash, units::text[] as units, owner = $2 as own from access_previews where id = $1 and expires_at > $3',
    [id, owner, now],
  );
  const [row] = rows;
  if (!row?.own) throw missingPreview(row && OUT_OF_REACH);
  const { own: _own, ...preview } = row;
  return { ...preview, change: previewChange.parse(row.change) };
}

/** Takes a preview away in the transaction that saves it: of those who save it at the same time, one does. Throws `not_found` for the others. */
export async function takePreview(sql: Sql, id: string): Promise<void> {
  const { rowCount } = await sql.query("delete from access_previews where id = $1", [id]);
  if (rowCount !== 1) throw missingPreview(undefined);
}

function missingPreview(cause: unknown): AppError {
  return new AppError("not_found", "There is no such preview, or it is over: look at the change anew.", { field: "preview", cause });
}

/** Where a page of items ended: the part, and how many of it were listed. */
export type PreviewPlace = readonly [seq: number, listed: number];

const PARTS = `
  select seq, case when $4::uuid is null then people else array[$4] end::text[] as people, difference from access_preview_parts
  where preview_id = $1 and seq >= $2 and ($4::uuid is null or $4 = any(people)) order by seq limit $3`;

const PARTS_AT_ONCE = 50;

/** Some (person, unit, permission) of a preview, each with the place after which the next one stands. */
export async function listPreviewItems(
  sql: Sql,
  {
    preview,
    limit,
    after = [0, 0],
    ...filter
  }: PreviewFilter & { preview: { id: string; units: readonly string[] }; limit: number; after?: PreviewPlace | undefined },
): Promise<(PreviewItem & { place: PreviewPlace })[]> {
  const items: (PreviewItem & { place: PreviewPlace })[] = [];
  for (let from = after[0]; items.length < limit;) {
    const { rows } = await sql.query<PreviewPart & { seq: number }>(PARTS, [preview.id, from, PARTS_AT_ONCE, filter.personId ?? null]);
    for (const part of rows) {
      const listed = part.seq === after[0] ? after[1] : 0;
      const some = itemsOf(part, { ...filter, units: preview.units, from: listed, most: limit - items.length });
      items.push(...some.map((item, index) => ({ ...item, place: [part.seq, listed + index + 1] as const })));
    }
    const last = rows.at(-1);
    if (!last || rows.length < PARTS_AT_ONCE) break;
    from = last.seq + 1;
  }
  return items;
}

/** Forgets previews whose time is over. Returns how many. */
export async function forgetPreviews({ ctx, sql }: Work): Promise<number> {
  return (await sql.query("delete from access_previews where expires_at <= $1", [ctx.now()])).rowCount ?? 0;
}
