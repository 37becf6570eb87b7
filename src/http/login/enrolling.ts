import { toString as qrCode } from "qrcode";
import { z } from "zod";
import {
  beginAddressEnrolment,
  beginTotpEnrolment,
  finishAddressEnrolment,
  finishTotpEnrolment,
  type Enrolled,
} from "../../auth/factors/enrolment.ts";
import type { FactorCall, FactorKind, SentKind } from "../../auth/factors/kinds.ts";
import { beginPasskeyEnrolment, finishPasskeyEnrolment } from "../../auth/factors/passkey-enrolment.ts";
import { registrationResponse } from "../../auth/factors/passkey-responses.ts";
import { inTransaction, type Work } from "../../db/database.ts";
import { AppError } from "../../errors.ts";
import { html, type Html } from "./html.ts";
import { field, form, message, type Reply } from "./page.ts";
import { passkeyForm, responseField } from "./passkey-form.ts";
import { pageRoute, type Needs, type VisitWith } from "./routes.ts";
import { code, relyingPartyFor, sentKind } from "./second-factor.ts";

/** Where somebody enrols a factor: on the way in, or on their account's pages. */
export interface Place<N extends Needs> {
  /** The path of its pages. */
  base: string;
  needs: N;
  /** Whose factor it will be, and the sign-in or session that it is bound to. Throws when none may be enrolled here and now. */
  who(work: Work, visit: VisitWith<N>): Promise<Pick<FactorCall, "personId" | "boundTo">>;
  /** What follows from the proof that an enrolment is. */
  proved(work: Work, visit: VisitWith<N>, kind: FactorKind): Promise<void>;
  /** The page of choices. */
  choices(visit: VisitWith<N>, shown?: { problem?: Html; status?: number }): Promise<Reply>;
  /** Where to go on, once the recovery codes are kept. */
  next: string;
}

const label = z
  .string()
  .trim()
  .max(100)
  .refine((text) => !/\p{Cc}/u.test(text), "must not hold control characters");

/** The pages and forms of enrolling at a place. */
export function enrolPages<N extends Needs>(place: Place<N>) {
  const { base, needs } = place;
  const post = <F extends z.ZodType>(path: string, schema: F, handler: (visit: VisitWith<N>, given: z.output<F>) => Promise<Reply>) =>
    pageRoute({ method: "post", path: `${base}/${path}`, needs, form: schema, handler });
  return [
    post("totp", z.object({}), (visit) => beginTotp(place, visit)),
    post("totp/finish", z.object({ code, label }), (visit, given) =>
      finish(place, visit, {
        kind: "totp",
        enrol: (work, call) => finishTotpEnrolment(work, { ...call, code: given.code, label: given.label || nameOf(visit, "totp") }),
        again: (problem) => totpPage(place, visit, { problem, status: 422 }),
      }),
    ),
    post("address", z.object({ kind: sentKind, address: z.string().trim().min(1).max(320) }), (visit, given) =>
      beginAddress(place, visit, given),
    ),
    post("address/finish", z.object({ kind: sentKind, code }), (visit, given) =>
      finish(place, visit, {
        kind: given.kind,
        enrol: (work, call) => finishAddressEnrolment(work, { ...call, ...given }),
        again: (problem) => codePage(place, visit, { kind: given.kind, problem, status: 422 }),
      }),
    ),
    post("passkey", z.object({}), (visit) => beginPasskey(place, visit)),
    post("passkey/finish", z.object({ response: responseField(registrationResponse), label }), (visit, given) =>
      finish(place, visit, {
        kind: "passkey",
        enrol: (work, call) =>
          finishPasskeyEnrolment(work, {
            ...call,
            relyingParty: requireRelyingParty(visit),
            response: given.response,
            label: given.label || nameOf(visit, "passkey"),
          }),
        again: (problem) => place.choices(visit, { problem, status: 422 }),
      }),
    ),
  ];
}

