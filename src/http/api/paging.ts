import { z } from "zod";
import { AppError } from "../../errors.ts";

export const MOST_PER_PAGE = 200;

/** `limit` and `cursor` of every list. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(MOST_PER_PAGE).default(50).describe(`How many, at most ${MOST_PER_PAGE}.`),
  cursor: z.string().max(2000).optional().describe("`next` of the page before."),
};

/** A page of a list: `next` is null on the last one. */
export function pageOf<S extends z.ZodType>(item: S) {
  return z.object({ items: z.array(item), next: z.string().nullable() });
}

/** Where the next page begins, as an opaque text: the sort values of the last item. */
export function cursorOf(place: readonly (string | number | null)[]): string {
  return Buffer.from(JSON.stringify(place)).toString("base64url");
}

/** Reads a cursor of ours; the schema says which values the list sorts by. Throws `invalid`. */
export function placeOf<S extends z.ZodType>(cursor: string | undefined, schema: S): z.output<S> | undefined {
  if (cursor === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(Buffer.from(cursor, "base64url").toString("utf8")));
  } catch {
    throw new AppError("invalid", "The cursor is none of this list: begin again without one.", { field: "cursor" });
  }
}

/** Cuts the one row too many that tells whether there is a next page. */
export function page<R>(
  rows: readonly R[],
  { limit, place }: { limit: number; place: (last: R) => readonly (string | number | null)[] },
): { items: R[]; next: string | null } {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, next: rows.length > limit && last !== undefined ? cursorOf(place(last)) : null };
}
