import { json, Router, urlencoded, type ErrorRequestHandler, type RequestHandler, type Response } from "express";
import type { z } from "zod";
import { requireRecent } from "../../auth/sessions/authenticate.ts";
import type { Session } from "../../auth/sessions/session.ts";
import type { SignIn } from "../../auth/sign-in/store.ts";
import { passingFailure } from "../../db/failures.ts";
import { AppError } from "../../errors.ts";
import { errorStatusOf } from "../middleware/error-status.ts";
import { requestIdOf } from "../middleware/request-id.ts";
import { secretIn } from "./cookies.ts";
import { html } from "./html.ts";
import type { LoginOptions } from "./options.ts";
import { message, pageHtml, type Reply } from "./page.ts";
import { refusalText } from "./refusals.ts";
import { ownPath } from "./return-to.ts";
import { requireOwnForm } from "./same-origin.ts";
import { formSecret, visitOf, type Visit } from "./visit.ts";

/** Who may come to a page: anybody, who has passed the first factor of a sign-in, who is signed in, who has proven it lately. */
export type Needs = "nothing" | "sign_in" | "session" | "recent_session";

/** A visit with what the route needs of it. */
export type VisitWith<N extends Needs> = Visit &
  (N extends "sign_in"
    ? { signIn: SignIn & { personId: string } }
    : N extends "session" | "recent_session"
      ? { session: Session }
      : unknown);

export interface PageRoute<N extends Needs, F extends z.ZodType> {
  method: "get" | "post";
  path: string;
  needs: N;
  /** What the form holds besides `csrf`; only for POST. */
  form?: F;
  handler(visit: VisitWith<N>, form: z.output<F>): Promise<Reply>;
}

/** A page or a form's target. Types of the form follow from its schema. */
export function pageRoute<N extends Needs, F extends z.ZodType = z.ZodUndefined>(route: PageRoute<N, F>): PageRoute<Needs, z.ZodType> {
  // The frame checks the needs and parses with the same schema before it calls the handler.
  return route as unknown as PageRoute<Needs, z.ZodType>;
}

const MOST_BYTES = 16 * 1024;

/** The routes of one part of the door. Forms are checked to be ours before anything of them is looked at. */
export function pageRoutes(options: LoginOptions, routes: readonly PageRoute<Needs, z.ZodType>[]): Router {
  const router = Router({ caseSensitive: true });
  for (const route of routes) {
    const body = [
      urlencoded({ extended: false, limit: MOST_BYTES, parameterLimit: 100, inflate: false }),
      json({ limit: MOST_BYTES, inflate: false }),
    ];
    router[route.method](route.path, ...(route.method === "post" ? body : []), handlerOf(route, options));
  }
  router.use(failed(options));
  return router;
}

function handlerOf(route: PageRoute<Needs, z.ZodType>, options: LoginOptions): RequestHandler {
  return async (request, response) => {
    response.setHeader("Cache-Control", "no-store");
    const visit = await visitOf(options, { request, response });
    response.locals["visit"] = visit;
    const body = (request.body ?? {}) as Readonly<Record<string, unknown>>;
    // Whose session has ended is led to sign in: of what they sent nothing is done.
    if (route.method === "post" && !isSignedOut(route.needs, visit))
      requireOwnForm(request, { secret: secretOf(visit), token: body["csrf"], baseUrl: options.baseUrl });
    const missing = missingOf(route.needs, visit);
    if (missing !== undefined) return missing(response);
    const { csrf: _token, ...rest } = body;
    const form = route.form ? formOf(route.form, rest) : undefined;
    reply(visit, await route.handler(visit, form));
  };
}

/** Which cookie's secret the forms of this visit are bound to. */
function secretOf({ request, session }: Visit): string | undefined {
  return formSecret({ session, sessionSecret: secretIn(request, "session"), signInSecret: secretIn(request, "signIn") });
}

function isSignedOut(needs: Needs, { session }: Visit): boolean {
  return (needs === "session" || needs === "recent_session") && !session;
}

