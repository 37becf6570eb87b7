import { z } from "zod";
import { inTransaction, type Sql } from "../../../db/database.ts";
import { lockPerson } from "../../../directory/people-checks.ts";
import {
  acceptedFormat,
  encodePhoto,
  MOST_PHOTO_BYTES,
  PHOTO_SIZES,
  PHOTO_TYPES,
  REFUSED_PHOTO_TYPES,
  type PhotoSize,
} from "../../../directory/photo.ts";
import { photoHash, readPhoto, removePhoto, storePhoto, withoutPhoto } from "../../../directory/photo-store.ts";
import { AppError } from "../../../errors.ts";
import { entityTag, isKnown, requireTag } from "../entity-tag.ts";
import { route, type ApiCall, type Route } from "../route.ts";
import { idParams } from "../schemas.ts";

const TAG = "Photos";
const path = "/people/{id}/photo";
const size = z.enum(PHOTO_SIZES.map(String) as [string, ...string[]]).transform((text) => Number(text) as PhotoSize);

export const photoRoutes: readonly Route[] = [
  route({
    method: "get",
    path,
    summary: "A person's photo: a square, WebP or JPEG as Accept says",
    description:
      "Under an ETag: what has not changed since is not sent again (304). 404 for somebody without one, as for somebody out of reach. Only with a credential: there is no public address of a photo, and none in SCIM.",
    tag: TAG,
    access: { permission: "rollcall.people.view", on: { person: "id" } },
    params: idParams,
    query: z.strictObject({ size: size.default(256).describe(`Pixels of an edge: ${PHOTO_SIZES.join(", ")}.`) }),
    sends: "image/*",
    async handler(call, { params, query }) {
      const format = acceptedFormat(call.accept);
      if (format === undefined) throw new AppError("not_acceptable", "Photos come as image/webp or image/jpeg.", { field: "Accept" });
      const hash = await photoHash(call.sql, params.id);
      if (hash === undefined) throw withoutPhoto();
      const tag = entityTag(`${nameOf(hash)}-${query.size}-${format}`);
      // Asked again each time, because a permission or a photo may be gone; what is unchanged is not sent again.
      const headers = {
        ETag: tag,
        "Cache-Control": "private, no-cache",
        Vary: "Accept, Authorization",
        "X-Content-Type-Options": "nosniff",
      };
      if (isKnown(call.ifNoneMatch, tag)) return { special: "unchanged", headers };
      const bytes = await readPhoto(call.sql, { personId: params.id, size: query.size, format });
      return { special: "bytes", type: `image/${format}`, bytes, headers };
    },
  }),
  route({
    method: "put",
    path,
    summary: "Set a person's photo",
    description:
      "The body is the picture. `If-Match` with the tag of any size of the photo that was seen replaces that one only; `If-None-Match: *` sets the first one only. It is decoded, turned upright, cut to a square, encoded anew in three sizes, and kept without any of its metadata. Of an animated one the first frame counts.",
    tag: TAG,
    access: { permission: "rollcall.people.edit", on: { person: "id" } },
    params: idParams,
    upload: { types: PHOTO_TYPES, mostBytes: MOST_PHOTO_BYTES, refused: REFUSED_PHOTO_TYPES },
    ownTransactions: true,
    versioned: "own-tags",
    async handler(call, { params, body }: { params: { id: string }; body: unknown }) {
      if (!Buffer.isBuffer(body) || body.length === 0) throw new AppError("invalid", "The picture is missing.", { field: "body" });
      const photo = await encodePhoto(body);
      await inTransaction(call.options.db, call.ctx, async (work) => {
        await requirePhotoAsSeen(work.sql, { personId: params.id, call });
        await storePhoto(work, { personId: params.id, photo });
      });
      return undefined;
    },
  }),
  route({
    method: "delete",
    path,
    summary: "Take a person's photo away",
    description: "All its sizes go at once, if it is the one that `If-Match` names. 404 when there is none.",
    tag: TAG,
    access: { permission: "rollcall.people.edit", on: { person: "id" } },
    params: idParams,
    versioned: "own-tags",
    async handler(call, { params }) {
      await requirePhotoAsSeen(call.sql, { personId: params.id, call });
      await removePhoto(call, params.id);
      return undefined;
    },
  }),
];

/** A photo's name in its tags, whatever the size. */
const nameOf = (hash: string) => hash.slice(0, 32);

/** Refuses to replace or remove another photo than the one that was seen (RFC 9110 section 13.1). Throws `precondition_failed`. */
async function requirePhotoAsSeen(
  sql: Sql,
  { personId, call: { ifMatch, ifNoneMatch } }: { personId: string; call: Pick<ApiCall, "ifMatch" | "ifNoneMatch"> },
): Promise<void> {
  if (ifMatch === undefined && ifNoneMatch === undefined) return;
  await lockPerson(sql, personId);
  const hash = await photoHash(sql, personId);
  const isTag = (tag: string) => hash !== undefined && tag.startsWith(`"${nameOf(hash)}-`);
  requireTag({ ifMatch, isTag: hash === undefined ? undefined : isTag, what: "The photo" });
  if (hash !== undefined && ifNoneMatch?.split(",").some((tag) => tag.trim() === "*" || isTag(tag.trim())))
    throw new AppError("precondition_failed", "There is a photo already, which If-None-Match leaves as it is.", { field: "If-None-Match" });
}
