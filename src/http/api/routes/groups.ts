import { z } from "zod";
import { createGroup, deleteGroup, renameGroup } from "../../../access/group-changes.ts";
import { requireMayGiveGroup, requireMayTakeGroup } from "../../../access/group-giving.ts";
import { keepingAnAdministrator } from "../../../access/last-administrator.ts";
import { reachedPeople } from "../../../access/policy.ts";
import { listGroups, listMembers, readGroup } from "../../../directory/group-list.ts";
import { requireVersion } from "../entity-tag.ts";
import { changeMembersGiving, givingByConditions, held, members, MOST_MEMBERS } from "../group-members.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { route, type ApiCall, type Route } from "../route.ts";
import { idParams, instant, line, reason } from "../schemas.ts";

const groupSchema = z
  .object({
    id: z.string(),
    displayName: z.string(),
    origin: z.string().nullable().describe("The connection that masters it; null = made here."),
    members: z.int().describe("People who are in it themselves."),
    groups: z.int().describe("Groups that are in it."),
    version: z.int(),
    createdAt: instant,
    modifiedAt: instant,
  })
  .meta({ id: "Group" });

const memberSchema = z.object({
  id: z.string(),
  userName: z.string(),
  displayName: z.string().nullable(),
  state: z.string(),
  since: instant,
});

const TAG = "Groups";
const VIEW = { permission: "rollcall.groups.view", on: "anywhere" } as const;
const EDIT = { permission: "rollcall.groups.edit", on: "organisation" } as const;
const groupPlace = z.tuple([z.string(), z.string()]);

