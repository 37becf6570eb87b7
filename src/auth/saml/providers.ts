import { createHash } from "node:crypto";
import { fetchText } from "../../../connectors/kit/send.ts";
import { recordEvent } from "../../audit/record.ts";
import type { Context } from "../../context.ts";
import { inTransaction, type Database, type Sql, type Work } from "../../db/database.ts";
import { enqueue } from "../../db/queue.ts";
import { AppError, messageOf } from "../../errors.ts";
import type { SamlConnection } from "./connection.ts";
import { identityProviderSchema, readProviderMetadata, type IdentityProvider } from "./provider-metadata.ts";
import { METADATA_LIMITS } from "./xml/read.ts";

const AGAIN_AFTER_MS = 30_000;
const DAY_MS = 86_400_000;

interface ProviderRow {
  source: string | null;
  provider: unknown;
  fetched_at: Date | null;
  tried_at: Date | null;
}

/**
 * What is known of the connection's identity provider: from pasted metadata, or from its address as read last, which is read now
 * where that has not been done yet or is too old to be used. Throws `unavailable`, or `misconfigured` where metadata can't be used.
 */
export async function identityProviderOf(
  ctx: Context,
  { db, connection }: { db: Database; connection: SamlConnection },
): Promise<IdentityProvider> {
  const { settings } = connection;
  if (settings.metadata !== undefined) return pasted(settings.metadata, { connection, now: ctx.now() });
  const row = await readRow(db.pool, connection);
  const known = row && usable(row, { connection, now: ctx.now() });
  if (known) return known;
  if (row?.tried_at && row.source === sourceOf(connection) && ctx.now().getTime() - row.tried_at.getTime() < AGAIN_AFTER_MS)
    throw unavailable(connection);
  return refreshProvider(ctx, { db, connection });
}

/** Reads the metadata from their address and keeps them. Throws `unavailable`, after noting why; what was known stays. */
export async function refreshProvider(
  ctx: Context,
  { db, connection }: { db: Database; connection: SamlConnection },
): Promise<IdentityProvider> {
  try {
    const { text } = await fetchMetadata(ctx, connection);
    const provider = readProviderMetadata(text, { settings: connection.settings, now: ctx.now() });
    await inTransaction(db, ctx, (work) => keep(work, { connection, provider }));
    return provider;
  } catch (error) {
    const problem = messageOf(error).slice(0, 1000);
    await db.pool.query(
      `insert into saml_providers (connection_id, source, tried_at, problem) values ($1, $2, $3, $4)
       on conflict (connection_id) do update set tried_at = excluded.tried_at, problem = excluded.problem,
         source = case when saml_providers.source is distinct from excluded.source then excluded.source else saml_providers.source end,
         provider = case when saml_providers.source is distinct from excluded.source then null else saml_providers.provider end`,
      [connection.id, sourceOf(connection), ctx.now(), problem],
    );
    ctx.log.warn({ connection: connection.name, problem }, "the metadata of an identity provider could not be read");
    throw unavailable(connection, error);
  }
}

/**
 * Asks for the metadata soon, because a signature did not hold: the identity provider may have changed its certificate earlier than
 * it was to be read again. Whoever sends false signatures causes no more than one read a minute.
 */
export async function askForRefresh(work: Work, { connection }: { connection: SamlConnection }): Promise<void> {
  if (connection.settings.metadataUrl === undefined) return;
  const { ctx, sql } = work;
  const { rowCount } = await sql.query("update saml_providers set tried_at = $2 where connection_id = $1 and tried_at < $3", [
    connection.id,
    ctx.now(),
    new Date(ctx.now().getTime() - 60_000),
  ]);
  if (rowCount) await enqueueRefresh(sql, connection.id);
}

/** Enqueues reading all metadata that have an address and were not read for most of a day, for the daily upkeep; returns how many. */
export async function refreshProviders({ ctx, sql }: Work): Promise<number> {
  const { rows } = await sql.query<{ id: number }>(
    `select c.id from connections c left join saml_providers p on p.connection_id = c.id
     where c.connector = 'saml' and c.enabled and c.settings ? 'metadataUrl' and (p.fetched_at is null or p.fetched_at < $1)`,
    [new Date(ctx.now().getTime() - DAY_MS / 2)],
  );
  for (const { id } of rows) await enqueueRefresh(sql, id);
  return rows.length;
}

