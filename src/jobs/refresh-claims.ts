import type { OidcSettings } from "../../connectors/oidc/config.ts";
import { endFederated } from "../auth/sessions/end-federated.ts";
import {
  dropOfflineGrant,
  noteRefreshed,
  noteRefreshFailed,
  refreshTokenOf,
  takeDueGrants,
  type OfflineGrant,
} from "../auth/oidc/offline-grants.ts";
import { createProviders, type Providers } from "../auth/oidc/providers.ts";
import { refreshClaims, type Refreshed } from "../auth/oidc/refresh.ts";
import { oidcSubject } from "../auth/oidc/subject.ts";
import { loadConnection, type LoadedConnection } from "../connections/open.ts";
import type { Context } from "../context.ts";
import { inTransaction, type Database } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { AppError, messageOf } from "../errors.ts";
import { syncFederated } from "../sync/federated-account.ts";
import { noteHeldRequest } from "../sync/one.ts";

export interface RefreshOptions {
  db: Database;
  keyRing: KeyRing;
}

const AT_ONCE = 20;

/**
 * Asks OpenID providers what they say now of those who once signed in by them, and takes it through the stages of a sync, so that a
 * change there acts without a new sign-in. Where a provider no longer lets us ask, the sessions that it began end.
 */
export async function refreshFederatedClaims(ctx: Context, options: RefreshOptions): Promise<void> {
  const { db } = options;
  const providers = createProviders({ now: ctx.now, network: ctx.network });
  for (;;) {
    ctx.signal.throwIfAborted();
    const due = await inTransaction(db, ctx, (work) => takeDueGrants(work, { most: AT_ONCE }));
    for (const grant of due) await refreshOne(ctx, { ...options, providers, grant });
    if (due.length < AT_ONCE) return;
  }
}

interface OneOptions extends RefreshOptions {
  providers: Providers;
  grant: OfflineGrant;
}

/** One that fails doesn't stop the others: it is asked again later. */
async function refreshOne(ctx: Context, options: OneOptions): Promise<void> {
  const { db, keyRing, grant } = options;
  let held = grant;
  try {
    const connection = await loadConnection(db.pool, keyRing, grant.connectionId);
    // What hands out refresh tokens is this connector alone, and it has parsed them.
    const settings = connection.settings as OidcSettings;
    const { refreshHours } = settings;
    if (refreshHours === undefined) return void (await dropOfflineGrant(db.pool, grant));
    const answer = await asked(ctx, { ...options, settings });
    if (answer === "moved") return;
    if (answer === "ended") return await ended(ctx, { ...options, connection });
    // Kept before anything else: the one before is worth nothing any more.
    const { refreshToken } = answer;
    const noted = await inTransaction(db, ctx, (work) => noteRefreshed(work, { keyRing, grant, refreshToken, refreshHours }));
    if (!noted) return;
    held = noted;
    await takeIn(ctx, { ...options, connection, settings, answer });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    ctx.log.warn({ connection: grant.connectionId, reason: messageOf(error) }, "what a provider says of somebody could not be refreshed");
    await inTransaction(db, ctx, (work) => noteRefreshFailed(work, held));
  }
}

async function asked(
  ctx: Context,
  { db, keyRing, providers, grant, settings }: OneOptions & { settings: OidcSettings },
): Promise<Refreshed | "ended" | "moved"> {
  const found = await inTransaction(db, ctx, (work) => refreshTokenOf(work, { keyRing, grant }));
  if (found === "moved") return found;
  const { refreshToken } = found;
  if (refreshToken === undefined) return "ended";
  return await refreshClaims(await providers.of(settings), { refreshToken, subject: grant.subject, now: ctx.now() });
}

async function ended(ctx: Context, { db, grant, connection }: OneOptions & { connection: LoadedConnection }): Promise<void> {
  const { connectionId, subject } = grant;
  await inTransaction(db, { ...ctx, actor: `connection:${connection.name}` }, async (work) => {
    // Whoever has signed in there since is let in by that: the provider spoke of the one before.
    if (!(await dropOfflineGrant(work.sql, grant))) return;
    const count = await endFederated(work, { connectionId, subject, session: undefined });
    work.ctx.log.info({ connection: connection.name, sessions: count }, "a provider no longer speaks of somebody");
  });
}

async function takeIn(
  ctx: Context,
  {
    db,
    keyRing,
    grant,
    connection,
    settings,
    answer,
  }: OneOptions & { connection: LoadedConnection; settings: OidcSettings; answer: Refreshed },
): Promise<void> {
  const { nativeId, attributes, verified } = oidcSubject(settings, { sub: grant.subject, claims: answer.claims });
  if (nativeId !== grant.nativeId) throw new AppError("forbidden", "A refresh spoke of another account.", { field: "oidc" });
  const speaking = { ...ctx, actor: `connection:${connection.name}` as const };
  try {
    await inTransaction(db, speaking, (work) =>
      syncFederated(work, { connection, keyRing, subject: { nativeId, attributes, emailVerified: verified }, knownOnly: true }),
    );
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "held") throw error;
    await inTransaction(db, speaking, (work) => noteHeldRequest(work, { connection, error }));
  }
}
