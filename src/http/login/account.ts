import type { Router } from "express";
import { z } from "zod";
import { endOwnTokens } from "../../auth/own-tokens.ts";
import { endSessions } from "../../auth/sessions/end.ts";
import { listSessions, readSession, type ListedSession } from "../../auth/sessions/list.ts";
import { inTransaction } from "../../db/database.ts";
import { AppError } from "../../errors.ts";
import { deviceOf } from "../../notify/user-agent.ts";
import { ownAddressPart } from "./changed-address.ts";
import { clearSecret } from "./cookies.ts";
import { endTokensField, endTokensForm } from "./end-tokens.ts";
import { html } from "./html.ts";
import type { LoginOptions } from "./options.ts";
import { form, message, type Reply } from "./page.ts";
import { pageRoute, pageRoutes, type VisitWith } from "./routes.ts";

/** Pages below /account, with the keys of their titles: what somebody steers themselves. */
const PAGES = [
  { path: "/account/password", title: "pages.account.password" },
  { path: "/account/factors", title: "pages.account.factors" },
  { path: "/account/notices", title: "pages.account.notices" },
] as const;

const endForm = endTokensForm.extend({ session: z.uuid().optional() });

/** One's own account: where one is signed in, and the way to everything else that one may change. */
export function accountRoutes(options: LoginOptions): Router {
  return pageRoutes(options, [
    pageRoute({ method: "get", path: "/account", needs: "session", handler: (visit) => accountPage(visit) }),
    pageRoute({
      method: "get",
      path: "/account/token",
      needs: "session",
      handler: ({ csrf }) => Promise.resolve({ json: { csrf } }),
    }),
    pageRoute({
      method: "post",
      path: "/account/sessions/end",
      needs: "session",
      form: endForm,
      async handler(visit, { session: asked, tokens }) {
        const { session, ctx } = visit;
        await inTransaction(visit.options.db, ctx, async (work) => {
          const { personId } = session;
          if (tokens === "end") await endOwnTokens(work, { personId, reason: "ended by the person" });
          if (asked === undefined) return endSessions(work, { personId, except: session.id, reason: "signed out by the person" });
          const found = await readSession(work.sql, asked);
          if (found.personId !== session.personId) throw new AppError("not_found", "There is no such session.", { field: "session" });
          return endSessions(work, { id: asked, reason: "signed out by the person" });
        });
        return { redirect: "/account" };
      },
    }),
  ]);
}

async function accountPage(visit: VisitWith<"session">): Promise<Reply> {
  const { session, say, options } = visit;
  const { personId } = session;
  const sql = options.db.requestPool;
  const sessions = await listSessions(sql, { personId, now: options.now(), settings: options.settings.session });
  const { rows } = await sql.query<{ name: string }>("select coalesce(display_name, user_name::text) as name from people where id = $1", [
    personId,
  ]);
  const tokens = await endTokensField(visit, personId);
  const body = html`${visit.request.query["done"] !== undefined && message("done", say("pages.account.saved"))}
    ${await ownAddressPart(visit)}
    <p>${say("pages.account.signed_in_as", { name: rows[0]?.name ?? "" })}</p>
    <ul>
      ${PAGES.map(({ path, title }) => html`<li><a href="${path}">${say(title)}</a></li>`)}
    </ul>
    <h2>${say("pages.account.sessions")}</h2>
    <table>
      ${sessions.map((each) => sessionRow(visit, each))}
    </table>
    ${
      (sessions.length > 1 || tokens !== false) &&
      form(visit, {
        action: "/account/sessions/end",
        body: html`${tokens}<button class="other">${say("pages.account.end_others")}</button>`,
      })
    }`;
  return { title: say("pages.account.title"), body };
}

function sessionRow(visit: VisitWith<"session">, listed: ListedSession) {
  const { say, session } = visit;
  const when = visit.when(listed.lastSeenAt);
  return html`<tr>
    <td>
      ${listed.userAgent === null ? "–" : deviceOf(listed.userAgent)}<br /><small
        >${listed.address ?? "–"} · ${when}${listed.connection !== null && ` · ${listed.connection}`}</small
      >
    </td>
    <td>
      ${
        listed.id === session.id
          ? say("pages.account.this_one")
          : form(visit, {
              action: "/account/sessions/end",
              body: html`<input type="hidden" name="session" value="${listed.id}" /><button class="plain">
                  ${say("pages.account.end_session")}
                </button>`,
            })
      }
    </td>
  </tr>`;
}

/** Signing out: the session ends here, whatever an identity provider does with its own. */
export async function signOut(visit: VisitWith<"session">): Promise<void> {
  await inTransaction(visit.options.db, visit.ctx, (work) => endSessions(work, { id: visit.session.id, reason: "signed out" }));
  clearSecret(visit.response, "session");
  clearSecret(visit.response, "signIn");
}
