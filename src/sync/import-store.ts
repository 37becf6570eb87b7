import { z } from "zod";
import type { Condition } from "../access/policy.ts";
import type { Sql, Work } from "../db/database.ts";
import { importPurpose, open, seal, type KeyRing, type SealingKey } from "../db/envelope.ts";
import { openPersonKey, sealPersonal } from "../directory/personal.ts";
import { AppError } from "../errors.ts";
import type { PlannedRow } from "./import-plan.ts";
import { inTurns } from "./in-turns.ts";

/** How long a preview waits to be applied, and how long what an applied one changed can be looked at. */
const PREVIEW_KEPT_MS = 86_400_000;
const VALUES_KEPT_MS = 30 * 86_400_000;
const ROWS_A_STATEMENT = 2000;

export interface ImportCounts {
  create: number;
  update: number;
  unchanged: number;
  errors: number;
}

export interface StoredImport {
  id: string;
  owner: string;
  madeBy: string;
  madeAt: Date;
  state: "previewed" | "applied";
  fileHash: string;
  /** What is applied must be this. */
  hash: string;
  encoding: string;
  columns: string[];
  counts: ImportCounts;
  appliedBy: string | null;
  appliedAt: Date | null;
  reason: string | null;
  version: number;
}

const COLUMNS = `id, owner, made_by as "madeBy", made_at as "madeAt", state, file_hash as "fileHash", plan_hash as hash, encoding, columns, counts,
  applied_by as "appliedBy", applied_at as "appliedAt", reason, version`;

const changeShape = z.object({ field: z.string(), before: z.json(), after: z.json() });
const contentShape = z.object({ cells: z.array(z.string()).optional(), changes: z.array(changeShape) });

export interface ImportRow {
  line: number;
  action: string;
  personId: string | null;
  problems: { field: string; message: string }[];
  /** Null when the values are forgotten. */
  changes: z.output<typeof changeShape>[] | null;
}

export async function storeImport(
  { ctx, sql }: Work,
  {
    made,
    rows,
    cells,
    keyRing,
  }: {
    made: Omit<StoredImport, "madeAt" | "madeBy" | "state" | "appliedBy" | "appliedAt" | "reason" | "version">;
    rows: readonly PlannedRow[];
    cells: ReadonlyMap<number, readonly string[]>;
    keyRing: KeyRing;
  },
): Promise<void> {
  const { id, owner, fileHash, hash, encoding, columns, counts } = made;
  await sql.query(
    "insert into people_imports (id, owner, made_by, made_at, file_hash, plan_hash, encoding, columns, counts) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    [id, owner, ctx.actor, ctx.now(), fileHash, hash, encoding, columns, JSON.stringify(counts)],
  );
  for (let at = 0; at < rows.length; at += ROWS_A_STATEMENT)
    await sql.query(
      `insert into people_import_rows (import_id, line, action, person_id, changed, problems, content)
       select $1, line, action, person_id, array(select jsonb_array_elements_text(changed)), problems, content
       from jsonb_to_recordset($2::jsonb) as r (line int, action text, person_id uuid, changed jsonb, problems jsonb, content text)`,
      [
        id,
        JSON.stringify(
          rows.slice(at, at + ROWS_A_STATEMENT).map(({ line, action, personId, changes, problems }) => ({
            line,
            action,
            person_id: personId,
            changed: changes.map(({ field }) => field),
            problems,
            content: seal(keyRing.current, { purpose: importPurpose(id), plain: JSON.stringify({ cells: cells.get(line), changes }) }),
          })),
        ),
      ],
    );
}

/** Throws `not_found`. */
export async function readImport(sql: Sql, id: string, { lock = false } = {}): Promise<StoredImport> {
  const { rows } = await sql.query<StoredImport>(`select ${COLUMNS} from people_imports where id = $1 ${lock ? "for update" : ""}`, [id]);
  if (!rows[0]) throw missingImport();
  return rows[0];
}

export function missingImport(cause?: unknown): AppError {
  return new AppError("not_found", "There is no such import; previews are kept for a day.", { field: "import", cause });
}

/** Whom an import makes or changes. */
export async function peopleOfImport(sql: Sql, id: string): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    "select person_id as id from people_import_rows where import_id = $1 and person_id is not null and action in ('create', 'update')",
    [id],
  );
  return rows.map((row) => row.id);
}

/** The newest first; of one owner, or everybody's. */
export async function listImports(
  sql: Sql,
  { owner, after, limit }: { owner: string | null; after: readonly [string, string] | undefined; limit: number },
): Promise<StoredImport[]> {
  const { rows } = await sql.query<StoredImport>(
    `select ${COLUMNS} from people_imports where ($1::text is null or owner = $1) and ($2::timestamptz is null or (made_at, id) < ($2, $3::uuid))
     order by made_at desc, id desc limit $4`,
    [owner, after?.[0] ?? null, after?.[1] ?? null, limit],
  );
  return rows;
}

