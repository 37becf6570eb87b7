import type { Router } from "express";
import { z } from "zod";
import { factorsOf, removeFactor, type KeptFactor } from "../../auth/factors/factors.ts";
import type { Factor } from "../../auth/factors/kinds.ts";
import { factorNeeded } from "../../auth/factors/needed.ts";
import { makeRecoveryCodes, recoveryCodesLeft } from "../../auth/factors/recovery-codes.ts";
import { inTransaction } from "../../db/database.ts";
import { lockPerson } from "../../directory/people-checks.ts";
import { AppError } from "../../errors.ts";
import { kindChoices, recoveryCodesPage } from "./enrol-pages.ts";
import type { Place } from "./enrol-place.ts";
import { enrolPages } from "./enrolling.ts";
import { html, type Html } from "./html.ts";
import type { LoginOptions } from "./options.ts";
import { form, message, type Reply } from "./page.ts";
import { pageRoute, pageRoutes, type VisitWith } from "./routes.ts";

const PAGE = "/account/factors";
const KEPT: Readonly<Record<KeptFactor, string>> = { factor: "pages.factors.last", last_way_in: "pages.factors.last_way_in" };
type Recent = VisitWith<"recent_session">;

const ON_ACCOUNT: Place<"recent_session"> = {
  base: `${PAGE}/add`,
  needs: "recent_session",
  next: PAGE,
  who: async (_work, { session: { id, personId } }) => ({ personId, boundTo: `session:${id}` }),
  proved: async () => undefined,
  async choices(visit, { problem, status } = {}) {
    const body = html`${problem} ${kindChoices(ON_ACCOUNT, visit)}`;
    return { title: visit.say("pages.enrol.title"), body, ...(status === undefined ? {} : { status }) };
  },
};

/** One's own second factors. Everything here wants a proof that is fresh: also who left a session open must not lose them. */
export function accountFactorRoutes(options: LoginOptions): Router {
  const needs = "recent_session";
  return pageRoutes(options, [
    pageRoute({ method: "get", path: PAGE, needs, handler: (visit) => page(visit) }),
    pageRoute({ method: "get", path: ON_ACCOUNT.base, needs, handler: (visit) => ON_ACCOUNT.choices(visit) }),
    pageRoute({ method: "post", path: `${PAGE}/remove`, needs, form: z.object({ factor: z.uuid() }), handler: remove }),
    pageRoute({ method: "post", path: `${PAGE}/recovery-codes`, needs, form: z.object({}), handler: renewCodes }),
    ...enrolPages(ON_ACCOUNT),
  ]);
}

async function remove(visit: Recent, { factor: factorId }: { factor: string }): Promise<Reply> {
  const { session, options, say } = visit;
  try {
    await inTransaction(options.db, visit.ctx, (work) =>
      removeFactor(work, { keyRing: options.keyRing, personId: session.personId, factorId, keepSession: session.id }),
    );
  } catch (error) {
    const why = error instanceof AppError && error.code === "conflict" && error.field === "last_way_in" ? "last_way_in" : "factor";
    if (!(error instanceof AppError) || error.code !== "conflict") throw error;
    return page(visit, { problem: message("problem", say(KEPT[why])), status: 409 });
  }
  return { redirect: PAGE };
}

async function renewCodes(visit: Recent): Promise<Reply> {
  const { personId } = visit.session;
  const codes = await inTransaction(visit.options.db, visit.ctx, async (work) => {
    await lockPerson(work.sql, personId);
    return (await factorsOf(work.sql, personId)).length === 0 ? null : makeRecoveryCodes(work, personId);
  });
  return codes === null ? { redirect: PAGE } : recoveryCodesPage(visit, { codes, next: PAGE });
}

async function page(visit: Recent, { problem, status }: { problem?: Html; status?: number } = {}): Promise<Reply> {
  const { session, options, say } = visit;
  const { personId } = session;
  const sql = options.db.requestPool;
  const factors = await factorsOf(sql, personId);
  const left = await recoveryCodesLeft(sql, personId);
  const needed = await factorNeeded(sql, { personId, at: options.now() });
  const body = html`${problem}
    <p>${say("pages.factors.intro")} ${needed && say("pages.factors.needed")}</p>
    ${
      factors.length === 0
        ? html`<p>${say("pages.factors.none")}</p>`
        : html`<table>
            ${factors.map((factor) => row(visit, factor))}
          </table>`
    }
    <p><a class="button" href="${ON_ACCOUNT.base}">${say("pages.factors.add")}</a></p>
    ${
      factors.length > 0 &&
      html`<h2>${say("pages.enrol.codes_title")}</h2>
        <p>${say("pages.factors.left", { left })}</p>
        ${form(visit, { action: `${PAGE}/recovery-codes`, body: html`<button class="other">${say("pages.factors.new_codes")}</button>` })}`
    }`;
  return { title: say("pages.factors.title"), body, ...(status === undefined ? {} : { status }) };
}

function row(visit: Recent, { id, kind, label, lastUsedAt }: Factor): Html {
  const { say } = visit;
  const kindName = say(`pages.factors.kinds.${kind}`);
  const when = lastUsedAt && visit.when(lastUsedAt);
  return html`<tr>
    <td>
      ${kindName}${label !== kindName && html`: ${label}`}<br /><small
        >${when ? say("pages.factors.used", { when }) : say("pages.factors.never_used")}</small
      >
    </td>
    <td>
      ${form(visit, {
        action: `${PAGE}/remove`,
        body: html`<input type="hidden" name="factor" value="${id}" /><button
            class="plain"
            aria-label="${say("pages.factors.remove")} ${label}"
          >
            ${say("pages.factors.remove")}
          </button>`,
      })}
    </td>
  </tr>`;
}
