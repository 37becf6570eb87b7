import { z } from "zod";
import { OUT_OF_REACH, reachedPeople, reaches } from "../../../access/policy.ts";
import type { Sql } from "../../../db/database.ts";
import { requireHoldsAll } from "../../../access/taking-over.ts";
import { OPTIONAL_NOTICES } from "../../../directory/notice-catalogue.ts";
import { NOTICE_STATES, readNotice, resendNotice, searchNotices, unknownNotice } from "../../../directory/notice-list.ts";
import { chooseNotices, noticeChoices } from "../../../directory/notice-preferences.ts";
import { lockPerson } from "../../../directory/people-checks.ts";
import { requireVersion } from "../entity-tag.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { route, type Route } from "../route.ts";
import { idParams, instant, reason, uuid } from "../schemas.ts";

const TAG = "Notices";
const VIEW = "rollcall.credentials.view";
const RESET = "rollcall.credentials.reset";

const noticeSchema = z
  .object({
    id: z.string(),
    personId: z.string(),
    person: z.string(),
    notice: z.string().describe("Its kind: `invitation`, `password.changed`."),
    channel: z.enum(["email", "sms"]),
    language: z.string().nullable().describe("In which it was sent."),
    state: z.enum(NOTICE_STATES).describe("`skipped`: there was no way to send it."),
    attempts: z.int(),
    problem: z.string().nullable().describe("Why it was not sent, in the provider's own words."),
    resendable: z.boolean(),
    createdAt: instant,
    endedAt: instant.nullable(),
  })
  .meta({ id: "Notice" });

const optional = z.enum(OPTIONAL_NOTICES);
const choices = z
  .object({
    choices: z
      .array(z.object({ notice: optional, wanted: z.boolean() }))
      .describe("Security notices are not among them: they always come."),
    version: z.int().describe("Of the choices: the same ones have the same."),
  })
  .meta({ id: "NoticeChoices" });

/** With a version that follows from the choices alone: one bit each. */
async function shownChoices(sql: Sql, personId: string): Promise<z.input<typeof choices>> {
  const chosen = await noticeChoices(sql, personId);
  return { choices: chosen, version: chosen.reduce((version, { wanted }) => version * 2 + Number(wanted), 1) };
}

export const noticeRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/notices",
    summary: "What people were told, and whether it reached a provider",
    description:
      "Within the caller's reach, newest first. Texts are not kept, only what kind of notice it was, in which language, by which way, and what became of it. `POST /notices/{id}/resend` sends one again.",
    tag: TAG,
    access: { permission: VIEW, on: "anywhere" },
    query: z.strictObject({ ...pageQuery, person: uuid.optional(), state: z.enum(NOTICE_STATES).optional() }),
    answer: pageOf(noticeSchema),
    async handler(call, { query: { limit, cursor, person, state } }) {
      const after = placeOf(cursor, z.tuple([z.iso.datetime(), uuid]));
      const within = reachedPeople(await call.reach(VIEW), { person: "p", from: 7 });
      const rows = await searchNotices(call.sql, { now: call.ctx.now(), limit: limit + 1, within, after, personId: person, state });
      return page(rows, { limit, place: ({ createdAt, id }) => [createdAt.toISOString(), id] });
    },
  }),
  route({
    method: "post",
    path: "/notices/{id}/resend",
    summary: "Send again what failed",
    description:
      "As it was, to where it was to go. Needs everything that the person may do, as it may carry a link into their account. What was sent can't be sent again: nothing is kept of it.",
    tag: TAG,
    access: { permission: RESET, on: "handler" },
    params: idParams,
    body: z.strictObject({ reason }),
    example: { reason: "The mailbox was full" },
    answer: noticeSchema,
    async handler(call, { params: { id }, body }) {
      const { ctx, sql, caller } = call;
      const reach = await call.reach(RESET);
      const { personId } = await readNotice(sql, { id, now: ctx.now() });
      if (!(await reaches(sql, { reach, thing: { personId } }))) throw unknownNotice(id, OUT_OF_REACH);
      await requireHoldsAll(call, { caller, personId });
      await resendNotice(call, { id, ...body });
      return readNotice(sql, { id, now: ctx.now() });
    },
  }),
  route({
    method: "get",
    path: "/people/{id}/notice-choices",
    summary: "Which of the optional notices a person wants",
    description: "Notices about one's own security are always sent, and are not among them.",
    tag: TAG,
    access: { permission: "rollcall.people.view", on: { person: "id" } },
    params: idParams,
    answer: choices,
    versioned: true,
    handler: ({ sql }, { params: { id } }) => shownChoices(sql, id),
  }),
  route({
    method: "patch",
    path: "/people/{id}/notice-choices",
    summary: "Turn optional notices on and off",
    description: "People choose for themselves, their managers and administrators for them. It holds from the next notice on.",
    tag: TAG,
    access: { permission: "rollcall.people.edit", on: { person: "id" } },
    params: idParams,
    body: z.partialRecord(optional, z.boolean()).describe("Those that are not named stay as they are."),
    example: { "grant.ends_soon": false },
    answer: choices,
    versioned: "if-sent",
    async handler(call, { params: { id }, body }) {
      await lockPerson(call.sql, id);
      const { version } = await shownChoices(call.sql, id);
      requireVersion({ ifVersion: call.ifVersion, version, what: "What this person wants to be told" });
      await chooseNotices(call, { personId: id, wanted: body });
      return shownChoices(call.sql, id);
    },
  }),
];
