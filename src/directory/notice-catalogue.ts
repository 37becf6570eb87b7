import { z } from "zod";

const text = z.string().min(1).max(500);
const moment = z.union([z.date(), z.iso.datetime({ offset: true })]).transform((at) => new Date(at).toISOString());
const factor = text.describe("`totp`, `sms`, `email`, `passkey`, `recovery` have words of their own; others stand there as they are.");
const link = z
  .url({ protocol: /^https?$/ })
  .max(2000)
  .describe("Below our own address: another is never sent.");

interface NoticeKind<S extends z.ZodObject = z.ZodObject> {
  /** What stands in the message. */
  data: S;
  /** `security`: can't be turned off. `on` and `off`: a person may choose; what holds for those who did not. */
  choice: "security" | "on" | "off";
  /** Each one is a message of its own: it has a link or a code that replaces the one before. */
  single?: true;
}

const kind = <S extends z.ZodObject>(made: NoticeKind<S>): NoticeKind<S> => made;

/** Every notice there is. Moments are given as dates or RFC 3339 and stored as the latter. */
export const NOTICES = {
  invitation: kind({ data: z.strictObject({ link, until: moment }), choice: "security", single: true }),
  "password.reset": kind({ data: z.strictObject({ link, until: moment }), choice: "security", single: true }),
  "password.changed": kind({ data: z.strictObject({}), choice: "security" }),
  /** To the old address; `shown` is what may be shown of the new one. */
  "address.changed": kind({ data: z.strictObject({ shown: text, at: moment, link, until: moment }), choice: "security", single: true }),
  "factor.added": kind({ data: z.strictObject({ factor }), choice: "security" }),
  "factor.removed": kind({ data: z.strictObject({ factor }), choice: "security" }),
  "factors.reset": kind({ data: z.strictObject({}), choice: "security" }),
  code: kind({ data: z.strictObject({ code: z.string().min(4).max(20), until: moment }), choice: "security", single: true }),
  "device.new": kind({ data: z.strictObject({ address: text, userAgent: text, at: moment }), choice: "security" }),
  "recovery_code.used": kind({ data: z.strictObject({ left: z.int().min(0) }), choice: "security" }),
  "sessions.ended": kind({ data: z.strictObject({}), choice: "security" }),
  "account.locked": kind({ data: z.strictObject({ until: moment }), choice: "security" }),
  "sign_in.linked": kind({ data: z.strictObject({ connection: text }), choice: "security" }),
  "grant.given": kind({ data: z.strictObject({ role: text, unit: text }), choice: "off" }),
  "grant.ends_soon": kind({ data: z.strictObject({ role: text, unit: text, until: moment }), choice: "on" }),
  /** To administrators: a service's token opens nothing, because who answers for it has no access. */
  "token.stopped": kind({ data: z.strictObject({ token: text }), choice: "on" }),
} as const;

export type NoticeName = keyof typeof NOTICES;
export type NoticeData<N extends NoticeName> = z.input<(typeof NOTICES)[N]["data"]>;

export const NOTICE_NAMES = Object.keys(NOTICES) as NoticeName[];

/** Those that a person may turn on and off. */
export const OPTIONAL_NOTICES = NOTICE_NAMES.filter((name) => NOTICES[name].choice !== "security");

/** Whether this is the name of a notice. */
export function isNoticeName(name: string): name is NoticeName {
  return Object.hasOwn(NOTICES, name);
}
