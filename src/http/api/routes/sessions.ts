import { z } from "zod";
import { endOwnTokens } from "../../../auth/own-tokens.ts";
import { endSessions } from "../../../auth/sessions/end.ts";
import { listSessions, readSession } from "../../../auth/sessions/list.ts";
import { SIGN_IN_METHODS } from "../../../auth/sessions/session.ts";
import { tellPerson } from "../../../directory/notices.ts";
import { AppError } from "../../../errors.ts";
import { reaches, OUT_OF_REACH } from "../../../access/policy.ts";
import { requireNoWider } from "../narrowed.ts";
import { route, type ApiCall, type Route } from "../route.ts";
import { idParams, instant, reason } from "../schemas.ts";

const sessionSchema = z
  .object({
    id: z.uuid(),
    personId: z.uuid(),
    createdAt: instant,
    lastSeenAt: instant.describe("To the minute."),
    expiresAt: instant.describe("When it ends however busy it is."),
    address: z.string().nullable(),
    userAgent: z.string().nullable(),
    methods: z.array(z.enum(SIGN_IN_METHODS)).describe("What was proven."),
    connection: z.string().nullable().describe("The identity provider's connection."),
  })
  .meta({ id: "Session" });

const ended = z.object({ ended: z.int().min(0).describe("How many sessions were alive.") });
const because = z.strictObject({ reason });

/** Who is signed out by somebody else is told. */
async function end(call: ApiCall, which: { id: string; personId: string } | { personId: string }, why: string): Promise<{ ended: number }> {
  const { count } = await endSessions(call, { ...("id" in which ? { id: which.id } : { personId: which.personId }), reason: why });
  if (count > 0 && call.caller.personId !== which.personId)
    await tellPerson(call, { keyRing: call.options.keyRing, personId: which.personId, notice: "sessions.ended" });
  return { ended: count };
}

export const sessionRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/people/{id}/sessions",
    summary: "Where somebody is signed in",
    description: "Since when, from which network and browser, and until when at the latest. Ended ones are not listed.",
    tag: "Sessions",
    access: { permission: "rollcall.sessions.view", on: { person: "id" } },
    params: idParams,
    answer: z.object({ items: z.array(sessionSchema) }),
    handler: async ({ sql, ctx, options }, { params }) => ({
      items: await listSessions(sql, { personId: params.id, now: ctx.now(), settings: options.signIn.session }),
    }),
  }),
  route({
    method: "post",
    path: "/people/{id}/sessions/end",
    summary: "Sign somebody out everywhere",
    description:
      "Every session ends at once, that of the caller included where it is their own. Somebody else is told. With `tokens` the person's own API tokens end, too: that needs `rollcall.tokens.edit` on the person; of one's own, a token that is narrowed to nothing, or being signed in.",
    tag: "Sessions",
    access: { permission: "rollcall.sessions.end", on: { person: "id" } },
    params: idParams,
    body: because.extend({ tokens: z.boolean().default(false) }),
    example: { reason: "The laptop was stolen", tokens: true },
    answer: ended.extend({ tokens: z.int().min(0).describe("How many tokens worked.") }),
    async handler(call, { params: { id: personId }, body: { reason: why, tokens } }) {
      if (tokens && personId !== call.caller.personId) await call.require("rollcall.tokens.edit", { personId });
      else if (tokens) requireNoWider(call.caller, { permissions: null, unitIds: null });
      const endedTokens = tokens ? await endOwnTokens(call, { personId, reason: why }) : 0;
      return { ...(await end(call, { personId }, why)), tokens: endedTokens };
    },
  }),
  route({
    method: "post",
    path: "/sessions/{id}/end",
    summary: "End one session",
    description:
      "It opens nothing from the next request on; tokens and other sessions of the person stay. One that has ended already, or is out of reach, is not there (404).",
    tag: "Sessions",
    access: { permission: "rollcall.sessions.end", on: "handler" },
    params: idParams,
    body: because,
    example: { reason: "Left open on a shared computer" },
    answer: ended,
    async handler(call, { params, body }) {
      const reach = await call.reach("rollcall.sessions.end");
      const { id, personId } = await readSession(call.sql, params.id);
      if (!(await reaches(call.sql, { reach, thing: { personId } })))
        throw new AppError("not_found", `There is no session ${id}, or it has ended.`, { field: "id", cause: OUT_OF_REACH });
      return end(call, { id, personId }, body.reason);
    },
  }),
];
