import { z } from "zod";
import { requireMayGiveByRules, watchRules } from "../../../access/indirect-giving.ts";
import { keepingAdministratorsAmong } from "../../../access/last-administrator.ts";
import { reachedPeople } from "../../../access/policy.ts";
import { relationTo } from "../../../access/relation.ts";
import { lockRules } from "../../../access/rule-lock.ts";
import { listTeam } from "../../../directory/person-team.ts";
import { lockPerson } from "../../../directory/people-checks.ts";
import { setPersonUnits, unitChanges, unitsOfPerson } from "../../../directory/person-units.ts";
import { followPeople } from "../../../sync/local-people.ts";
import { AppError } from "../../../errors.ts";
import { requireVersion } from "../entity-tag.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { refuseLeavingRequirement, requiringUnits } from "../people/leaving-requirement.ts";
import { personUnit } from "../people/schemas.ts";
import { route, type ApiCall, type Route } from "../route.ts";
import { flag, idParams, reason, uuid } from "../schemas.ts";

const teamMember = z.object({
  id: z.string(),
  userName: z.string(),
  displayName: z.string().nullable(),
  title: z.string().nullable(),
  state: z.string(),
  managerId: z.string().nullable(),
  level: z.int().describe("1 = reports directly."),
});

const unitsAnswer = z.object({ units: z.array(personUnit), version: z.int() }).meta({ id: "PersonUnits" });

export const personTeamRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/people/{id}/team",
    summary: "Who reports to a person, directly and through others",
    description:
      "Level by level, the direct reports first; only who is in the caller's reach. Who leads whom follows from `managerId` of each person; circles are followed once.",
    tag: "People",
    access: { permission: "rollcall.people.view", on: { person: "id" } },
    params: idParams,
    query: z.strictObject({ ...pageQuery, direct: flag.default(false).describe("Only who reports directly.") }),
    answer: pageOf(teamMember),
    async handler(call, { params, query: { limit, cursor, direct } }) {
      const reach = await call.reach("rollcall.people.view");
      const rows = await listTeam(call.sql, {
        managerId: params.id,
        direct,
        within: reachedPeople(reach, { person: "p", from: 6 }),
        limit: limit + 1,
        after: placeOf(cursor, z.tuple([z.int(), z.uuid()])),
      });
      return page(rows, { limit, place: ({ level, id }) => [level, id] });
    },
  }),
  route({
    method: "get",
    path: "/people/{id}/units",
    summary: "The units that a person belongs to: departments, locations, teams",
    description: "Each with who put the person there: a connection, or somebody here. `PUT` changes those of the second kind.",
    tag: "People",
    access: { permission: "rollcall.people.view", on: { person: "id" } },
    params: idParams,
    answer: unitsAnswer,
    versioned: true,
    async handler({ sql }, { params }) {
      const { rows } = await sql.query<{ version: number }>("select version from people where id = $1", [params.id]);
      return { units: await unitsOfPerson(sql, params.id), version: rows[0]?.version ?? 0 };
    },
  }),
  route({
    method: "put",
    path: "/people/{id}/units",
    locks: "administrators",
    summary: "Put a person into exactly these units",
    description:
      "Needs the permission on each unit that is added or taken away. A unit that an origin puts the person into stays (409 when it is left out). Oneself, and who holds more in Rollcall, is taken out of a unit by which alone a second factor is required only by who may lift that.",
    tag: "People",
    access: { permission: "rollcall.people.edit", on: { person: "id" } },
    params: idParams,
    body: z.strictObject({ unitIds: z.array(uuid).max(100), reason: reason.optional() }),
    example: { unitIds: ["5f0c1b86-3c1e-4c55-9d0a-2f0f6f1f7a11"], reason: "Moves to Sales" },
    answer: unitsAnswer,
    versioned: true,
    handler: (call, { params, body }) =>
      keepingAdministratorsAmong(call, [params.id], () => moveBetweenUnits(call, { id: params.id, ...body })),
  }),
];

async function moveBetweenUnits(call: ApiCall, { id, ...body }: { id: string; unitIds: string[]; reason?: string | undefined }) {
  const { sql } = call;
  await lockRules(sql, "shared");
  const person = await lockPerson(sql, id);
  requireVersion({ ifVersion: call.ifVersion, version: person.version, what: `The person ${person.userName}` });
  // Leading somebody is no reason to take them into one's unit, where one may do more with them.
  const relation = await relationTo(sql, { reach: await call.reach("rollcall.people.edit"), personId: id });
  if (relation !== "administrator")
    throw new AppError("forbidden", "The units of a person are left to administrators.", { field: "rollcall.people.edit" });
  const watch = await watchRules(sql, { caller: call.caller, at: call.ctx.now(), personIds: [id] });
  const { add, remove } = await unitChanges(sql, { personId: id, unitIds: body.unitIds });
  for (const unitId of [...add, ...remove.map((each) => each.unitId)]) await call.require("rollcall.people.edit", { unitId });
  const before = await requiringUnits(sql, { personId: id, at: call.ctx.now() });
  if (await setPersonUnits(call, { personId: id, ...body })) await followPeople(call, [id]);
  await refuseLeavingRequirement(call, { personId: id, before });
  await requireMayGiveByRules(sql, watch, { personIds: [id] });
  const { version } = await lockPerson(sql, id);
  return { units: await unitsOfPerson(sql, id), version };
}
