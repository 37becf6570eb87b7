import { Router, urlencoded, type Request, type Response } from "express";
import { samlConnection, type SamlConnection } from "../../auth/saml/connection.ts";
import { ownEndpoints } from "../../auth/saml/own-endpoints.ts";
import { ensureOwnKeys } from "../../auth/saml/own-keys.ts";
import { ownMetadata } from "../../auth/saml/own-metadata.ts";
import { askForRefresh } from "../../auth/saml/providers.ts";
import { browserThatAsked } from "../../auth/saml/requests.ts";
import { beginSamlSignIn, takeSamlResponse } from "../../auth/saml/sign-in.ts";
import { subjectOf } from "../../auth/saml/subject.ts";
import { inTransaction } from "../../db/database.ts";
import { countBeginning } from "./beginning.ts";
import { signInFederated, stepUpOf, takeAnswer } from "./federation.ts";
import { leaveTo } from "./leave.ts";
import type { LoginOptions } from "./options.ts";
import type { Reply } from "./page.ts";
import { ownPath } from "./return-to.ts";
import { failed, pageRoute, pageRoutes, reply } from "./routes.ts";
import { ensureSamlBrowser, samlBrowser } from "./saml-cookie.ts";
import { samlSignOutRoutes } from "./saml-sign-out.ts";
import { visitOf, type Visit } from "./visit.ts";

const LARGEST_FORM = 512 * 1024;

/** Signing in by SAML: our metadata, the way to the identity provider, the response that comes back, and out again both ways. */
export function samlRoutes(options: LoginOptions): Router {
  const router = Router({ caseSensitive: true });
  // The form is the identity provider's: what proves it is the response itself, and the cookie of the browser that asked.
  const form = urlencoded({ extended: false, limit: LARGEST_FORM, parameterLimit: 20, inflate: false });
  router.post("/saml/:connection/acs", form, (request, response) => fromProvider(options, request, response));
  router.use(failed(options));
  router.use(samlSignOutRoutes(options));
  router.use(
    pageRoutes(options, [
      pageRoute({ method: "get", path: "/saml/:connection/metadata", needs: "nothing", handler: sendMetadata }),
      pageRoute({ method: "get", path: "/saml/:connection/login", needs: "nothing", handler: toProvider }),
    ]),
  );
  return router;
}

function connectionOf({ request, options: { db, keyRing } }: Visit): Promise<SamlConnection> {
  return samlConnection(db.requestPool, { keyRing, name: String(request.params["connection"]) });
}

async function sendMetadata(visit: Visit): Promise<Reply> {
  const { db, keyRing, baseUrl } = visit.options;
  const connection = await connectionOf(visit);
  const keys = await inTransaction(db, visit.ctx, (work) => ensureOwnKeys(work, { connection, keyRing }));
  const xml = ownMetadata({ endpoints: ownEndpoints(connection, baseUrl), settings: connection.settings, keys });
  visit.response.type("application/samlmetadata+xml").send(xml);
  return { sent: true };
}

async function toProvider(visit: Visit): Promise<Reply> {
  const { options, request, response } = visit;
  const connection = await connectionOf(visit);
  const { db, keyRing, baseUrl } = options;
  await countBeginning(visit);
  const { url, fields } = await beginSamlSignIn(visit.ctx, {
    db,
    keyRing,
    baseUrl,
    connection,
    browser: ensureSamlBrowser(request, response),
    returnTo: ownPath(request.query["return_to"]),
    stepUp: request.query["step_up"] === "1" ? stepUpOf(visit) : undefined,
  });
  return leaveTo(visit, { url: new URL(url), fields, provider: connection.settings.title ?? connection.name });
}

async function fromProvider(options: LoginOptions, request: Request, response: Response): Promise<void> {
  response.setHeader("Cache-Control", "no-store");
  const visit = await visitOf(options, { request, response });
  response.locals["visit"] = visit;
  const connection = await connectionOf(visit);
  const answer = await takeAnswer(visit, {
    name: connection.name,
    begun: await browserThatAsked(options.db.requestPool, { browser: samlBrowser(request), now: visit.options.now() }),
    arrive: () => arrive(visit, connection),
    isNotBelieved: ({ code }) => code === "unauthenticated",
    async also({ field }) {
      if (field === "saml.signature") await inTransaction(options.db, visit.ctx, (work) => askForRefresh(work, { connection }));
    },
  });
  reply(visit, answer);
}

async function arrive(visit: Visit, connection: SamlConnection): Promise<Reply> {
  const { db, keyRing, baseUrl } = visit.options;
  const { SAMLResponse: encoded } = (visit.request.body ?? {}) as Readonly<Record<string, unknown>>;
  const { assertion, issuer, signIn } = await takeSamlResponse(visit.ctx, {
    db,
    keyRing,
    baseUrl,
    connection,
    encoded: typeof encoded === "string" ? encoded : "",
    browser: samlBrowser(visit.request),
  });
  const { nativeId, attributes } = subjectOf(assertion, connection.settings);
  const { authnContext, nameId, sessionIndex, sessionNotOnOrAfter } = assertion;
  return signInFederated(visit, {
    connection: connection.loaded,
    issuer,
    signIn,
    // SAML has no word for a verified address: whose addresses hold is said by the connection's policy.
    subject: { nativeId, attributes, emailVerified: false },
    federation: { method: "saml", subject: nameId.value, session: sessionIndex, until: sessionNotOnOrAfter },
    bothFactors: authnContext !== undefined && connection.settings.bothFactors.includes(authnContext),
  });
}