/** The file's cells by line, with the ids that were given to people who would be new. Throws `misconfigured` when the key is another. */
export async function importCells(
  sql: Sql,
  { id, keyRing }: { id: string; keyRing: KeyRing },
): Promise<{ line: number; cells: readonly string[]; personId: string | null }[]> {
  const { rows } = await sql.query<{ line: number; personId: string | null; content: string }>(
    'select line, person_id as "personId", content from people_import_rows where import_id = $1 order by line',
    [id],
  );
  return inTurns(rows, ({ line, personId, content }) => {
    const { cells = [] } = contentShape.parse(JSON.parse(open(keyRing, { purpose: importPurpose(id), sealed: content })));
    return { line, cells, personId };
  });
}

/** Rows of one import, by line; those about people out of the caller's reach are left out. `within` numbers its values on from 5. */
export async function listImportRows(
  sql: Sql,
  {
    id,
    action,
    after,
    limit,
    within,
    keyRing,
  }: { id: string; action: string | undefined; after: number; limit: number; within: Condition; keyRing: KeyRing },
): Promise<ImportRow[]> {
  const { rows } = await sql.query<{
    line: number;
    action: string;
    personId: string | null;
    problems: ImportRow["problems"];
    content: string | null;
    wrapped: string | null;
    applied: boolean;
  }>(
    `select r.line, r.action, r.person_id as "personId", r.problems, r.content, k.wrapped, i.state = 'applied' as applied
     from people_import_rows r join people_imports i on i.id = r.import_id left join person_keys k on k.person_id = r.person_id left join people p on p.id = r.person_id
     where r.import_id = $1 and ($2::text is null or r.action = $2) and r.line > $3 and (p.id is null or ${within.text}) order by r.line limit $4`,
    [id, action ?? null, after, limit, ...within.values],
  );
  return rows.map(({ content, wrapped, applied, ...row }) => ({
    ...row,
    changes: changesOf({ id, row, content, wrapped, applied, keyRing }),
  }));
}

function changesOf(given: {
  id: string;
  row: { personId: string | null };
  content: string | null;
  wrapped: string | null;
  applied: boolean;
  keyRing: KeyRing;
}) {
  const { id, row, content, wrapped, applied, keyRing } = given;
  if (content === null) return null;
  if (!applied) return contentShape.parse(JSON.parse(open(keyRing, { purpose: importPurpose(id), sealed: content }))).changes;
  if (wrapped === null || row.personId === null) return null;
  const key = openPersonKey(keyRing, { personId: row.personId, wrapped });
  return contentShape.parse(JSON.parse(open({ current: key, older: [] }, { purpose: `audit:${row.personId}`, sealed: content }))).changes;
}

/** Notes that an import was applied. What it changed is kept under each person's own key from now on, so that it goes when they do. */
export async function markApplied(
  { ctx, sql }: Work,
  { id, rows, keys, reason }: { id: string; rows: readonly PlannedRow[]; keys: ReadonlyMap<string, SealingKey>; reason: string },
): Promise<void> {
  const sealed = rows.map(({ line, personId, changes }) => {
    const key = personId === null ? undefined : keys.get(personId);
    return { line, content: key && personId !== null ? sealPersonal(key, { personId, value: { changes } }) : null };
  });
  await sql.query(
    `update people_import_rows r set content = s.content from unnest($2::int[], $3::text[]) as s (line, content) where r.import_id = $1 and r.line = s.line`,
    [id, sealed.map(({ line }) => line), sealed.map(({ content }) => content)],
  );
  await sql.query(
    "update people_imports set state = 'applied', applied_by = $2, applied_at = $3, reason = $4, version = version + 1 where id = $1",
    [id, ctx.actor, ctx.now(), reason],
  );
}

export async function deleteImport({ sql }: Work, id: string): Promise<void> {
  await sql.query("delete from people_imports where id = $1", [id]);
}

/** Forgets previews after a day, and the values of applied imports after thirty. Returns how many imports. */
export async function forgetImports({ ctx, sql }: Work): Promise<number> {
  const before = (ms: number) => new Date(ctx.now().getTime() - ms);
  const { rowCount: previews } = await sql.query("delete from people_imports where state = 'previewed' and made_at < $1", [
    before(PREVIEW_KEPT_MS),
  ]);
  const { rowCount: applied } = await sql.query(
    "update people_import_rows r set content = null from people_imports i where i.id = r.import_id and i.applied_at < $1 and r.content is not null",
    [before(VALUES_KEPT_MS)],
  );
  return (previews ?? 0) + (applied === 0 ? 0 : 1);
}
