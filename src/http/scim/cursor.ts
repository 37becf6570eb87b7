import { createHash } from "node:crypto";
import { z } from "zod";
import { open, seal, type KeyRing } from "../../db/envelope.ts";
import { AppError } from "../../errors.ts";

/** How long a cursor is good for, in seconds; told in ServiceProviderConfig. */
export const CURSOR_TIMEOUT = 3600;

/** Where a page ends (RFC 9865): after the last resource of the page before, or before the first one of the page after. */
export interface Position {
  direction: "after" | "before";
  /** The sort key's value as text; null for a resource without one, and when there is no sort. */
  key: string | null;
  id: string;
}

const form = z.strictObject({
  d: z.enum(["after", "before"]),
  k: z.string().nullable(),
  i: z.uuid(),
  /** The list that it is a place in. */
  l: z.string(),
  /** When it was made, in milliseconds. */
  t: z.number().int(),
});

export interface CursorContext {
  keyRing: KeyRing;
  connectionId: number;
  /** What was asked for: the type, the filter, the order. A cursor is a place in that list and in no other. */
  list: string;
  now: Date;
}

/** A cursor as the client gets it: sealed, so that it can be neither read nor made by anybody else. */
export function sealCursor({ direction, key, id }: Position, { keyRing, connectionId, list, now }: CursorContext): string {
  const plain = JSON.stringify({ d: direction, k: key, i: id, l: fingerprint(list), t: now.getTime() } satisfies z.input<typeof form>);
  return seal(keyRing.current, { purpose: purpose(connectionId), plain });
}

/** Throws `invalid` with scimType invalidCursor for what is no cursor of this list, expiredCursor for one that is too old. */
export function openCursor(cursor: string, { keyRing, connectionId, list, now }: CursorContext): Position {
  const { d, k, i, l, t } = opened(cursor, { keyRing, connectionId });
  if (l !== fingerprint(list)) throw refused("it belongs to a list with another filter or order");
  if (t + CURSOR_TIMEOUT * 1000 < now.getTime())
    throw new AppError("invalid", `cursor: has expired after ${CURSOR_TIMEOUT} seconds. Begin the list anew.`, {
      field: "cursor",
      scimType: "expiredCursor",
    });
  return { direction: d, key: k, id: i };
}

function opened(cursor: string, { keyRing, connectionId }: Pick<CursorContext, "keyRing" | "connectionId">): z.output<typeof form> {
  try {
    return form.parse(JSON.parse(open(keyRing, { purpose: purpose(connectionId), sealed: cursor })));
  } catch (cause) {
    throw refused("it is none that this server gave to this client", cause);
  }
}

function refused(why: string, cause?: unknown): AppError {
  return new AppError("invalid", `cursor: can't be used, ${why}. Begin the list anew.`, {
    field: "cursor",
    scimType: "invalidCursor",
    cause,
  });
}

function purpose(connectionId: number): string {
  return `scim.cursor.${connectionId}`;
}

function fingerprint(list: string): string {
  return createHash("sha256").update(list).digest("base64url").slice(0, 22);
}
