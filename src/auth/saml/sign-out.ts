import type { Context } from "../../context.ts";
import { inTransaction, type Database, type Work } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { endFederated } from "../sessions/end-federated.ts";
import type { NameId } from "./assertion.ts";
import { samlConnection, type SamlConnection } from "./connection.ts";
import { checkedLogoutRequest, checkedLogoutResponse } from "./logout.ts";
import { logoutRequestTo, logoutResponseTo, type Leaving, type OutgoingOptions } from "./outgoing.ts";
import { ownEndpoints } from "./own-endpoints.ts";
import { currentKey, ensureOwnKeys, ownKeys } from "./own-keys.ts";
import type { IdentityProvider } from "./provider-metadata.ts";
import { identityProviderOf } from "./providers.ts";
import { keepLeaving, newMessageId, rememberRequest, useRequest } from "./requests.ts";
import { useOnce } from "./used-messages.ts";
import type { IncomingMessage } from "./incoming.ts";
import { refused } from "./refusal.ts";

export interface SignOutOptions {
  db: Database;
  keyRing: KeyRing;
  baseUrl: string;
}

interface FederatedSession {
  name: string;
  subject: string;
  session: string | null;
  name_id: Omit<NameId, "value"> | null;
}

/**
 * Prepares the sign-out at the identity provider of somebody who signs out here: the request's id, and the connection that it is of.
 * Undefined where the session came from elsewhere, or there is no single logout. Throws what identityProviderOf throws.
 */
export async function signOutElsewhere(
  ctx: Context,
  { db, keyRing, baseUrl, sessionId }: SignOutOptions & { sessionId: string },
): Promise<{ connection: string; request: string } | undefined> {
  const { rows } = await db.pool.query<FederatedSession>(
    `select c.name, s.federation_subject as subject, s.federation_session as session, p.name_id
     from sessions s join connections c on c.id = s.connection_id left join saml_providers p on p.connection_id = c.id
     where s.id = $1 and c.connector = 'saml' and c.enabled and s.federation_subject is not null`,
    [sessionId],
  );
  const [found] = rows;
  if (!found) return undefined;
  const connection = await samlConnection(db.pool, { keyRing, name: found.name });
  if (!connection.settings.singleLogout) return undefined;
  const provider = await identityProviderOf(ctx, { db, connection });
  if (provider.sloUrl === undefined) return undefined;
  return inTransaction(db, ctx, async (work) => {
    const id = await rememberRequest(work, { kind: "sign_out", connectionId: connection.id });
    const nameId = { ...found.name_id, value: found.subject };
    const options = await outgoing(work, { connection, provider, keyRing, baseUrl });
    const leaving = await logoutRequestTo(options, { id, nameId, sessionIndex: found.session ?? undefined });
    if (leaving === undefined) return undefined;
    await keepLeaving(work, { id, leaving });
    return { connection: connection.name, request: id };
  });
}

/** Keeps how the identity provider writes its names, which our logout requests must repeat. Nothing personal is in it. */
export async function keepNameIdForm(
  { sql }: Pick<Work, "sql">,
  { connection, nameId }: { connection: SamlConnection; nameId: NameId },
): Promise<void> {
  const { format, nameQualifier, spNameQualifier } = nameId;
  await sql.query(
    `insert into saml_providers (connection_id, name_id) values ($1, $2::jsonb)
     on conflict (connection_id) do update set name_id = excluded.name_id where saml_providers.name_id is distinct from excluded.name_id`,
    [connection.id, JSON.stringify({ format, nameQualifier, spNameQualifier })],
  );
}

export interface TakeMessageOptions extends SignOutOptions {
  connection: SamlConnection;
  provider: IdentityProvider;
  /** Its signature holds. */
  message: IncomingMessage;
}

/**
 * Takes a logout message of the identity provider. A request ends the sessions that it names and is answered: how to send the
 * browser back with that. A response ends our own sign-out: undefined. Throws `unauthenticated` for what is not believed.
 */
export async function takeLogoutMessage(ctx: Context, options: TakeMessageOptions): Promise<Leaving | undefined> {
  const { db, keyRing, baseUrl, connection, provider, message } = options;
  const { sloUrl } = ownEndpoints(connection, baseUrl);
  const { clockSkewSeconds } = connection.settings;
  const expected = { issuer: provider.entityId, sloUrl, clockSkewSeconds, now: ctx.now() };
  if (message.kind === "response") {
    const { inResponseTo, complete } = checkedLogoutResponse(message.root, expected);
    const asked = await inTransaction(db, ctx, (work) =>
      useRequest(work, { id: inResponseTo, kind: "sign_out", connectionId: connection.id }),
    );
    if (!asked) throw refused("in_response_to", "The response answers no request of ours.");
    if (!complete) ctx.log.warn({ connection: connection.name }, "an identity provider could not sign somebody out everywhere");
    return undefined;
  }
  const keys = (await ownKeys(db.pool, { connection, keyRing })).map(({ privateKey }) => privateKey);
  const request = await checkedLogoutRequest(message, { ...expected, keys });
  return inTransaction(db, ctx, async (work) => {
    await useOnce(work, { connectionId: connection.id, id: request.id, until: request.usableUntil });
    const subject = request.nameId.value;
    const which = request.sessionIndexes.length === 0 ? [undefined] : request.sessionIndexes;
    for (const session of which) await endFederated(work, { connectionId: connection.id, subject, session });
    const { relayState } = message;
    const id = newMessageId();
    return logoutResponseTo(await outgoing(work, { connection, provider, keyRing, baseUrl }), {
      id,
      inResponseTo: request.id,
      relayState,
    });
  });
}

async function outgoing(
  work: Work,
  { connection, provider, keyRing, baseUrl }: { connection: SamlConnection; provider: IdentityProvider; keyRing: KeyRing; baseUrl: string },
): Promise<OutgoingOptions> {
  return {
    settings: connection.settings,
    provider,
    endpoints: ownEndpoints(connection, baseUrl),
    key: currentKey(await ensureOwnKeys(work, { connection, keyRing })),
    now: work.ctx.now(),
  };
}
