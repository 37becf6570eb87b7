import type { Work } from "../../db/database.ts";

const BELIEVED = "select from sign_in_issuers where connection_id = $1 and issuer = $2";

const BELIEVE = `insert into sign_in_issuers as i (connection_id, issuer, since) values ($1, $2, $3)
  on conflict (connection_id) do update set issuer = excluded.issuer, since = excluded.since
    where i.issuer = excluded.issuer
      or not exists (select from accounts a where a.connection_id = i.connection_id and a.kind = 'user' and a.gone_at is null)`;

/**
 * Whether the provider that speaks is the one whose accounts the connection holds: what it calls a person means nothing at another. The
 * first that signs somebody in is it, and another becomes it only when no account is left. Metadata may come to name another by themselves.
 */
export async function isIssuerOfAccounts(
  { ctx, sql }: Work,
  { connectionId, issuer }: { connectionId: number; issuer: string },
): Promise<boolean> {
  const { rowCount } = await sql.query(BELIEVED, [connectionId, issuer]);
  if (rowCount) return true;
  const { rowCount: believed } = await sql.query(BELIEVE, [connectionId, issuer, ctx.now()]);
  return Boolean(believed);
}
