import type { z } from "zod";
import { requireMayGiveByRules, watchRules } from "../../../access/indirect-giving.ts";
import { inviteWhenSaved } from "../../../auth/links/hand-out.ts";
import { keepingAdministratorsAmong } from "../../../access/last-administrator.ts";
import { lockRules } from "../../../access/rule-lock.ts";
import { checkedCustomValues } from "../../../directory/custom-values.ts";
import { listCustomAttributes } from "../../../directory/custom-attributes.ts";
import { lockPerson, lockReportingLines } from "../../../directory/people-checks.ts";
import { noteVouching } from "../../../directory/vouching.ts";
import { createLocalPerson, editPersonHere } from "../../../sync/local-people.ts";
import { requireVersion } from "../entity-tag.ts";
import { changesOf } from "../people/contribution.ts";
import { isReaddressed, refuseForeignAttributes, refuseHiddenAttributes } from "../people/edit-rights.ts";
import { refuseLeadingStrangers, requireSeenManager } from "../people/leading.ts";
import { peopleAnswer, peoplePage, peopleQuery } from "../people/list.ts";
import { personInput, personPatch, personSchema } from "../people/schemas.ts";
import { personView } from "../people/view.ts";
import { route, type ApiCall, type Route } from "../route.ts";
import { idParams } from "../schemas.ts";

const TAG = "People";

export const peopleRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/people",
    summary: "The people in the caller's reach: search, filters, pages",
    description:
      "With `q`, the best matches come first: whole logins, addresses and names, then beginnings, then parts. Where more than two thousand match, they come by name.",
    tag: TAG,
    access: { permission: "rollcall.people.view", on: "anywhere" },
    query: peopleQuery,
    answer: peopleAnswer,
    handler: (call, { query }) => peoplePage(call, query),
  }),
  route({
    method: "post",
    path: "/people",
    summary: "Add a person",
    description:
      "The person's origin is `local`. Needs the permission on each of the units named; on the organisation when none is. An origin that lists the person later takes over what it gives. Who is saved as `invited` is sent an invitation, where that is set up.",
    tag: TAG,
    access: { permission: "rollcall.people.create", on: "handler" },
    body: personInput,
    example: {
      userName: "grace.hopper",
      name: { givenName: "Grace", familyName: "Hopper" },
      emails: [{ value: "grace@example.com", type: "work", primary: true }],
      title: "Engineer",
      preferredLanguage: "en",
      unitIds: ["5f0c1b86-3c1e-4c55-9d0a-2f0f6f1f7a11"],
      state: "invited",
      reason: "Starts on Monday",
    },
    status: 201,
    answer: personSchema,
    idempotent: true,
    async handler(call, { body }) {
      const { unitIds, state, ...given } = body;
      if (unitIds.length === 0) await call.require("rollcall.people.create", { organisation: true });
      for (const unitId of unitIds) await call.require("rollcall.people.create", { unitId });
      if (given.managerId != null) await requireSeenManager(call, given.managerId);
      const custom = checkedCustomValues(await listCustomAttributes(call.sql), { values: given.custom ?? {}, whole: true });
      const contribution = changesOf(given, custom);
      const names = given.name ?? {};
      const called = [names.givenName, names.familyName].filter(Boolean).join(" ");
      if (contribution["displayName"] == null && (names.formatted ?? called)) contribution["displayName"] = names.formatted ?? called;
      const watch = await watchRules(call.sql, { caller: call.caller, at: call.ctx.now() });
      const id = await createLocalPerson(call, { contribution, unitIds, state, reason: body.reason });
      const { everything, organisation } = await call.reach("rollcall.people.create");
      await noteVouching(call, { said: [{ personId: id, keys: Object.keys(contribution) }], everywhere: everything || organisation });
      await requireMayGiveByRules(call.sql, watch, { personIds: [id] });
      const { keyRing, signIn: settings, baseUrl } = call.options;
      await inviteWhenSaved(call, { personId: id, keyRing, settings, baseUrl });
      return personView(call, id);
    },
  }),
  route({
    method: "get",
    path: "/people/{id}",
    summary: "One person: profile, state and why, units, who masters what",
    description:
      "What the caller may see: of the organisation's own attributes each has its readers. `mastery` says which attributes are edited at an origin, `blocks` why the person is not active and whether that is lifted here. Its ETag is what a change needs.",
    tag: TAG,
    access: { permission: "rollcall.people.view", on: { person: "id" } },
    params: idParams,
    answer: personSchema,
    versioned: true,
    handler: (call, { params }) => personView(call, params.id),
  }),
  route({
    method: "patch",
    path: "/people/{id}",
    locks: "administrators",
    summary: "Change a profile",
    description:
      "A merge patch (RFC 7396): what is not named stays, null empties. Lists are replaced whole. What an origin masters is refused naming it (409), unless its mapping puts its word behind edits made here. People change their own contact details, names, language and what the attributes say; managers those of their team; administrators everything.",
    tag: TAG,
    access: { permission: "rollcall.people.edit", on: { person: "id" } },
    params: idParams,
    body: personPatch,
    example: {
      title: "Head of engineering",
      managerId: "8e0f7c52-6f0b-4f5e-8b1d-6a2e2f1c9d33",
      phoneNumbers: [{ value: "+358 40 1234567", type: "mobile" }],
    },
    answer: personSchema,
    versioned: true,
    handler: (call, { params, body }) => keepingAdministratorsAmong(call, [params.id], () => changeProfile(call, { id: params.id, body })),
  }),
];

async function changeProfile(call: ApiCall, { id, body }: { id: string; body: z.output<typeof personPatch> }) {
  await lockRules(call.sql, "shared");
  if (body.managerId != null) await lockReportingLines(call.sql);
  const person = await lockPerson(call.sql, id);
  requireVersion({ ifVersion: call.ifVersion, version: person.version, what: `The person ${person.userName}` });
  const { custom: given, managerId, reason } = body;
  await refuseHiddenAttributes(call, { personId: id, given: Object.keys(given ?? {}) });
  if (managerId != null) {
    await requireSeenManager(call, managerId);
    await refuseLeadingStrangers(call, { personId: id, managerId });
  }
  const watch = await watchRules(call.sql, { caller: call.caller, at: call.ctx.now(), personIds: [id] });
  const custom = given && checkedCustomValues(await listCustomAttributes(call.sql), { values: given, whole: false });
  const changes = changesOf(body, custom ?? {});
  let readdressed = false;
  const changed = await editPersonHere(call, {
    personId: id,
    keyRing: call.options.keyRing,
    changes,
    reason,
    allow: (edit) => {
      readdressed = isReaddressed(edit);
      return refuseForeignAttributes(call, { personId: id, ...edit });
    },
  });
  const { everything, organisation } = await call.reach("rollcall.people.edit");
  const everywhere = everything || organisation;
  // Who administers everybody vouches for what is so already, too. Further addresses are nobody's to be found by.
  const keys = everywhere ? Object.keys(changes) : changed.filter((key) => key !== "emails" || readdressed);
  await noteVouching(call, { said: [{ personId: id, keys }], everywhere });
  await requireMayGiveByRules(call.sql, watch, { personIds: [id] });
  return personView(call, id);
}
