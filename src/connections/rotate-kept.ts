import type { Sql } from "../db/database.ts";
import { IDEMPOTENT_ANSWER_PURPOSE, importPurpose, oidcPendingPurpose, open, seal, type KeyRing } from "../db/envelope.ts";
import { uploadPurpose } from "./upload-seal.ts";

const ROWS_A_STATEMENT = 1000;

/** Seals anew the cells of imports that wait to be applied; what an applied one changed is kept under people's own keys. */
export async function sealImports(sql: Sql, ring: KeyRing): Promise<number> {
  for (let count = 0; ;) {
    const { rows } = await sql.query<{ id: string; line: number; content: string }>(
      `select r.import_id as id, r.line, r.content from people_import_rows r join people_imports i on i.id = r.import_id
       where i.state = 'previewed' and not starts_with(r.content, $1) order by r.import_id, r.line limit ${ROWS_A_STATEMENT} for update of i, r`,
      [`v1.${ring.current.id}.`],
    );
    if (rows.length === 0) return count;
    const renewed = rows.map(({ id, line, content }) => ({
      id,
      line,
      content: anew(ring, { purpose: importPurpose(id), sealed: content }),
    }));
    await sql.query(
      `update people_import_rows r set content = n.content from jsonb_to_recordset($1::jsonb) as n (id uuid, line int, content text)
       where r.import_id = n.id and r.line = n.line`,
      [JSON.stringify(renewed)],
    );
    count += rows.length;
  }
}

/** Seals anew what is answered to requests that come again with their Idempotency-Key. */
export async function sealIdempotentAnswers(sql: Sql, ring: KeyRing): Promise<number> {
  for (let count = 0; ;) {
    const { rows } = await sql.query<{ caller: string; key: string; answer: string }>(
      `select caller, key, answer from idempotency_keys where answer <> '' and not starts_with(answer, $1)
       order by caller, key limit ${ROWS_A_STATEMENT} for update`,
      [`v1.${ring.current.id}.`],
    );
    if (rows.length === 0) return count;
    const renewed = rows.map(({ answer, ...row }) => ({
      ...row,
      answer: anew(ring, { purpose: IDEMPOTENT_ANSWER_PURPOSE, sealed: answer }),
    }));
    await sql.query(
      `update idempotency_keys k set answer = n.answer from jsonb_to_recordset($1::jsonb) as n (caller text, key text, answer text)
       where k.caller = n.caller and k.key = n.key`,
      [JSON.stringify(renewed)],
    );
    count += rows.length;
  }
}

/** Seals anew the keys of files that were handed in; the files themselves stay as they are. */
export async function sealUploads(sql: Sql, ring: KeyRing): Promise<number> {
  const { rows } = await sql.query<{ id: string; connectionId: number; file: string; key: string }>(
    `select id::text, connection_id as "connectionId", file, key from uploads where not starts_with(key, $1) order by id for update`,
    [`v1.${ring.current.id}.`],
  );
  for (const { id, key, ...upload } of rows)
    await sql.query("update uploads set key = $2 where id = $1", [id, anew(ring, { purpose: uploadPurpose(upload), sealed: key })]);
  return rows.length;
}

/**
 * Seals anew what sign-ins keep that are on their way to an OpenID provider: whoever comes back while keys are replaced would be told of a
 * fault of ours. One that is taken at this moment is left to whoever takes it.
 */
export async function sealSignIns(sql: Sql, ring: KeyRing): Promise<number> {
  const { rows } = await sql.query<{ id: string; sealed: string }>(
    `select id, state ->> 'oidc' as sealed from sign_ins where ended_at is null and expires_at > now() and not starts_with(state ->> 'oidc', $1)
     for update skip locked`,
    [`v1.${ring.current.id}.`],
  );
  const renewed = rows.map(({ id, sealed }) => ({ id, sealed: anew(ring, { purpose: oidcPendingPurpose(id), sealed }) }));
  await sql.query(
    `update sign_ins s set state = s.state || jsonb_build_object('oidc', n.sealed) from jsonb_to_recordset($1::jsonb) as n (id uuid, sealed text)
     where s.id = n.id`,
    [JSON.stringify(renewed)],
  );
  return rows.length;
}

function anew(ring: KeyRing, { purpose, sealed }: { purpose: string; sealed: string }): string {
  return seal(ring.current, { purpose, plain: open(ring, { purpose, sealed }) });
}
