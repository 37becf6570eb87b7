import { createHash } from "node:crypto";
import type { Work } from "../../db/database.ts";
import { refused } from "./refusal.ts";

export interface UsedMessage {
  connectionId: number;
  /** The ID of an assertion or a request. */
  id: string;
  /** Until when it could be used again, skew included. */
  until: Date;
}

/** Notes that a message was used. Throws `unauthenticated`, field `saml.replay`, when it was before; of two at once, one is taken. */
export async function useOnce({ sql }: Work, { connectionId, id, until }: UsedMessage): Promise<void> {
  const message = createHash("sha256").update(id).digest();
  const { rowCount } = await sql.query(
    "insert into saml_messages (connection_id, message, until) values ($1, $2, $3) on conflict do nothing",
    [connectionId, message, until],
  );
  if (!rowCount) throw refused("replay", "The message was used before.");
}

/** Forgets messages that could not be used again anyway, for the daily upkeep; returns how many. */
export async function forgetUsedMessages({ ctx, sql }: Work): Promise<number> {
  const { rowCount } = await sql.query("delete from saml_messages where until < $1", [ctx.now()]);
  return rowCount ?? 0;
}
