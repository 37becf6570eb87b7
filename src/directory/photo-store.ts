import { recordEvent } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { lockPerson } from "./people-checks.ts";
import type { EncodedPhoto, PhotoFormat, PhotoSize } from "./photo.ts";

/** Sets somebody's photo, in the caller's transaction; the one before is gone. The same one again changes nothing. Throws `not_found`. */
export async function storePhoto(work: Work, { personId, photo }: { personId: string; photo: EncodedPhoto }): Promise<void> {
  const { ctx, sql } = work;
  await lockPerson(sql, personId);
  if ((await photoHash(sql, personId)) === photo.hash) return;
  await sql.query("delete from person_photos where person_id = $1", [personId]);
  for (const { size, format, bytes } of photo.renditions)
    await sql.query("insert into person_photos (person_id, size, format, hash, bytes, set_at) values ($1, $2, $3, $4, $5, $6)", [
      personId,
      size,
      format,
      photo.hash,
      bytes,
      ctx.now(),
    ]);
  await recordEvent(work, { name: "person.photo_set", subjectType: "person", subjectId: personId, data: {} });
}

/** Takes somebody's photo away, in the caller's transaction. Throws `not_found` for a person without one, too. */
export async function removePhoto(work: Work, personId: string): Promise<void> {
  await lockPerson(work.sql, personId);
  const { rowCount } = await work.sql.query("delete from person_photos where person_id = $1", [personId]);
  if (!rowCount) throw withoutPhoto();
  await recordEvent(work, { name: "person.photo_removed", subjectType: "person", subjectId: personId, data: {} });
}

/** Names the photo that somebody has; undefined = none. */
export async function photoHash(sql: Sql, personId: string): Promise<string | undefined> {
  const { rows } = await sql.query<{ hash: string }>("select hash from person_photos where person_id = $1 limit 1", [personId]);
  return rows[0]?.hash;
}

/** The photo's bytes in one size and format. Throws `not_found`. */
export async function readPhoto(
  sql: Sql,
  { personId, size, format }: { personId: string; size: PhotoSize; format: PhotoFormat },
): Promise<Buffer> {
  const { rows } = await sql.query<{ bytes: Buffer }>(
    "select bytes from person_photos where person_id = $1 and size = $2 and format = $3",
    [personId, size, format],
  );
  if (!rows[0]) throw withoutPhoto();
  return rows[0].bytes;
}

export function withoutPhoto(): AppError {
  return new AppError("not_found", "This person has no photo.", { field: "photo" });
}
