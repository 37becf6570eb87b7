import type { Router } from "express";
import { z } from "zod";
import { inTransaction } from "../../db/database.ts";
import { OPTIONAL_NOTICES } from "../../directory/notice-catalogue.ts";
import { chooseNotices, noticeChoices } from "../../directory/notice-preferences.ts";
import { textKeyOf } from "../../notify/render.ts";
import { html } from "./html.ts";
import type { LoginOptions } from "./options.ts";
import { form, message, type Reply } from "./page.ts";
import { pageRoute, pageRoutes, type VisitWith } from "./routes.ts";

const PATH = "/account/notices";

/** A box that is not ticked is not sent. */
const choicesForm = z.strictObject(Object.fromEntries(OPTIONAL_NOTICES.map((notice) => [notice, z.literal("on").optional()])));

/** Which messages one wants; those about security always come. */
export function noticesRoutes(options: LoginOptions): Router {
  return pageRoutes(options, [
    pageRoute({ method: "get", path: PATH, needs: "session", handler: (visit) => choicesPage(visit) }),
    pageRoute({
      method: "post",
      path: PATH,
      needs: "session",
      form: choicesForm,
      async handler({ session, ctx }, ticked) {
        const wanted = Object.fromEntries(OPTIONAL_NOTICES.map((notice) => [notice, ticked[notice] === "on"]));
        await inTransaction(options.db, ctx, (work) => chooseNotices(work, { personId: session.personId, wanted }));
        return { redirect: `${PATH}?done=1` };
      },
    }),
  ]);
}

async function choicesPage(visit: VisitWith<"session">): Promise<Reply> {
  const { session, say, options, request } = visit;
  const choices = await noticeChoices(options.db.requestPool, session.personId);
  const boxes = choices.map(
    ({ notice, wanted }) =>
      html`<label
        ><input type="checkbox" name="${notice}" ${wanted && html` checked`} /> ${say(`notices.names.${textKeyOf(notice)}`)}</label
      >`,
  );
  const body = html`${request.query["done"] !== undefined && message("done", say("pages.notices.saved"))}
    <p>${say("pages.notices.intro")}</p>
    ${form(visit, { action: PATH, body: html`${boxes}<button>${say("pages.notices.save")}</button>` })}`;
  return { title: say("pages.notices.title"), body };
}
