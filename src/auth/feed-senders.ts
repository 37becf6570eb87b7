import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { authenticateToken, type TokenConnection } from "./tokens.ts";

/** Who hands in a file. */
export interface FeedSender {
  tokenId: string;
  tokenName: string;
  connection: TokenConnection;
}

/** Throws `unauthenticated`; `forbidden` for a token of another kind or connection, and for a connection that is switched off. */
export async function authenticateFeed(
  sql: Sql,
  { authorization, connection: asked, now }: { authorization: string | undefined; connection: string; now: Date },
): Promise<FeedSender> {
  const [, bearer] = /^Bearer +([^\s]+) *$/i.exec(authorization ?? "") ?? [];
  const { id, name, scope, connection } = await authenticateToken(sql, { bearer, now });
  if (scope !== "feed" || !connection)
    throw new AppError("forbidden", "This token hands in no files: make one with `rollcall token create --scope feed --connection NAME`.");
  if (connection.name !== asked) throw new AppError("forbidden", `This token belongs to another connection than ${asked.slice(0, 63)}.`);
  if (!connection.enabled) throw new AppError("forbidden", `The connection ${connection.name} is switched off.`);
  return { tokenId: id, tokenName: name, connection };
}
