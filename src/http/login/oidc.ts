import { Router } from "express";
import { authorizationRequest, pendingSchema, type Pending } from "../../auth/oidc/authorization-request.ts";
import { authorizationResponse } from "../../auth/oidc/authorization-response.ts";
import { keepOfflineGrant } from "../../auth/oidc/offline-grants.ts";
import { createProviders, type Providers } from "../../auth/oidc/providers.ts";
import { oidcSubject } from "../../auth/oidc/subject.ts";
import { beginSignIn, keepState, takeState, type SignIn } from "../../auth/sign-in/store.ts";
import { inTransaction } from "../../db/database.ts";
import { oidcPendingPurpose, open, seal } from "../../db/envelope.ts";
import { AppError } from "../../errors.ts";
import { countBeginning } from "./beginning.ts";
import { setSecret } from "./cookies.ts";
import { signInFederated, stepUpOf, takeAnswer } from "./federation.ts";
import { leaveTo } from "./leave.ts";
import { oidcAddress, oidcConnection, type OidcConnection } from "./oidc-connection.ts";
import { oidcSignOutRoutes } from "./oidc-sign-out.ts";
import type { LoginOptions } from "./options.ts";
import type { Reply } from "./page.ts";
import { ownPath } from "./return-to.ts";
import { pageRoute, pageRoutes } from "./routes.ts";
import type { Visit } from "./visit.ts";

/** What is kept between the way to the provider and the way back, by its name in the sign-in's state. */
const STEP = "oidc";

/** Signing in by OpenID Connect: to the provider, back from it, and out again both ways. */
export function oidcRoutes(options: LoginOptions): Router {
  const providers = createProviders({ now: options.now, network: options.network });
  const router = Router({ caseSensitive: true });
  router.use(oidcSignOutRoutes(options, providers));
  router.use(
    pageRoutes(options, [
      pageRoute({ method: "get", path: "/oidc/:connection/login", needs: "nothing", handler: (visit) => toProvider(visit, providers) }),
      pageRoute({
        method: "get",
        path: "/oidc/:connection/callback",
        needs: "nothing",
        handler: (visit) => fromProvider(visit, providers),
      }),
    ]),
  );
  return router;
}

async function toProvider(visit: Visit, providers: Providers): Promise<Reply> {
  const { options, request } = visit;
  const known = await oidcConnection(options, request.params["connection"]);
  const { connection, settings } = known;
  await countBeginning(visit);
  const provider = await providers.of(settings);
  const stepUp = request.query["step_up"] === "1";
  const { url, pending } = await authorizationRequest(provider, {
    connectionId: connection.id,
    redirectUri: oidcAddress(options, { name: connection.name, page: "callback" }),
    loginHint: loginHint(request.query["login_hint"]),
    fresh: stepUp,
  });
  await inTransaction(options.db, visit.ctx, async (work) => {
    const signIn = stepUp ? stepUpOf(visit) : await begun(visit);
    const sealed = seal(options.keyRing.current, { purpose: oidcPendingPurpose(signIn.id), plain: JSON.stringify(pending) });
    await keepState(work, { signIn, step: STEP, value: sealed });

    async function begun(each: Visit): Promise<SignIn> {
      const { signIn: fresh, secret } = await beginSignIn(work, { returnTo: ownPath(request.query["return_to"]), instead: each.signIn });
      setSecret(each.response, { cookie: "signIn", secret });
      return fresh;
    }
  });
  return leaveTo(visit, { url, provider: settings.title ?? connection.name });
}

async function fromProvider(visit: Visit, providers: Providers): Promise<Reply> {
  const known = await oidcConnection(visit.options, visit.request.params["connection"]);
  return takeAnswer(visit, {
    name: known.connection.name,
    begun: visit.signIn?.id ?? null,
    arrive: () => arrive(visit, { known, providers }),
    isNotBelieved: ({ field }) => field === "oidc",
  });
}

async function arrive(visit: Visit, { known, providers }: { known: OidcConnection; providers: Providers }): Promise<Reply> {
  const { options, request } = visit;
  const { connection, settings } = known;
  const { signIn, pending } = await pendingOf(visit, known);
  const provider = await providers.of(settings);
  const callback = new URL(oidcAddress(options, { name: connection.name, page: "callback" }));
  callback.search = new URL(request.originalUrl, callback).search;
  const { idToken, claims, refreshToken } = await authorizationResponse(provider, { url: callback, pending, now: options.now() });
  const subject = oidcSubject(settings, { sub: idToken.sub, claims });
  const { sid } = idToken;
  const { refreshHours } = settings;
  return await signInFederated(visit, {
    connection,
    issuer: settings.issuer,
    signIn,
    subject: { nativeId: subject.nativeId, attributes: subject.attributes, emailVerified: subject.verified },
    federation: { method: "oidc", subject: subject.subject, session: typeof sid === "string" ? sid : undefined },
    bothFactors: subject.bothFactors,
    also: async (work, personId) => {
      if (refreshToken === undefined || refreshHours === undefined) return;
      await keepOfflineGrant(work, {
        keyRing: options.keyRing,
        connectionId: connection.id,
        nativeId: subject.nativeId,
        personId,
        subject: subject.subject,
        refreshToken,
        refreshHours,
      });
    },
  });
}

/**
 * What this browser was sent away with, taken once: an answer that comes again, or to another browser, finds nothing. One that answers
 * something else takes nothing: it is of another tab, which was sent away before, or of nobody.
 */
async function pendingOf(visit: Visit, { connection, settings }: OidcConnection): Promise<{ signIn: SignIn; pending: Pending }> {
  const { signIn, options, request } = visit;
  const refused = (reason: string) =>
    new AppError("forbidden", `An answer of ${settings.issuer} was refused: ${reason}.`, { field: "oidc" });
  if (!signIn) throw refused("this browser has no sign-in under way");
  const { [STEP]: waiting } = signIn.state;
  if (typeof waiting !== "string") throw refused("this browser waits for none");
  const pending = pendingSchema.parse(JSON.parse(open(options.keyRing, { purpose: oidcPendingPurpose(signIn.id), sealed: waiting })));
  if (pending.connectionId !== connection.id) throw refused("this browser was sent to another provider");
  if (request.query["state"] !== pending.state) throw refused("its state is not the one that this browser was last sent away with");
  const taken = await inTransaction(options.db, visit.ctx, (work) => takeState(work, { signIn, step: STEP }));
  if (taken !== waiting) throw refused("this browser waits for it no more");
  return { signIn, pending };
}

function loginHint(value: unknown): string | undefined {
  return typeof value === "string" && value.length > 0 && value.length <= 320 ? value : undefined;
}
