import { z } from "zod";
import type { Condition, Reach } from "../../../access/policy.ts";
import { listedPeople } from "../../../access/reached-people.ts";
import { findRole } from "../../../access/roles.ts";
import { open, seal } from "../../../db/envelope.ts";
import { findGroup } from "../../../directory/groups.ts";
import { listPeople, placeOf, type Place } from "../../../directory/people-list.ts";
import { AppError } from "../../../errors.ts";
import { pageQuery } from "../paging.ts";
import type { ApiCall } from "../route.ts";
import { flag, line, uuid } from "../schemas.ts";
import { personLine } from "./schemas.ts";

const MOST_WORDS = 8;
const PURPOSE = "people-cursor";

export const peopleQuery = z.strictObject({
  ...pageQuery,
  q: line(200)
    .refine((text) => text.split(/\s+/).length <= MOST_WORDS, `has at most ${MOST_WORDS} words`)
    .optional()
    .describe("Words, each of them part of a name, login, address, phone number or employee number; accents and case don't count."),
  unit: uuid.optional().describe("In this unit or below it."),
  group: uuid.optional().describe("In this group, or in one that is in it."),
  role: line(100).optional().describe("Key of a role that they hold now, on whatever unit."),
  manager: uuid.optional().describe("Who report to this person directly."),
  state: z.enum(["invited", "active", "suspended", "deactivated"]).optional(),
  active: flag.optional(),
  origin: line(100).optional().describe("Name of the connection that masters them; `local` for those made here."),
  sort: z.enum(["relevance", "name", "-name", "userName", "-userName", "modified", "-modified"]).default("relevance"),
  count: flag.default(false).describe("Count them all, too: `total`."),
});

export const peopleAnswer = z.object({
  items: z.array(personLine),
  next: z.string().nullable(),
  total: z.int().nullable().describe("Null unless `count=true`."),
});

/** The people in the caller's reach who meet the query. Throws `not_found` for a unit, group or role that the caller may not know of. */
export async function peoplePage(call: ApiCall, query: z.output<typeof peopleQuery>): Promise<z.input<typeof peopleAnswer>> {
  const { sql, ctx } = call;
  const { q, unit, group, role, manager, state, active, origin, sort, limit, cursor, count } = query;
  const reach = await call.reach("rollcall.people.view");
  if (unit !== undefined) await call.require("rollcall.units.view", { unitId: unit });
  if (group !== undefined) await call.require("rollcall.groups.view", { anywhere: true }).then(() => findGroup(sql, group));
  const roleId = role === undefined ? undefined : (await findRole(sql, role)).id;
  const within = role === undefined ? listedPeople(reach, { from: 1 }) : await holdersWithin(call, reach);
  const options = {
    filters: {
      q,
      unitId: unit,
      groupId: group,
      roleId,
      managerId: manager,
      state,
      active,
      origin: origin === "local" ? null : origin,
    },
    within,
    sort,
    limit: limit + 1,
    after: openPlace(call, { cursor, sort }),
    count,
    at: ctx.now(),
    names: call.options.db.statementNames,
    common: call.options.db.commonWords,
  };
  const { lines, total } = await call.options.db.listTurns.take(() => listPeople(sql, options));
  const items = lines.slice(0, limit);
  const last = items.at(-1);
  return { items, next: lines.length > limit && last ? sealPlace(call, { sort, place: placeOf(last) }) : null, total };
}

/** Who holds which role is told of those only whose grants the caller sees. */
async function holdersWithin(call: ApiCall, reach: Reach): Promise<Condition> {
  const people = listedPeople(reach, { from: 1 });
  const grants = listedPeople(await call.reach("rollcall.grants.view"), { from: people.values.length + 1 });
  return { text: `(${people.text} and ${grants.text})`, values: [...people.values, ...grants.values] };
}

const placeShape = z.object({ sort: z.string(), place: z.tuple([z.boolean(), z.int(), z.string(), z.uuid()]) });

/** A cursor holds somebody's name, and stands in addresses that others log: it is sealed. */
function sealPlace({ options }: ApiCall, plain: { sort: string; place: Place }): string {
  return Buffer.from(seal(options.keyRing.current, { purpose: PURPOSE, plain: JSON.stringify(plain) })).toString("base64url");
}

function openPlace({ options }: ApiCall, { cursor, sort }: { cursor: string | undefined; sort: string }): Place | undefined {
  if (cursor === undefined) return undefined;
  try {
    const sealed = Buffer.from(cursor, "base64url").toString("utf8");
    const { sort: ofSort, place } = placeShape.parse(JSON.parse(open(options.keyRing, { purpose: PURPOSE, sealed })));
    if (ofSort === sort) return place;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
  throw new AppError("invalid", "The cursor is none of this list: begin again without one.", { field: "cursor" });
}
