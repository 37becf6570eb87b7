import type { FactorKind, SentKind } from "../../auth/factors/kinds.ts";
import { canReach } from "../../directory/notices.ts";
import { relyingPartyFor, type Place } from "./enrol-place.ts";
import { html, type Html } from "./html.ts";
import { field, form, type Reply } from "./page.ts";
import type { Needs, VisitWith } from "./routes.ts";

/** A button for each kind that may be enrolled here. */
export function kindChoices<N extends Needs>({ base }: Pick<Place<N>, "base">, visit: VisitWith<N>): Html {
  const { say, options } = visit;
  const { allowed } = options.settings.factors;
  const begin = (path: string, body: Html) => form(visit, { action: `${base}/${path}`, body });
  const address = (kind: SentKind) =>
    allowed.includes(kind) &&
    canReach(options.settings, kind) &&
    begin(
      "address",
      html`<input type="hidden" name="kind" value="${kind}" />
        <h2>${say(`pages.factors.kinds.${kind}`)}</h2>
        <label for="${kind}">${say(`pages.enrol.${kind}`)}</label
        ><input
          id="${kind}"
          name="address"
          type="${kind === "sms" ? "tel" : "email"}"
          autocomplete="${kind === "sms" ? "tel" : "email"}"
          required
        />
        <button class="other">${say("pages.enrol.send")}</button>`,
    );
  return html`${
    allowed.includes("passkey") &&
    relyingPartyFor(options) !== undefined &&
    begin(
      "passkey",
      html`<h2>${say("pages.factors.kinds.passkey")}</h2>
        <button class="other">${say("pages.enrol.begin_passkey")}</button>`,
    )
  }
  ${
    allowed.includes("totp") &&
    begin(
      "totp",
      html`<h2>${say("pages.factors.kinds.totp")}</h2>
        <button class="other">${say("pages.enrol.begin_totp")}</button>`,
    )
  }
  ${address("sms")} ${address("email")}`;
}

/** Recovery codes, seen this once. */
export function recoveryCodesPage(
  { say }: Pick<VisitWith<Needs>, "say">,
  { codes, next }: { codes: readonly string[]; next: string },
): Reply {
  const body = html`<p>${say("pages.enrol.codes_why")}</p>
    <ul class="code" id="recovery-codes">
      ${codes.map((each) => html`<li>${each}</li>`)}
    </ul>
    <a class="button" href="${next}">${say("pages.enrol.codes_kept")}</a>`;
  return { title: say("pages.enrol.codes_title"), body };
}

/** Where the code that the app shows is typed. */
export function totpPage<N extends Needs>(
  { base }: Place<N>,
  visit: VisitWith<N>,
  { shown, problem, status }: { shown?: Html; problem?: Html; status?: number },
): Reply {
  const { say } = visit;
  const body = html`${problem} ${shown}
  ${form(visit, {
    action: `${base}/totp/finish`,
    body: html`${field({ name: "code", label: say("pages.enrol.code"), autocomplete: "one-time-code", inputmode: "numeric", wrong: problem !== undefined })}
      ${labelField(visit, "totp")}<button>${say("pages.enrol.finish")}</button>`,
  })}
  ${againLink(base, visit)}`;
  return { title: say("pages.factors.kinds.totp"), body, ...(status === undefined ? {} : { status }) };
}

/** Where the code that was sent is typed. */
export function codePage<N extends Needs>(
  { base }: Place<N>,
  visit: VisitWith<N>,
  { kind, problem, status }: { kind: SentKind; problem: Html; status?: number },
): Reply {
  const { say } = visit;
  const body = html`${problem}
  ${form(visit, {
    action: `${base}/address/finish`,
    body: html`<input type="hidden" name="kind" value="${kind}" />
      ${field({
        name: "code",
        label: say("pages.enrol.sent_code"),
        autocomplete: "one-time-code",
        inputmode: "numeric",
        wrong: status !== undefined,
        first: true,
      })}
      <button>${say("pages.enrol.finish")}</button>`,
  })}
  ${againLink(base, visit)}`;
  return { title: say(`pages.factors.kinds.${kind}`), body, ...(status === undefined ? {} : { status }) };
}

/** What the person calls the factor. */
export function labelField(visit: VisitWith<Needs>, kind: FactorKind): Html {
  return field({ name: "label", label: visit.say("pages.enrol.label"), value: nameOf(visit, kind) });
}

/** The way back to the choices. */
export function againLink(base: string, { say }: Pick<VisitWith<Needs>, "say">): Html {
  return html`<p><a href="${base}">${say("pages.enrol.again")}</a></p>`;
}

/** What a kind of factor is called. */
export function nameOf({ say }: Pick<VisitWith<Needs>, "say">, kind: FactorKind): string {
  return say(`pages.factors.kinds.${kind}`);
}