async function enqueueRefresh(sql: Sql, connectionId: number): Promise<void> {
  await enqueue(sql, {
    job: "refresh_saml_metadata",
    payload: { connectionId },
    key: `refresh_saml_metadata:${connectionId}`,
    maxAttempts: 5,
  });
}

function pasted(metadata: string, { connection, now }: { connection: SamlConnection; now: Date }): IdentityProvider {
  try {
    return readProviderMetadata(metadata, { settings: connection.settings, now });
  } catch (cause) {
    throw new AppError("misconfigured", `The connection ${connection.name} can't sign anybody in: ${messageOf(cause)}`, { cause });
  }
}

async function readRow(sql: Sql, { id }: SamlConnection): Promise<ProviderRow | undefined> {
  const { rows } = await sql.query<ProviderRow>(
    "select source, provider, fetched_at, tried_at from saml_providers where connection_id = $1",
    [id],
  );
  return rows[0];
}

/** What was read under other settings, or may not be used any more, is not. */
function usable(
  { source, provider }: ProviderRow,
  { connection, now }: { connection: SamlConnection; now: Date },
): IdentityProvider | undefined {
  if (source !== sourceOf(connection)) return undefined;
  const known = identityProviderSchema.safeParse(provider);
  if (!known.success || (known.data.validUntil !== undefined && new Date(known.data.validUntil) <= now)) return undefined;
  return known.data;
}

/** The settings that decide what is taken from the address. */
function sourceOf({ settings: { metadataUrl, entityId, metadataCertificate } }: SamlConnection): string {
  const rest = createHash("sha256")
    .update(JSON.stringify([entityId ?? null, metadataCertificate ?? null]))
    .digest("hex");
  return `${metadataUrl ?? ""} ${rest.slice(0, 16)}`;
}

/** Reads metadata from their address; `date` is that of the answer. Throws what the network throws, and `unavailable` for another answer. */
export async function fetchMetadata(
  ctx: Pick<Context, "network">,
  { name, settings: { metadataUrl, timeoutMs } }: Pick<SamlConnection, "name" | "settings">,
): Promise<{ text: string; date: string | readonly string[] | undefined }> {
  if (metadataUrl === undefined) throw new AppError("misconfigured", `The connection ${name} has no address of metadata.`);
  const { status, text, headers } = await fetchText({
    url: metadataUrl,
    network: ctx.network,
    timeoutMs,
    maxBytes: METADATA_LIMITS.bytes,
    headers: { accept: "application/samlmetadata+xml, application/xml, text/xml, */*;q=0.1" },
  });
  if (status !== 200) throw new AppError("unavailable", `${new URL(metadataUrl).host} answered ${status}.`);
  return { text, date: headers["date"] };
}

async function keep(work: Work, { connection, provider }: { connection: SamlConnection; provider: IdentityProvider }): Promise<void> {
  const { ctx, sql } = work;
  const before = await readRow(sql, connection);
  await sql.query(
    `insert into saml_providers (connection_id, source, provider, fetched_at, tried_at, problem) values ($1, $2, $3, $4, $4, null)
     on conflict (connection_id) do update set source = excluded.source, provider = excluded.provider,
       fetched_at = excluded.fetched_at, tried_at = excluded.tried_at, problem = null`,
    [connection.id, sourceOf(connection), JSON.stringify(provider), ctx.now()],
  );
  const known = identityProviderSchema.safeParse(before?.provider);
  const changed = known.success ? differences(known.data, provider) : [];
  const { name } = connection;
  if (changed.length > 0)
    await recordEvent(work, { name: "connection.provider_changed", subjectType: "connection", subjectId: name, data: { name, changed } });
}

function differences(before: IdentityProvider, after: IdentityProvider): string[] {
  const keys = [
    "entityId",
    "ssoUrl",
    "ssoBinding",
    "sloUrl",
    "sloBinding",
    "sloResponseUrl",
    "certificates",
    "wantsSignedRequests",
  ] as const;
  return keys.filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
}

function unavailable({ name }: SamlConnection, cause?: unknown): AppError {
  return new AppError("unavailable", `The identity provider of ${name} can't be asked what it is; try again.`, {
    retryAfter: AGAIN_AFTER_MS / 1000,
    ...(cause === undefined ? {} : { cause }),
  });
}
