import type { Router } from "express";
import { z } from "zod";
import { answerByLink, confirmOwnAddress, findTold, type AddressAnswer } from "../../auth/addresses/answer.ts";
import { shownAddress } from "../../auth/addresses/shown-address.ts";
import { unsettledAddress } from "../../auth/addresses/standing.ts";
import { inTransaction } from "../../db/database.ts";
import { anonymousForm } from "./anonymous-form.ts";
import { html, type Html } from "./html.ts";
import { linkCode } from "./link-code.ts";
import type { LoginOptions } from "./options.ts";
import { form, message, type Reply } from "./page.ts";
import { pageRoute, pageRoutes, type VisitWith } from "./routes.ts";
import { codePage, tryLink, unlessDead } from "./try-link.ts";
import type { Visit } from "./visit.ts";

const PAGE = "/login/address";

/**
 * Where the old e-mail address is led that was told of a new one, to say whether that was them; and, on one's account, where the new one
 * is said to be one's own. As with all links, looking at the page changes nothing.
 */
export function changedAddressRoutes(options: LoginOptions): Router {
  return pageRoutes(options, [
    pageRoute({ method: "get", path: PAGE, needs: "nothing", handler: async (visit) => codePage(visit, { action: PAGE }) }),
    pageRoute({
      method: "post",
      path: PAGE,
      needs: "nothing",
      form: z.object({ code: linkCode }),
      handler: (visit, { code }) => unlessDead(visit, { action: PAGE, act: () => askPage(visit, code) }),
    }),
    pageRoute({
      method: "post",
      path: `${PAGE}/answer`,
      needs: "nothing",
      form: z.object({ code: linkCode, answer: z.enum(["mine", "not_mine"]) }),
      handler: (visit, given) => unlessDead(visit, { action: PAGE, act: () => answered(visit, given) }),
    }),
    pageRoute({
      method: "post",
      path: "/account/address",
      needs: "recent_session",
      form: z.object({}),
      async handler({ session, ctx }) {
        await inTransaction(options.db, ctx, (work) => confirmOwnAddress(work, session));
        return { redirect: "/account?done=1" };
      },
    }),
  ]);
}

/** What the person is asked on their account's page about an address that is waited for; undefined when there is nothing to ask. */
export async function ownAddressPart(visit: VisitWith<"session">): Promise<Html | undefined> {
  const { session, options, say } = visit;
  const waiting = await unsettledAddress(options.db.requestPool, {
    personId: session.personId,
    now: options.now(),
    settings: options.settings.addresses,
  });
  if (!waiting) return undefined;
  const shown = shownAddress(waiting.change.newAddress);
  const text =
    waiting.until === null
      ? say("pages.address.denied", { shown })
      : say("pages.address.waiting", { shown, until: visit.when(waiting.until) });
  return html`${message("problem", text)}
  ${form(visit, { action: "/account/address", body: html`<button class="other">${say("pages.address.mine")}</button>` })}`;
}

async function askPage(visit: Visit, code: string): Promise<Reply> {
  const { say, options } = visit;
  const change = await tryLink(visit, { look: () => findTold(options.db.requestPool, { token: code, now: options.now() }) });
  const answer = (value: AddressAnswer, other: boolean) =>
    html`<button name="answer" value="${value}" ${other && html`class="other"`}>${say(`pages.address.${value}`)}</button>`;
  const body = html`<p>${say("pages.address.asked", { shown: shownAddress(change.newAddress), at: visit.when(change.at) })}</p>
    ${form(anonymousForm(visit), {
      action: `${PAGE}/answer`,
      body: html`<input type="hidden" name="code" value="${code}" />
        <p class="answers">${answer("not_mine", false)} ${answer("mine", true)}</p>`,
    })}`;
  return { title: say("pages.address.title"), body };
}

async function answered(visit: Visit, { code, answer }: { code: string; answer: AddressAnswer }): Promise<Reply> {
  const { say, options } = visit;
  const ctx = visit.session ? visit.ctx : { ...visit.ctx, actor: "system" as const };
  await tryLink(visit, { look: () => inTransaction(options.db, ctx, (work) => answerByLink(work, { token: code, answer })) });
  const body = html`${message("done", say(`pages.address.${answer}_done`))}
    <p><a href="/account">${say("pages.account.title")}</a></p>`;
  return { title: say("pages.address.title"), body };
}
