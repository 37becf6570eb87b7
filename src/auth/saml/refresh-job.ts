import type { Context } from "../../context.ts";
import type { Database } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { samlConnection } from "./connection.ts";
import { refreshProvider } from "./providers.ts";

/** Reads the metadata of one connection again; of one that is gone, disabled or without an address nothing. Throws `unavailable`. */
export async function refreshSamlMetadata(
  ctx: Context,
  { db, keyRing, connectionId }: { db: Database; keyRing: KeyRing; connectionId: number },
): Promise<void> {
  const { rows } = await db.pool.query<{ name: string }>(
    "select name from connections where id = $1 and connector = 'saml' and enabled and settings ? 'metadataUrl'",
    [connectionId],
  );
  const [found] = rows;
  if (!found) return;
  await refreshProvider(ctx, { db, connection: await samlConnection(db.pool, { keyRing, name: found.name }) });
}