/** A button for each kind that may be enrolled here. */
export function kindChoices<N extends Needs>({ base }: Pick<Place<N>, "base">, visit: VisitWith<N>): Html {
  const { say, options } = visit;
  const { allowed } = options.settings.factors;
  const begin = (path: string, body: Html) => form(visit, { action: `${base}/${path}`, body });
  const address = (kind: SentKind) =>
    allowed.includes(kind) &&
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

function nameOf({ say }: Pick<VisitWith<Needs>, "say">, kind: FactorKind): string {
  return say(`pages.factors.kinds.${kind}`);
}

/** Runs one step of an enrolment in its transaction, which stays, whether the proof was right or wrong. */
function act<N extends Needs, T>(place: Place<N>, visit: VisitWith<N>, step: (work: Work, call: FactorCall) => Promise<T>): Promise<T> {
  const { db, keyRing, settings } = visit.options;
  return inTransaction(db, visit.ctx, async (work) =>
    step(work, { ...(await place.who(work, visit)), keyRing, settings: settings.factors }),
  );
}

async function finish<N extends Needs>(
  place: Place<N>,
  visit: VisitWith<N>,
  given: { kind: FactorKind; enrol: (work: Work, call: FactorCall) => Promise<Enrolled>; again: (problem: Html) => Promise<Reply> | Reply },
): Promise<Reply> {
  const { say } = visit;
  const enrolled = await act(place, visit, async (work, call) => {
    const done = await given.enrol(work, call);
    if (done.ok) await place.proved(work, visit, given.kind);
    return done;
  });
  if (!enrolled.ok) {
    const problem = message("problem", say(`pages.enrol.${enrolled.why}`));
    return enrolled.why === "wrong" ? given.again(problem) : place.choices(visit, { problem, status: 422 });
  }
  if (enrolled.recoveryCodes === null) return { redirect: place.next };
  return recoveryCodesPage(visit, { codes: enrolled.recoveryCodes, next: place.next });
}

async function beginTotp<N extends Needs>(place: Place<N>, visit: VisitWith<N>): Promise<Reply> {
  const { secret, uri } = await act(place, visit, async (work, call) =>
    beginTotpEnrolment(work, { ...call, account: (await accountOf(work, call.personId)).userName }),
  );
  const picture: Html = { html: await qrCode(uri, { type: "svg", margin: 2, errorCorrectionLevel: "M" }) };
  const shown = html`<p>${visit.say("pages.enrol.scan")}</p>
    <div class="qr">${picture}</div>
    <p>${visit.say("pages.enrol.key")}: <code id="key">${secret.replaceAll(/.{4}(?=.)/g, "$& ")}</code></p>`;
  return totpPage(place, visit, { shown });
}

function totpPage<N extends Needs>(
  { base }: Place<N>,
  visit: VisitWith<N>,
  { shown, problem, status }: { shown?: Html; problem?: Html; status?: number },
): Reply {
  const { say } = visit;
  const body = html`${problem} ${shown}
  ${form(visit, {
    action: `${base}/totp/finish`,
    body: html`${field({ name: "code", label: say("pages.enrol.code"), autocomplete: "one-time-code", inputmode: "numeric" })}
      ${labelField(visit, "totp")}<button>${say("pages.enrol.finish")}</button>`,
  })}
  ${againLink(base, visit)}`;
  return { title: say("pages.factors.kinds.totp"), body, ...(status === undefined ? {} : { status }) };
}

async function beginAddress<N extends Needs>(
  place: Place<N>,
  visit: VisitWith<N>,
  given: { kind: SentKind; address: string },
): Promise<Reply> {
  const { say, language } = visit;
  try {
    const { until, sentTo } = await act(place, visit, (work, call) => beginAddressEnrolment(work, { ...call, ...given }));
    const time = new Intl.DateTimeFormat(language, { timeStyle: "short" }).format(until);
    return codePage(place, visit, { kind: given.kind, problem: message("done", say("pages.enrol.sent", { to: sentTo, until: time })) });
  } catch (error) {
    if (!(error instanceof AppError) || error.field !== "address") throw error;
    return place.choices(visit, { problem: message("problem", say(`pages.enrol.not_${given.kind}`)), status: 422 });
  }
}

function codePage<N extends Needs>(
  { base }: Place<N>,
  visit: VisitWith<N>,
  { kind, problem, status }: { kind: SentKind; problem: Html; status?: number },
): Reply {
  const { say } = visit;
  const body = html`${problem}
  ${form(visit, {
    action: `${base}/address/finish`,
    body: html`<input type="hidden" name="kind" value="${kind}" />
      ${field({ name: "code", label: say("pages.enrol.sent_code"), autocomplete: "one-time-code", inputmode: "numeric" })}
      <button>${say("pages.enrol.finish")}</button>`,
  })}
  ${againLink(base, visit)}`;
  return { title: say(`pages.factors.kinds.${kind}`), body, ...(status === undefined ? {} : { status }) };
}

async function beginPasskey<N extends Needs>(place: Place<N>, visit: VisitWith<N>): Promise<Reply> {
  const { say } = visit;
  const relyingParty = requireRelyingParty(visit);
  const options = await act(place, visit, async (work, call) =>
    beginPasskeyEnrolment(work, { ...call, relyingParty, account: await accountOf(work, call.personId) }),
  );
  const body = html`<p>${say("pages.enrol.passkey")}</p>
    ${passkeyForm(visit, {
      action: `${place.base}/passkey/finish`,
      asks: "create",
      options,
      body: html`${labelField(visit, "passkey")}<button>${say("pages.enrol.begin_passkey")}</button>`,
    })}
    ${againLink(place.base, visit)}`;
  return { title: say("pages.factors.kinds.passkey"), body, scripts: ["passkey.js"] };
}

function labelField(visit: VisitWith<Needs>, kind: FactorKind): Html {
  return field({ name: "label", label: visit.say("pages.enrol.label"), value: nameOf(visit, kind) });
}

function againLink(base: string, { say }: Pick<VisitWith<Needs>, "say">): Html {
  return html`<p><a href="${base}">${say("pages.enrol.again")}</a></p>`;
}

async function accountOf({ sql }: Work, personId: string): Promise<{ userName: string; displayName: string }> {
  const { rows } = await sql.query<{ userName: string; displayName: string }>(
    `select user_name::text as "userName", coalesce(display_name, user_name::text) as "displayName" from people where id = $1`,
    [personId],
  );
  if (!rows[0]) throw new AppError("not_found", "There is no such person.", { field: "person" });
  return rows[0];
}

function requireRelyingParty({ options }: Pick<VisitWith<Needs>, "options">) {
  const relyingParty = relyingPartyFor(options);
  if (!relyingParty) throw new AppError("not_found", "There are no passkeys at this address.");
  return relyingParty;
}