/** What answers instead, when the visitor has not what the route needs. */
function missingOf(needs: Needs, visit: Visit): ((response: Response) => void) | undefined {
  const { request, session, signIn, options } = visit;
  const back = request.method === "GET" ? `?return_to=${encodeURIComponent(ownPath(request.originalUrl))}` : "";
  if (needs === "sign_in" && (!signIn || signIn.personId === null || (signIn.firstMethod === null && signIn.purpose === "sign_in")))
    return (response) => response.redirect(303, "/login");
  if (isSignedOut(needs, visit)) return (response) => response.redirect(303, `/login${back}`);
  if (needs === "recent_session" && session)
    requireRecent(session, { now: options.now(), minutes: options.settings.session.stepUpMinutes });
  return undefined;
}

/** PostgreSQL has no word for U+0000. */
function formOf(schema: z.ZodType, body: Readonly<Record<string, unknown>>): unknown {
  const [unstorable] = Object.entries(body).filter(([, value]) => typeof value === "string" && value.includes("\0"));
  if (unstorable) throw new AppError("invalid", "The form holds a character that can't be kept (U+0000).", { field: unstorable[0] });
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => ({ field: issue.path.map(String).join("."), message: issue.message }));
  throw new AppError("invalid", problems.map(({ field, message: text }) => `${field}: ${text}`).join("; "), { problems });
}

/** Sends what a route answered. */
export function reply(visit: Visit, answer: Reply): void {
  const { response } = visit;
  if ("sent" in answer) return;
  if ("redirect" in answer) return void response.redirect(303, answer.redirect);
  if ("json" in answer) return void response.status(answer.status ?? 200).json(answer.json);
  response
    .status(answer.status ?? 200)
    .type("html")
    .send(pageHtml(answer, visit));
}

/** An error as a page, or as JSON to our own scripts. Who must prove again that it is them is sent to do so. */
export function failed({ log, texts }: LoginOptions): ErrorRequestHandler {
  return (error, request, response, next) => {
    if (response.headersSent) return next(error);
    const visit = response.locals["visit"] as Visit | undefined;
    const known = error instanceof AppError ? error : (refusedByExpress(error) ?? passingFailure(error));
    const status = known ? errorStatusOf(known) : 500;
    if (status >= 500) log.error({ err: error, correlationId: requestIdOf(response) }, "a request failed");
    const wantsJson = request.is("json") !== false && request.is("json") !== null;
    if (known?.field === "step_up" && visit && !wantsJson) {
      const back = request.method === "GET" ? request.originalUrl : "/account";
      return response.redirect(303, `/login/step-up?return_to=${encodeURIComponent(ownPath(back))}`);
    }
    // What the parsers refuse comes before anybody is known.
    const reader = visit ?? { ...texts.forRequest(request.headers["accept-language"]), session: undefined, csrf: "" };
    const text = known ? refusalText(known, reader.say) : reader.say("pages.error.internal");
    if (known?.retryAfter !== undefined) response.setHeader("Retry-After", String(Math.max(1, Math.ceil(known.retryAfter))));
    response.status(status);
    if (wantsJson) return response.json({ code: known?.code ?? "internal", message: text, field: known?.field, problems: known?.problems });
    const title = reader.say("pages.error.title");
    return response.type("html").send(
      pageHtml(
        {
          title,
          body: html`${message("problem", text)}
            <p><a href="/login">${reader.say("pages.error.back")}</a></p>`,
        },
        reader,
      ),
    );
  };
}

/** What Express's own parsers refuse: a body too large, or of a form that can't be read. */
function refusedByExpress(error: unknown): AppError | undefined {
  const status: unknown = (error as { status?: unknown } | null)?.status;
  if (status === 413) return new AppError("too_large", "This is more than a form of this page holds.");
  if (status === 415) return new AppError("unsupported_type", "Forms are sent as application/x-www-form-urlencoded.");
  return typeof status === "number" && status >= 400 && status < 500 ? new AppError("invalid", "The request can't be read.") : undefined;
}
