import { Router, urlencoded, type Request, type Response } from "express";
import { buildEndSessionUrl, randomState } from "openid-client";
import { z } from "zod";
import { endFederated } from "../../auth/sessions/end-federated.ts";
import { useLogoutToken, verifyLogoutToken } from "../../auth/oidc/logout-token.ts";
import { decryptionKey } from "../../auth/oidc/decryption.ts";
import { ownKey } from "../../auth/oidc/own-key.ts";
import type { Providers } from "../../auth/oidc/providers.ts";
import { createContext, type Context } from "../../context.ts";
import { inTransaction } from "../../db/database.ts";
import { AppError, messageOf } from "../../errors.ts";
import { requestIdOf } from "../middleware/request-id.ts";
import { leaveTo } from "./leave.ts";
import { oidcAddress, oidcConnection } from "./oidc-connection.ts";
import type { LoginOptions } from "./options.ts";
import { pageRoute, pageRoutes } from "./routes.ts";
import type { ElsewhereSignOut } from "./sign-out.ts";

const LARGEST_FORM = 64 * 1024;
const logoutForm = z.object({ logout_token: z.string().min(1).max(LARGEST_FORM) });
const frontChannel = z.object({
  iss: z.string().min(1).max(2000),
  // PostgreSQL has no word for U+0000.
  sid: z.string().regex(/^[^\0]{1,512}$/),
});

/** Signing out both ways: the provider tells us (by a call of its own, or in a frame), or we send the browser there. Our public keys, too. */
export function oidcSignOutRoutes(options: LoginOptions, providers: Providers): Router {
  const router = Router({ caseSensitive: true });
  const form = urlencoded({ extended: false, limit: LARGEST_FORM, parameterLimit: 10, inflate: false });
  router.post("/oidc/:connection/backchannel", form, (request, response) => backChannel({ options, providers }, request, response));
  router.get("/oidc/:connection/frontchannel", (request, response) => frontChannelCall(options, request, response));
  router.get("/oidc/:connection/keys", async (request, response) => {
    const { settings } = await oidcConnection(options, request.params["connection"]);
    const { privateKey, encryptionKey } = settings;
    const keys = [
      privateKey === undefined ? [] : (await ownKey(privateKey)).publicJwk,
      encryptionKey === undefined ? [] : (await decryptionKey(encryptionKey)).publicJwk,
    ];
    response.json({ keys: keys.flat() });
  });
  router.use(
    pageRoutes(options, [
      pageRoute({
        method: "get",
        path: "/oidc/:connection/logout",
        needs: "nothing",
        async handler(visit) {
          const { connection, settings } = await oidcConnection(options, visit.request.params["connection"]);
          const { configuration, metadata } = await providers.of(settings);
          // With a state it is the way back from there.
          if (visit.request.query["state"] !== undefined || metadata.end_session_endpoint === undefined) return { redirect: "/login" };
          const url = buildEndSessionUrl(configuration, {
            post_logout_redirect_uri: oidcAddress(options, { name: connection.name, page: "logout" }),
            state: randomState(),
          });
          return leaveTo(visit, { url, provider: settings.title ?? connection.name });
        },
      }),
    ]),
  );
  return router;
}

/** Where somebody who signs out here goes on to be signed out at the OpenID provider that they came from. */
export const oidcSignOut: ElsewhereSignOut = async ({ db }, { connectionId }) => {
  const { rows } = await db.requestPool.query<{ name: string }>(
    "select name from connections where id = $1 and connector = 'oidc' and enabled",
    [connectionId],
  );
  return rows[0] && `/oidc/${rows[0].name}/logout`;
};

/** OpenID Connect Back-Channel Logout 1.0 sections 2.5 to 2.8. Whoever calls proves it by the token alone; cookies are not looked at. */
async function backChannel(
  { options, providers }: { options: LoginOptions; providers: Providers },
  request: Request,
  response: Response,
): Promise<void> {
  response.setHeader("Cache-Control", "no-store");
  const ctx = contextOf(options, response);
  const { connection, settings } = await oidcConnection(options, request.params["connection"]);
  try {
    const form = logoutForm.safeParse(request.body);
    if (!form.success) throw new AppError("invalid", "The form has no logout_token.", { field: "logout_token" });
    const { metadata, keyOf, decryption } = await providers.of(settings);
    const { clientId, clockSkewSeconds } = settings;
    const token = await verifyLogoutToken(form.data.logout_token, {
      ...{ metadata, keyOf, clientId, clockSkewSeconds, decryption },
      now: options.now(),
    });
    const count = await inTransaction(options.db, { ...ctx, actor: `connection:${connection.name}` }, async (work) => {
      if (!(await useLogoutToken(work, { connectionId: connection.id, token })))
        throw new AppError("forbidden", "This logout token was used before.", { field: "oidc" });
      return await endFederated(work, { connectionId: connection.id, subject: token.subject, session: token.session });
    });
    ctx.log.info({ connection: connection.name, sessions: count }, "the provider has signed somebody out");
    response.status(200).end();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    ctx.log.warn({ connection: connection.name, reason: messageOf(error) }, "a logout token was refused");
    const status = error.code === "unavailable" ? 503 : 400;
    response.status(status).json({ error: "invalid_request", error_description: "The logout token is not valid here." });
  }
}

/** OpenID Connect Front-Channel Logout 1.0 section 3, in a frame of the provider's page: our cookies don't come there, so that `sid` names the session. */
async function frontChannelCall(options: LoginOptions, request: Request, response: Response): Promise<void> {
  const { connection, settings } = await oidcConnection(options, request.params["connection"]);
  const query = frontChannel.safeParse(request.query);
  response.setHeader("Cache-Control", "no-store");
  response.setHeader("Content-Security-Policy", `default-src 'none'; frame-ancestors ${new URL(settings.issuer).origin}`);
  response.removeHeader("X-Frame-Options");
  if (query.success && query.data.iss === settings.issuer) {
    const ctx = { ...contextOf(options, response), actor: `connection:${connection.name}` as const };
    await inTransaction(options.db, ctx, (work) =>
      endFederated(work, { connectionId: connection.id, subject: undefined, session: query.data.sid }),
    );
  }
  // Neither tells whether there was such a session.
  response.status(200).type("html").send("<!doctype html><title>Signed out</title>");
}

function contextOf({ log, now, network }: LoginOptions, response: Response): Context {
  return createContext({ actor: "system", log, now, correlationId: requestIdOf(response), network });
}
