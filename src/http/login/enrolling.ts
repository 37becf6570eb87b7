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
import type { Work } from "../../db/database.ts";
import { canReach } from "../../directory/notices.ts";
import { AppError } from "../../errors.ts";
import { againLink, codePage, labelField, nameOf, recoveryCodesPage, totpPage } from "./enrol-pages.ts";
import { accountOf, act, requireRelyingParty, type Place } from "./enrol-place.ts";
import { html, type Html } from "./html.ts";
import { message, type Reply } from "./page.ts";
import { passkeyForm, responseField } from "./passkey-form.ts";
import { pageRoute, type Needs, type VisitWith } from "./routes.ts";
import { code, sentKind } from "./second-factor.ts";

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
            relyingParty: requireRelyingParty(visit.options),
            response: given.response,
            label: given.label || nameOf(visit, "passkey"),
          }),
        again: (problem) => place.choices(visit, { problem, status: 422 }),
      }),
    ),
  ];
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

async function beginAddress<N extends Needs>(
  place: Place<N>,
  visit: VisitWith<N>,
  given: { kind: SentKind; address: string },
): Promise<Reply> {
  const { say, options } = visit;
  if (!canReach(options.settings, given.kind))
    throw new AppError("forbidden", "No codes can be sent this way here: choose another.", { field: "kind" });
  try {
    const { until, sentTo } = await act(place, visit, (work, call) => beginAddressEnrolment(work, { ...call, ...given }));
    return codePage(place, visit, {
      kind: given.kind,
      problem: message("done", say("pages.enrol.sent", { to: sentTo, until: visit.when(until) })),
    });
  } catch (error) {
    if (!(error instanceof AppError) || error.field !== "address") throw error;
    return place.choices(visit, { problem: message("problem", say(`pages.enrol.not_${given.kind}`)), status: 422 });
  }
}

async function beginPasskey<N extends Needs>(place: Place<N>, visit: VisitWith<N>): Promise<Reply> {
  const { say } = visit;
  const relyingParty = requireRelyingParty(visit.options);
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
