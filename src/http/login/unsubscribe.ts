import type { RequestHandler, Router } from "express";
import { chooseNotices } from "../../directory/notice-preferences.ts";
import { readUnsubscribeToken, type Unsubscription } from "../../directory/unsubscribing.ts";
import { inTransaction } from "../../db/database.ts";
import { AppError } from "../../errors.ts";
import { textKeyOf } from "../../notify/render.ts";
import { html, type Html } from "./html.ts";
import type { LoginOptions } from "./options.ts";
import { message, type Reply } from "./page.ts";
import { failed, pageRoute, pageRoutes, reply } from "./routes.ts";
import { visitOf, type Visit } from "./visit.ts";

const PATH = "/unsubscribe/:token";

/**
 * Turning off one kind of optional message from the message itself. Looking at the page changes nothing, as mail scanners look; a POST does,
 * from the page's button or from the mail program (RFC 8058), which has no cookie and no token of a form: what is signed in the address
 * says enough, and lets nobody do anything else.
 */
export function unsubscribeRoutes(options: LoginOptions): Router {
  const router = pageRoutes(options, [
    pageRoute({
      method: "get",
      path: PATH,
      needs: "nothing",
      handler: (visit) => ifItWorks(visit, async () => askPage(visit, await read(visit))),
    }),
  ]);
  router.post(PATH, oneClick(options));
  router.use(failed(options));
  return router;
}

/** The body says nothing that the address does not, and is not read. No redirect: RFC 8058 section 3.2 forbids it. */
function oneClick(options: LoginOptions): RequestHandler {
  return async (request, response) => {
    response.setHeader("Cache-Control", "no-store");
    const visit = await visitOf(options, { request, response });
    response.locals["visit"] = visit;
    reply(
      visit,
      await ifItWorks(visit, async () => {
        const { personId, notice } = await read(visit);
        const ctx = { ...visit.ctx, actor: "system" as const };
        await inTransaction(options.db, ctx, (work) => chooseNotices(work, { personId, wanted: { [notice]: false } }));
        return page(visit, { body: message("done", visit.say("pages.unsubscribe.done")) });
      }),
    );
  };
}

function read({ options, request }: Visit): Promise<Unsubscription> {
  return readUnsubscribeToken(options.db.requestPool, { token: String(request.params["token"]), keyRing: options.keyRing });
}

function askPage(visit: Visit, { notice }: Unsubscription): Reply {
  const { say, request } = visit;
  return page(visit, {
    body: html`<p>${say("pages.unsubscribe.ask", { notice: say(`notices.names.${textKeyOf(notice)}`) })}</p>
      <form method="post" action="${request.path}">
        <input type="hidden" name="List-Unsubscribe" value="One-Click" /><button>${say("pages.unsubscribe.submit")}</button>
      </form>`,
  });
}

async function ifItWorks(visit: Visit, act: () => Promise<Reply>): Promise<Reply> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof AppError) || error.field !== "link") throw error;
    return page(visit, { body: message("problem", visit.say("pages.unsubscribe.dead")), status: 403 });
  }
}

function page({ say }: Visit, { body, status = 200 }: { body: Html; status?: number }): Reply {
  return {
    title: say("pages.unsubscribe.title"),
    body: html`${body}
      <p><a href="/account/notices">${say("pages.unsubscribe.choose")}</a></p>`,
    status,
  };
}
