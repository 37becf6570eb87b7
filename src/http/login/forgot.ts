import type { Router } from "express";
import { z } from "zod";
import { askForReset } from "../../auth/links/forgot.ts";
import { canReach } from "../../directory/notices.ts";
import { anonymousForm } from "./anonymous-form.ts";
import { html } from "./html.ts";
import { loginName } from "./login-name.ts";
import type { LoginOptions } from "./options.ts";
import { field, form, message, type Reply } from "./page.ts";
import { pageRoute, pageRoutes } from "./routes.ts";
import type { Visit } from "./visit.ts";

/** Asking for another password. Whoever asks, about whomever: the same is done and said. */
export function forgotRoutes(options: LoginOptions): Router {
  return pageRoutes(options, [
    pageRoute({ method: "get", path: "/login/forgot", needs: "nothing", handler: async (visit) => askPage(visit) }),
    pageRoute({
      method: "post",
      path: "/login/forgot",
      needs: "nothing",
      form: z.object({ name: loginName }),
      async handler(visit, { name }) {
        const { options: door, address, say } = visit;
        if (!canReach(door.settings)) return askPage(visit);
        // Nobody is looked up here: limits go by what was typed.
        await door.limits.take({ kind: "link", address, name, personId: null, device: null });
        await askForReset({ sql: door.db.requestPool }, { name, keyRing: door.keyRing });
        const body = html`${message("done", say("pages.forgot.asked"))}
          <p><a href="/login">${say("pages.error.back")}</a></p>`;
        return { title: say("pages.forgot.title"), body };
      },
    }),
  ]);
}

function askPage(visit: Visit): Reply {
  const { say, options } = visit;
  const title = say("pages.forgot.title");
  if (!canReach(options.settings))
    return {
      title,
      body: html`<p>${say("pages.forgot.ask_administrator")}</p>
        <p><a href="/login">${say("pages.error.back")}</a></p>`,
    };
  const body = html`<p>${say("pages.forgot.why")}</p>
    ${form(anonymousForm(visit), {
      action: "/login/forgot",
      body: html`${field({ name: "name", label: say("pages.sign_in.name"), autocomplete: "username", first: true })}<button>
          ${say("pages.forgot.submit")}
        </button>`,
    })}
    <p><a href="/login">${say("pages.error.back")}</a></p>`;
  return { title, body };
}
