import { z } from "zod";
import { refuseLastAdministrator } from "../../../access/last-administrator.ts";
import { lockRules } from "../../../access/rule-lock.ts";
import { personBehind } from "../../../access/policy.ts";
import { requireMayShutOutOrLetIn } from "../../../access/shutting-out.ts";
import type { LifecycleAction } from "../../../directory/lifecycle-transitions.ts";
import { lockPerson } from "../../../directory/people-checks.ts";
import { changeLifecycle } from "../../../directory/person-lifecycle.ts";
import { followPeople } from "../../../sync/local-people.ts";
import { AppError } from "../../../errors.ts";
import { requireVersion } from "../entity-tag.ts";
import { personSchema } from "../people/schemas.ts";
import { personView } from "../people/view.ts";
import { route, type ApiCall, type Route } from "../route.ts";
import { idParams, moment, reason } from "../schemas.ts";

const base = {
  method: "post",
  locks: "administrators",
  tag: "People",
  access: { permission: "rollcall.people.lifecycle", on: { person: "id" } },
  params: idParams,
  answer: personSchema,
  // Somebody who must be kept out is, without a reading before it.
  versioned: "if-sent",
} as const;

async function change(call: ApiCall, given: { personId: string; action: LifecycleAction; reason: string; until?: Date | null }) {
  const takesAway = given.action !== "activate" && given.until !== null;
  await requireMayShutOutOrLetIn(call, { caller: call.caller, personId: given.personId, onceIn: given.action === "activate" });
  if (takesAway) await refuseLastAdministrator(call, { personId: given.personId, passing: given.action === "suspend" });
  await lockRules(call.sql, "shared");
  const { version, userName } = await lockPerson(call.sql, given.personId);
  requireVersion({ ifVersion: call.ifVersion, version, what: `The person ${userName}` });
  await changeLifecycle(call, { ...given, oneself: personBehind(call.caller) === given.personId });
  await followPeople(call, [given.personId]);
  return personView(call, given.personId);
}

const because = z.strictObject({ reason });

export const personLifecycleRoutes: readonly Route[] = [
  route({
    ...base,
    path: "/people/{id}/suspend",
    summary: "Suspend: access, sessions and tokens end at once",
    description:
      "In the same transaction: no sign-in, no session, no token, no permission from now on, whatever is delivered later. Grants stay, and hold again after `POST /people/{id}/activate`. Refused for the last administrator (409) and to who holds less in Rollcall than the person does (403).",
    body: because,
    example: { reason: "Lost the badge; until it is found" },
    handler: (call, { params, body }) => change(call, { personId: params.id, action: "suspend", ...body }),
  }),
  route({
    ...base,
    path: "/people/{id}/activate",
    summary: "Let somebody in again",
    description:
      "Lifts what was decided by hand, and an end of access that was reached. What an origin decided ends there: the answer says which blocks are left. Like every change of somebody's access it is refused (403) to who holds less in Rollcall than the person does, or will by rules once they are in.",
    body: because,
    example: { reason: "Back from parental leave" },
    handler: (call, { params, body }) => change(call, { personId: params.id, action: "activate", ...body }),
  }),
  route({
    ...base,
    path: "/people/{id}/deactivate",
    summary: "Deactivate: access ends and the person's own grants are withdrawn; what they own stays theirs",
    description:
      "For somebody who leaves. Grants made to them by hand are withdrawn and don't come back when they are activated; those of groups and rules follow their memberships. Refused for the last administrator (409) and to who holds less in Rollcall than the person does (403). Deleting somebody for good is `DELETE /people/{id}`.",
    body: because,
    example: { reason: "Left the company" },
    handler: (call, { params, body }) => change(call, { personId: params.id, action: "deactivate", ...body }),
  }),
  route({
    ...base,
    path: "/people/{id}/expire",
    summary: "Set when somebody's access ends, or that it doesn't",
    description:
      "At that very instant there is no access, however late the job that carries it out. An instant that is past is refused (422): suspend instead. Who was shut out by an end that was reached is let in again with `activate`.",
    body: z.strictObject({
      until: moment.nullable().describe("The instant at which there is no access any more; null takes the end away."),
      reason,
    }),
    example: { until: "2027-09-01T00:00:00Z", reason: "The contract ends" },
    handler(call, { params, body }) {
      if (body.until !== null && body.until <= call.ctx.now())
        throw new AppError("invalid", "until: lies in the past; suspend the person instead.", { field: "until" });
      return change(call, { personId: params.id, action: "expire", ...body });
    },
  }),
];
