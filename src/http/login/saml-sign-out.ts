import { Router, urlencoded, type Request, type Response } from "express";
import { samlConnection } from "../../auth/saml/connection.ts";
import { fromPost, fromRedirect, type IncomingMessage } from "../../auth/saml/incoming.ts";
import { identityProviderOf } from "../../auth/saml/providers.ts";
import { isMessageId, takeLeaving } from "../../auth/saml/requests.ts";
import { signOutElsewhere, takeLogoutMessage } from "../../auth/saml/sign-out.ts";
import { createContext } from "../../context.ts";
import { inTransaction } from "../../db/database.ts";
import { AppError, messageOf } from "../../errors.ts";
import { leaveTo } from "./leave.ts";
import type { LoginOptions } from "./options.ts";
import { failed, pageRoute, pageRoutes, reply } from "./routes.ts";
import type { ElsewhereSignOut } from "./sign-out.ts";
import { visitOf } from "./visit.ts";

const LARGEST_FORM = 512 * 1024;

/** Single logout both ways: the identity provider's messages come through the browser, ours go there. */
export function samlSignOutRoutes(options: LoginOptions): Router {
  const router = Router({ caseSensitive: true });
  const form = urlencoded({ extended: false, limit: LARGEST_FORM, parameterLimit: 20, inflate: false });
  router.get("/saml/:connection/slo", (request, response) => takeMessage(options, request, response));
  router.post("/saml/:connection/slo", form, (request, response) => takeMessage(options, request, response));
  router.use(failed(options));
  router.use(
    pageRoutes(options, [
      pageRoute({
        method: "get",
        path: "/saml/:connection/logout",
        needs: "nothing",
        async handler(visit) {
          const { db, keyRing } = options;
          const { id, name, settings } = await samlConnection(db.requestPool, {
            keyRing,
            name: String(visit.request.params["connection"]),
          });
          const asked = visit.request.query["request"];
          if (typeof asked !== "string" || !isMessageId(asked)) return { redirect: "/login" };
          const leaving = await inTransaction(db, visit.ctx, (work) => takeLeaving(work, { id: asked, connectionId: id }));
          if (!leaving) return { redirect: "/login" };
          return leaveTo(visit, { url: new URL(leaving.url), fields: leaving.fields, provider: settings.title ?? name });
        },
      }),
    ]),
  );
  return router;
}

/** Where somebody who signs out here goes on to be signed out at the SAML identity provider that they came from. */
export const samlSignOut: ElsewhereSignOut = async ({ db, keyRing, baseUrl, log, now, network }, { id: sessionId }) => {
  const ctx = createContext({ actor: "system", log, now, network });
  try {
    const prepared = await signOutElsewhere(ctx, { db, keyRing, baseUrl, sessionId });
    return prepared && `/saml/${prepared.connection}/logout?request=${prepared.request}`;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    // Whatever keeps the identity provider from being told, the session here ends.
    log.warn({ reason: error.message }, "an identity provider can't be told that somebody signs out");
    return undefined;
  }
};

async function takeMessage(options: LoginOptions, request: Request, response: Response): Promise<void> {
  response.setHeader("Cache-Control", "no-store");
  const visit = await visitOf(options, { request, response });
  response.locals["visit"] = visit;
  const { db, keyRing, baseUrl } = options;
  const connection = await samlConnection(db.requestPool, { keyRing, name: String(request.params["connection"]) });
  const provider = await identityProviderOf(visit.ctx, { db, connection });
  const ctx = { ...visit.ctx, actor: `connection:${connection.name}` as const };
  try {
    const message = await received(request, provider.certificates);
    const leaving = await takeLogoutMessage(ctx, { db, keyRing, baseUrl, connection, provider, message });
    if (leaving?.fields === undefined) return reply(visit, { redirect: leaving?.url ?? "/login" });
    const { title = connection.name } = connection.settings;
    reply(visit, leaveTo(visit, { url: new URL(leaving.url), fields: leaving.fields, provider: title }));
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "unauthenticated") throw error;
    visit.ctx.log.warn({ connection: connection.name, field: error.field, reason: messageOf(error) }, "a SAML logout message was refused");
    throw new AppError("forbidden", visit.say("pages.federation.failed"), { field: "federation", cause: error });
  }
}

async function received(request: Request, certificates: readonly string[]): Promise<IncomingMessage> {
  if (request.method === "GET") return fromRedirect(request.originalUrl.split("?").slice(1).join("?"), { certificates });
  const body = (request.body ?? {}) as Readonly<Record<string, unknown>>;
  const text = (name: string) => (typeof body[name] === "string" ? body[name] : undefined);
  const [samlRequest, samlResponse, relayState] = [text("SAMLRequest"), text("SAMLResponse"), text("RelayState")];
  return fromPost({ samlRequest, samlResponse, relayState }, { certificates });
}
