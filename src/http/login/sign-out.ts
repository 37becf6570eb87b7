import type { Router } from "express";
import { html } from "./html.ts";
import { signOut } from "./account.ts";
import type { LoginOptions } from "./options.ts";
import { form } from "./page.ts";
import { pageRoute, pageRoutes } from "./routes.ts";

/** How a part that signs people in elsewhere signs them out there too: an address to go to next, or undefined. */
export type ElsewhereSignOut = (options: LoginOptions, session: { id: string; connectionId: number }) => Promise<string | undefined>;

/** Signing out: here, and then at the identity provider that the session came from, where it takes part. */
export function signOutRoutes(options: LoginOptions, elsewhere: readonly ElsewhereSignOut[]): Router {
  return pageRoutes(options, [
    pageRoute({
      method: "get",
      path: "/logout",
      needs: "session",
      async handler(visit) {
        const { say } = visit;
        return {
          title: say("pages.account.sign_out"),
          body: form(visit, { action: "/logout", body: html`<button>${say("pages.account.sign_out")}</button>` }),
        };
      },
    }),
    pageRoute({
      method: "post",
      path: "/logout",
      needs: "session",
      async handler(visit) {
        const { id, connectionId } = visit.session;
        const addresses = connectionId === null ? [] : await Promise.all(elsewhere.map((ask) => ask(options, { id, connectionId })));
        await signOut(visit);
        return { redirect: addresses.find((address) => address !== undefined) ?? "/login" };
      },
    }),
  ]);
}
