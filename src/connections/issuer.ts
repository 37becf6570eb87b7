import { connectors } from "../../connectors/registry.ts";
import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";
import type { ConnectionRow } from "./open.ts";
import type { Settings } from "./secrets.ts";

interface Change {
  existing: Pick<ConnectionRow, "id" | "name" | "connector">;
  /** The settings as they stand, with secrets. */
  before: Settings;
  after: Settings;
}

/**
 * Refuses to let a connection speak for another provider while it holds accounts: the same subject there is another person. Throws
 * `conflict` for a provider that the settings name. One that only its metadata name is compared when somebody signs in.
 */
export async function refuseOtherIssuer(sql: Sql, { existing, ...settings }: Change): Promise<void> {
  const connector = connectors[existing.connector];
  const issuerOf = (given: Settings) => {
    const parsed = connector?.settings.safeParse(given);
    return parsed?.success ? connector?.issuerOf?.(parsed.data) : undefined;
  };
  const [before, after] = [issuerOf(settings.before), issuerOf(settings.after)];
  if (before === undefined || after === undefined || before === after) return;
  const { rows } = await sql.query<{ accounts: number }>(
    "select count(*)::int as accounts from accounts where connection_id = $1 and kind = 'user' and gone_at is null",
    [existing.id],
  );
  const accounts = rows[0]?.accounts ?? 0;
  if (accounts === 0) return;
  throw new AppError(
    "conflict",
    `The connection "${existing.name}" holds ${accounts} accounts of ${before}; ${after} could call other people by the same names. Add another connection for it, and remove this one.`,
    { field: "settings" },
  );
}
