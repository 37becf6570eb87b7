import { html } from "./html.ts";
import type { Reply } from "./page.ts";
import type { Visit } from "./visit.ts";

export interface LeaveOptions {
  url: URL;
  /** Posted there by a form that sends itself; absent = the address holds all. */
  fields?: Readonly<Record<string, string>> | undefined;
  provider: string;
}

/**
 * Leads a browser to an identity provider. By a page that goes on at once, and not by a redirect: the policy that keeps our forms
 * here (`form-action`) holds for redirects after a form, too, and the form of the sign-in page would end at it.
 */
export function leaveTo(visit: Visit, { url, fields, provider }: LeaveOptions): Reply {
  const { response, say } = visit;
  // The provider has no need to know which page somebody came from; forms must not come from nowhere (`Origin: null`).
  response.setHeader("Referrer-Policy", fields ? "strict-origin" : "no-referrer");
  const title = say("pages.federation.leaving", { provider });
  if (fields) return { title, body: formTo(visit, { url, fields, provider }), scripts: ["leave.js"] };
  response.setHeader("Refresh", `0; url=${url.href}`);
  return {
    title,
    body: html`<p><a class="button" rel="noreferrer" href="${url.href}">${say("pages.federation.go", { provider })}</a></p>`,
  };
}

/** Without scripts its button sends it. Browsers hold providers' own redirects after it to this page's policy, so that it names no host but a local one. */
function formTo({ response, say }: Visit, { url, fields, provider }: Required<LeaveOptions>): ReturnType<typeof html> {
  const policy = String(response.getHeader("Content-Security-Policy"));
  const where = url.protocol === "https:" ? "https:" : `https: ${url.origin}`;
  response.setHeader("Content-Security-Policy", policy.replace("form-action 'self'", `form-action 'self' ${where}`));
  return html`<form method="post" action="${url.href}" id="leave">
    ${Object.entries(fields ?? {}).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`)}
    <button>${say("pages.federation.go", { provider })}</button>
  </form>`;
}