export const groupRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/groups",
    summary: "Groups, by name",
    description:
      "All of them, to whoever may see groups anywhere: names are no secret within. Members are shown only as far as the caller sees people.",
    tag: TAG,
    access: VIEW,
    query: z.strictObject({
      ...pageQuery,
      q: line(100).optional().describe("Part of the name."),
      origin: line(100).optional().describe("Name of the connection that masters them; `local` for those made here."),
    }),
    answer: pageOf(groupSchema),
    async handler({ sql }, { query: { limit, cursor, q, origin } }) {
      const rows = await listGroups(sql, { limit: limit + 1, after: placeOf(cursor, groupPlace), text: q, origin });
      return page(rows, { limit, place: ({ displayName, id }) => [displayName, id] });
    },
  }),
  route({
    method: "post",
    path: "/groups",
    summary: "Make a group here",
    description: "Rules that name it act at once, if the caller could give what they give.",
    tag: TAG,
    access: EDIT,
    body: z.strictObject({ displayName: line(200) }),
    example: { displayName: "Sales team" },
    status: 201,
    answer: groupSchema,
    idempotent: true,
    async handler(call, { body }) {
      const before = await held(call);
      const id = await createGroup(call, body);
      await requireMayGiveGroup(call.sql, { before, groupId: id, at: call.ctx.now() });
      return readGroup(call.sql, id);
    },
  }),
  route({
    method: "get",
    path: "/groups/{id}",
    summary: "One group",
    description: "Its `origin` masters name and members; only a group made here is changed here.",
    tag: TAG,
    access: VIEW,
    params: idParams,
    answer: groupSchema,
    versioned: true,
    handler: ({ sql }, { params }) => readGroup(sql, params.id),
  }),
  route({
    method: "patch",
    path: "/groups/{id}",
    locks: "administrators",
    summary: "Rename a group made here",
    description:
      "One that a connection masters keeps its name. Rules name groups: who renames one must be allowed to give what follows from it, and to take what ends (403).",
    tag: TAG,
    access: EDIT,
    params: idParams,
    body: z.strictObject({ displayName: line(200) }),
    example: { displayName: "Sales team north" },
    answer: groupSchema,
    versioned: true,
    async handler(call, { params: { id }, body }) {
      await requireSeen(call, id);
      const before = await held(call);
      await keepingAnAdministrator(call, async () => {
        await requireSeen(call, id);
        await requireMayTakeGroup(call.sql, { before, groupId: id, at: call.ctx.now() });
        await givingByConditions(call, { groupIds: [id] }, () => renameGroup(call, { groupId: id, ...body }));
      });
      await requireMayGiveGroup(call.sql, { before, groupId: id, at: call.ctx.now() });
      return readGroup(call.sql, id);
    },
  }),
  route({
    method: "delete",
    path: "/groups/{id}",
    locks: "administrators",
    summary: "Delete a group made here",
    description:
      "Refused while it holds grants, unless `revoke` takes them back; 403 where a role of it steers Rollcall itself by what the caller does not hold.",
    tag: TAG,
    access: EDIT,
    params: idParams,
    body: z.strictObject({ revoke: z.boolean().default(false), reason }),
    example: { revoke: true, reason: "The project is over" },
    status: 204,
    versioned: true,
    async handler(call, { params: { id }, body }) {
      await requireSeen(call, id);
      await keepingAnAdministrator(call, async () => {
        await requireSeen(call, id);
        await requireMayTakeGroup(call.sql, { before: await held(call), groupId: id, at: call.ctx.now() });
        await givingByConditions(call, { groupIds: [id] }, () => deleteGroup(call, { groupId: id, ...body }));
      });
      return undefined;
    },
  }),
  route({
    method: "get",
    path: "/groups/{id}/members",
    summary: "The people in a group, as far as the caller may see them",
    description:
      "Who is in it directly; who is in a group in it is not listed (`GET /people?group=` lists both). Others than the caller's people are left out, without being counted.",
    tag: TAG,
    access: VIEW,
    params: idParams,
    query: z.strictObject(pageQuery),
    answer: pageOf(memberSchema),
    async handler(call, { params: { id }, query: { limit, cursor } }) {
      await readGroup(call.sql, id);
      const within = reachedPeople(await call.reach("rollcall.people.view"), { person: "p", from: 5 });
      const rows = await listMembers(call.sql, { groupId: id, within, limit: limit + 1, after: placeOf(cursor, groupPlace) });
      return page(rows, { limit, place: (last) => [last.userName, last.id] });
    },
  }),
  route({
    method: "get",
    path: "/groups/{id}/groups",
    summary: "The groups in a group",
    description: "Directly in it. Whoever is in one of them holds what is granted to this group.",
    tag: TAG,
    access: VIEW,
    params: idParams,
    query: z.strictObject(pageQuery),
    answer: pageOf(groupSchema),
    async handler({ sql }, { params: { id }, query: { limit, cursor } }) {
      await readGroup(sql, id);
      const rows = await listGroups(sql, { limit: limit + 1, after: placeOf(cursor, groupPlace), within: id });
      return page(rows, { limit, place: (last) => [last.displayName, last.id] });
    },
  }),
  route({
    method: "post",
    path: "/groups/{id}/members",
    locks: "administrators",
    summary: "Put people and groups into a group made here, and take others out",
    description: `At most ${MOST_MEMBERS} of each. Who puts somebody in must be allowed to give every role that the group holds and, where it holds one, who is signed in must have proven lately that it is them. Who takes others out must hold what of these roles steers Rollcall itself.`,
    tag: TAG,
    access: EDIT,
    params: idParams,
    body: z.strictObject({ add: members, remove: members, reason: reason.optional() }),
    example: { add: { people: ["8e0f7c52-6f0b-4f5e-8b1d-6a2e2f1c9d33"] }, remove: { people: ["b7c1d2e3-4f50-4a61-9b72-8c93a4b5c6d7"] } },
    answer: groupSchema.extend({ added: z.int(), removed: z.int() }).meta({ id: "ChangedGroup" }),
    async handler(call, { params: { id }, body }) {
      const counts = await changeMembersGiving(call, { ...body, groupId: id });
      return { ...(await readGroup(call.sql, id)), ...counts };
    },
  }),
];

/** Asked again under the lock that changes take one after the other: two of the same version are not both saved. */
async function requireSeen(call: ApiCall, id: string): Promise<void> {
  const group = await readGroup(call.sql, id);
  requireVersion({ ifVersion: call.ifVersion, version: group.version, what: `The group ${group.displayName}` });
}
