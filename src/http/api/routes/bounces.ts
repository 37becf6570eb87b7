import { z } from "zod";
import { OUT_OF_REACH, personBehind, reaches } from "../../../access/policy.ts";
import { noteBounce } from "../../../directory/bounces.ts";
import { readNotice, unknownNotice } from "../../../directory/notice-list.ts";
import { route, type Route } from "../route.ts";
import { idParams } from "../schemas.ts";

const VIEW = "rollcall.credentials.view";
export const bounceRoutes: readonly Route[] = [
  route({
    method: "post",
    path: "/notices/{id}/bounce",
    summary: "Say that a mail came back",
    description:
      "For whatever reads the mailbox of bounces, or takes them from the mail service: `id` is the part of the mail's `Message-ID` before the `@`. The notice has failed then, and an address where there is nobody is marked. It changes nothing else, so that the right to see credentials' standing is enough.",
    tag: "Notices",
    access: { permission: VIEW, on: "handler" },
    params: idParams,
    body: z.strictObject({
      recipient: z.email().max(320).describe("Final-Recipient of the delivery status notification (RFC 3464)."),
      status: z
        .string()
        .regex(/^5\.\d{1,3}\.\d{1,3}$/, "must be an enhanced status code of class 5, as 5.1.1: others are tried again by the mail server")
        .describe("Its Status (RFC 3463)."),
      diagnostic: z.string().max(4000).optional().describe("Its Diagnostic-Code."),
    }),
    example: { recipient: "ada@example.com", status: "5.1.1", diagnostic: "550 5.1.1 There is no such mailbox" },
    status: 204,
    async handler(call, { params: { id }, body }) {
      const { ctx, sql, options } = call;
      const { personId } = await readNotice(sql, { id, now: ctx.now() });
      const reach = await call.reach(VIEW);
      // Nobody says it of their own mail: it is for administrators to read.
      if (personBehind(call.caller) === personId || !(await reaches(sql, { reach, thing: { personId } })))
        throw unknownNotice(id, OUT_OF_REACH);
      await noteBounce(call, { id, ...body, keyRing: options.keyRing });
      return undefined;
    },
  }),
];
