import type { Context } from "../../context.ts";
import { inTransaction, type Database } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { hashOfSecret } from "../sessions/session.ts";
import { beginSignIn, lockSignIn, type SignIn } from "../sign-in/store.ts";
import type { ValidatedAssertion } from "./assertion.ts";
import type { SamlConnection } from "./connection.ts";
import { authnRequestTo, type Leaving } from "./outgoing.ts";
import { ownEndpoints } from "./own-endpoints.ts";
import { currentKey, ensureOwnKeys, ownKeys } from "./own-keys.ts";
import { identityProviderOf } from "./providers.ts";
import { refused } from "./refusal.ts";
import { rememberRequest, useRequest } from "./requests.ts";
import { keepNameIdForm } from "./sign-out.ts";
import { useOnce } from "./used-messages.ts";
import { validateResponse } from "./validate-response.ts";

export interface SamlOptions {
  db: Database;
  keyRing: KeyRing;
  /** Without a slash at the end. */
  baseUrl: string;
  connection: SamlConnection;
}

export interface BeginOptions extends SamlOptions {
  /** The secret in the browser's cookie. */
  browser: string;
  returnTo: string;
  /** A step-up that began before: its person proves anew who they are. */
  stepUp?: Pick<SignIn, "id"> | undefined;
}

/** How to send a browser to sign in at the identity provider. Throws `unavailable`. */
export async function beginSamlSignIn(ctx: Context, options: BeginOptions): Promise<Leaving> {
  const { db, keyRing, baseUrl, connection, browser, returnTo, stepUp } = options;
  const provider = await identityProviderOf(ctx, { db, connection });
  const { id: connectionId } = connection;
  const settings = { ...connection.settings, forceAuthn: connection.settings.forceAuthn || stepUp !== undefined };
  return inTransaction(db, ctx, async (work) => {
    const key = currentKey(await ensureOwnKeys(work, { connection, keyRing }));
    const id = await rememberRequest(work, {
      kind: "sign_in",
      connectionId,
      browser: hashOfSecret(browser),
      signInId: stepUp?.id,
      returnTo,
    });
    const endpoints = ownEndpoints(connection, baseUrl);
    return authnRequestTo({ settings, provider, endpoints, key, now: ctx.now() }, { id });
  });
}

/**
 * Takes the response that a browser brought: proven, asked for by this very browser (or nobody, where the connection allows that),
 * and never seen before. Returns the sign-in that it goes on with. Throws `unauthenticated`, its field saying why.
 */
export async function takeSamlResponse(
  ctx: Context,
  { db, keyRing, baseUrl, connection, encoded, browser }: SamlOptions & { encoded: string; browser: string | undefined },
): Promise<{ assertion: ValidatedAssertion; issuer: string; signIn: SignIn }> {
  const { settings, id: connectionId } = connection;
  const [provider, keys] = [await identityProviderOf(ctx, { db, connection }), await ownKeys(db.pool, { connection, keyRing })];
  const endpoints = ownEndpoints(connection, baseUrl);
  const assertion = await validateResponse(encoded, {
    settings,
    identityProvider: provider,
    own: endpoints,
    decryptionKeys: keys.map(({ privateKey }) => privateKey),
    now: ctx.now(),
  });
  return inTransaction(db, ctx, async (work) => {
    await useOnce(work, { connectionId, id: assertion.id, until: assertion.usableUntil });
    const { inResponseTo: id } = assertion;
    if (id === undefined && !settings.idpInitiated)
      throw refused(
        "in_response_to",
        "Nobody asked for this response, and the connection takes none that were not asked for (idpInitiated).",
      );
    const request = id && browser && (await useRequest(work, { id, kind: "sign_in", connectionId, browser: hashOfSecret(browser) }));
    if (id !== undefined && !request) throw refused("in_response_to", "The response answers no request that this browser made.");
    if (request && (settings.forceAuthn || request.signInId !== null)) checkFresh(assertion, { since: request.createdAt, settings });
    await keepNameIdForm(work, { connection, nameId: assertion.nameId });
    const { entityId: issuer } = provider;
    if (request && request.signInId !== null) return { assertion, issuer, signIn: await lockSignIn(work, request.signInId) };
    return { assertion, issuer, signIn: (await beginSignIn(work, { returnTo: request ? request.returnTo : null })).signIn };
  });
}

/** Who was asked to prove themselves anew has done so since (saml-core-2.0 section 3.4.1, ForceAuthn). */
function checkFresh(
  { authenticatedAt }: ValidatedAssertion,
  { since, settings: { clockSkewSeconds } }: { since: Date; settings: Pick<SamlConnection["settings"], "clockSkewSeconds"> },
): void {
  if (authenticatedAt.getTime() + clockSkewSeconds * 1000 < since.getTime())
    throw refused("time", "The identity provider was to have the person sign in anew, and answered with an earlier sign-in.");
}
