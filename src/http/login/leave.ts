import { html } from "./html.ts";
import type { Reply } from "./page.ts";
import type { Visit } from "./visit.ts";

/**
 * Leads a browser to an identity provider. By a page that goes on at once, and not by a redirect: the policy that keeps our forms
 * here (`form-action`) holds for redirects after a form, too, and the form of the sign-in page would end at it.
 */
export function leaveTo({ response, say }: Visit, { url, provider }: { url: URL; provider: string }): Reply {
  response.setHeader("Refresh", `0; url=${url.href}`);
  // The provider has no need to know which page somebody came from.
  response.setHeader("Referrer-Policy", "no-referrer");
  return {
    title: say("pages.federation.leaving", { provider }),
    body: html`<p><a class="button" rel="noreferrer" href="${url.href}">${say("pages.federation.go", { provider })}</a></p>`,
  };
}
