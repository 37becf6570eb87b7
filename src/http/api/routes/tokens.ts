import { z } from "zod";
import { requireHeld } from "../../../access/delegation.ts";
import { OWN_PERMISSIONS, type OwnPermission } from "../../../access/own-permissions.ts";
import { type Condition, OUT_OF_REACH, personBehind, type Reach, reachedPeople, reaches } from "../../../access/policy.ts";
import { rotateToken } from "../../../auth/rotation.ts";
import { renewToken } from "../../../auth/renewal.ts";
import { readToken, searchTokens, type TokenView } from "../../../auth/token-search.ts";
import { createToken, revokeToken } from "../../../auth/tokens.ts";
import { AppError } from "../../../errors.ts";
import { isNoWider, requireNoWider } from "../narrowed.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { route, type ApiCall, type Route } from "../route.ts";
import { idParams, instant, line, moment, reason, uuid } from "../schemas.ts";

const DAY_MS = 86_400_000;
const LONGEST_DAYS = 366;
const USUAL_DAYS = 90;
const TOKEN_STATES = ["live", "suspended", "expired", "revoked"] as const;

const tokenSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    scope: z.enum(["api", "scim", "feed"]),
    prefix: z.string().describe("The readable part: `rc_api_<prefix>_…`; a token that was found somewhere is looked up by it."),
    personId: z.string().nullable().describe("Whose it is; null for a service's and a SCIM client's."),
    person: z.string().nullable(),
    connection: z.string().nullable(),
    permissions: z.array(z.string()).nullable().describe("What is left of it; null = all that its person may do."),
    unitIds: z.array(z.string()).nullable(),
    responsibleId: z
      .string()
      .nullable()
      .describe(
        "Who answers for a service's token, which may do at most what that person may; null = the operator, who made it at the command line.",
      ),
    responsible: z.string().nullable(),
    state: z.enum(TOKEN_STATES).describe("`suspended`: whose it is, or who answers for it, has no access now, so that it opens nothing."),
    createdAt: instant,
    expiresAt: instant.nullable(),
    lastUsedAt: instant.nullable().describe("To the minute."),
    lastUsedFrom: z.string().nullable().describe("The network, never a single address."),
    revokedReason: z.string().nullable(),
    replacesId: z.string().nullable(),
  })
  .meta({ id: "Token" });

const shownOnce = tokenSchema.extend({ token: z.string().describe("Shown this once, and kept nowhere.") }).meta({ id: "NewToken" });

const permissions = z.array(z.enum(OWN_PERMISSIONS)).min(1).max(OWN_PERMISSIONS.length);
const newToken = z.discriminatedUnion("for", [
  z.strictObject({
    for: z.literal("me"),
    name: line(100),
    permissions: permissions.optional().describe("Absent: all that you may do, as long as you may."),
    unitIds: z.array(uuid).min(1).max(100).optional(),
    expiresAt: moment.optional().describe(`At most ${LONGEST_DAYS} days ahead; ${USUAL_DAYS} when absent.`),
  }),
  z.strictObject({
    for: z.literal("service"),
    name: line(100),
    permissions,
    unitIds: z.array(uuid).min(1).max(100).nullable().describe("Null: everywhere."),
    expiresAt: moment.optional(),
  }),
]);

export const tokenRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/tokens",
    summary: "Tokens: your own, and those that you may see",
    description: "All of them need `rollcall.tokens.view` on the organisation; on units it shows those of the people there.",
    tag: "Tokens",
    access: "signed-in",
    query: z.strictObject({
      ...pageQuery,
      person: uuid.optional(),
      prefix: z.string().max(200).optional().describe("The readable part of a token, or all of one that was found."),
      responsible: uuid.optional().describe("Those of services that this person answers for: what to take over before the person leaves."),
      state: z.enum(TOKEN_STATES).optional(),
    }),
    answer: pageOf(tokenSchema),
    async handler(call, { query }) {
      const { limit, cursor, person, responsible, prefix, state } = query;
      const after = placeOf(cursor, z.tuple([z.iso.datetime(), uuid]));
      const within = visible(await call.reach("rollcall.tokens.view"), { self: call.caller.personId, from: 8 });
      const rows = await searchTokens(call.sql, {
        now: call.ctx.now(),
        limit: limit + 1,
        within,
        after,
        personId: person,
        responsibleId: responsible,
        prefix,
        state,
      });
      return page(rows, { limit, place: ({ createdAt, id }) => [createdAt.toISOString(), id] });
    },
  }),
  route({
    method: "post",
    path: "/tokens",
    sensitive: true,
    summary: "Make a token of your own, or of a service",
    description:
      "The token itself is in this answer and nowhere else. Nobody hands out more than they hold: one of a service needs `rollcall.tokens.edit` on the organisation, and does at most what its maker may at the time of use.",
    tag: "Tokens",
    access: "signed-in",
    body: newToken,
    example: { for: "service", name: "door controller", permissions: ["rollcall.access.check"], unitIds: null },
    status: 201,
    answer: shownOnce,
    idempotent: true,
    async handler(call, { body }) {
      const now = call.ctx.now();
      const narrowed = body.for === "me" ? await ofMine(call, body) : await ofService(call, body);
      const expiresAt = ending(body.expiresAt, now);
      const { id, token } = await createToken(call, { name: body.name, scope: "api", expiresAt, ...narrowed });
      return { ...(await readToken(call.sql, { id, now })), token };
    },
  }),
  route({
    method: "get",
    path: "/tokens/{id}",
    summary: "One token",
    description:
      "One's own, one that one answers for, or any for who may see tokens; others are not there (404). The token itself is never shown again.",
    tag: "Tokens",
    access: "signed-in",
    params: idParams,
    answer: tokenSchema,
    handler: (call, { params }) => seen(call, params.id),
  }),
  route({
    method: "post",
    path: "/tokens/{id}/rotate",
    sensitive: true,
    summary: "Make another in its place; both work for a while",
    description:
      "Whoever rotates a service's token answers for the new one from then on: that is how it is taken over from somebody who leaves. The old one stays that person's, whose access bounds it.",
    tag: "Tokens",
    access: "signed-in",
    params: idParams,
    body: z.strictObject({
      overlapHours: z
        .number()
        .min(0)
        .max(24 * 30)
        .default(24)
        .describe("How long the old one goes on working."),
      expiresAt: moment.optional().describe("Absent: it is given as long as the old one was."),
    }),
    example: { overlapHours: 24 },
    status: 201,
    answer: shownOnce,
    idempotent: true,
    async handler(call, { params, body }) {
      const { ctx, sql, caller } = call;
      const token = await seen(call, params.id);
      // What is answered here opens a door: somebody else's is never shown.
      if (token.personId !== null && token.personId !== caller.personId)
        throw new AppError(
          "forbidden",
          "Only its owner can rotate a person's token, because the new one is shown. Revoke it, or renew it.",
          { field: "token" },
        );
      await requireSteering(call, token);
      if (token.personId === null) await requireHeld(sql, { caller, delegated: delegatedOf(token), at: ctx.now() });
      else requireNoWider(call.caller, token);
      const oldUntil = new Date(ctx.now().getTime() + body.overlapHours * 3_600_000);
      const made = await rotateToken(call, {
        token: token.id,
        oldUntil,
        ...(token.personId === null ? { responsibleId: personBehind(caller) } : {}),
        ...(body.expiresAt ? { expiresAt: ending(body.expiresAt, ctx.now()) } : {}),
      });
      return { ...(await readToken(sql, { id: made.id, now: ctx.now() })), token: made.token };
    },
  }),
  route({
    method: "post",
    path: "/tokens/{id}/renew",
    sensitive: true,
    summary: "Give a token a later end",
    description:
      "By its owner, or by who holds `rollcall.tokens.edit` on the owner's unit, or for a service's on the organisation. A token that is narrowed gives no later end to one that is less so (403).",
    tag: "Tokens",
    access: "signed-in",
    params: idParams,
    body: z.strictObject({ expiresAt: moment }),
    example: { expiresAt: "2028-01-01T00:00:00Z" },
    answer: tokenSchema,
    async handler(call, { params, body }) {
      const token = await seen(call, params.id);
      await requireSteering(call, token);
      if (token.personId !== null && token.personId === call.caller.personId) requireNoWider(call.caller, token);
      await renewToken(call, { id: token.id, expiresAt: ending(body.expiresAt, call.ctx.now()) });
      return readToken(call.sql, { id: token.id, now: call.ctx.now() });
    },
  }),
  route({
    method: "post",
    path: "/tokens/{id}/revoke",
    summary: "End a token at once",
    description:
      "Every request with it is refused (401) from now on, and so it stays. People end their own and those they answer for, by a token that is narrowed only what is narrowed at least as far; all else needs `rollcall.tokens.edit` on the person, or on the organisation for a service's. Nothing happens when it is ended already.",
    tag: "Tokens",
    access: "signed-in",
    params: idParams,
    body: z.strictObject({ reason }),
    example: { reason: "It stood in a log" },
    answer: tokenSchema,
    async handler(call, { params, body }) {
      const token = await seen(call, params.id);
      await requireEnding(call, token);
      await revokeToken(call, { id: token.id, reason: body.reason });
      return readToken(call.sql, { id: token.id, now: call.ctx.now() });
    },
  }),
];

/** A person's own, at most as wide as the credential that asks. */
async function ofMine(call: ApiCall, body: { permissions?: OwnPermission[] | undefined; unitIds?: string[] | undefined }) {
  const { caller } = call;
  if (caller.personId === null)
    throw new AppError("forbidden", "A service has no tokens of its own; make one for a service.", { field: "for" });
  requireNoWider(caller, { permissions: body.permissions ?? null, unitIds: body.unitIds ?? null });
  // Narrowing to a unit that is not there would be a token for nothing; to a foreign one, a way to ask what exists.
  for (const unitId of body.unitIds ?? []) await call.require("rollcall.units.view", { unitId });
  return { personId: caller.personId, permissions: body.permissions, unitIds: body.unitIds };
}

async function ofService(call: ApiCall, body: { permissions: OwnPermission[]; unitIds: string[] | null }) {
  await call.require("rollcall.tokens.edit", { organisation: true });
  await requireHeld(call.sql, { caller: call.caller, delegated: body, at: call.ctx.now() });
  return { permissions: body.permissions, unitIds: body.unitIds ?? undefined, responsibleId: personBehind(call.caller) ?? undefined };
}

function delegatedOf({ permissions: keys, unitIds }: TokenView): { permissions: OwnPermission[]; unitIds: readonly string[] | null } {
  return { permissions: OWN_PERMISSIONS.filter((each) => keys === null || keys.includes(each)), unitIds };
}

function ending(asked: Date | undefined, now: Date): Date {
  const latest = new Date(now.getTime() + LONGEST_DAYS * DAY_MS);
  if (asked && asked > latest) throw new AppError("invalid", `A token lasts at most ${LONGEST_DAYS} days.`, { field: "expiresAt" });
  return asked ?? new Date(now.getTime() + USUAL_DAYS * DAY_MS);
}

/** The token, if the caller may know of it. */
async function seen(call: ApiCall, id: string): Promise<TokenView> {
  const token = await readToken(call.sql, { id, now: call.ctx.now() });
  if (call.caller.personId !== null && [token.personId, token.responsibleId].includes(call.caller.personId)) return token;
  const within = visible(await call.reach("rollcall.tokens.view"), { self: null, from: 2 });
  const { rowCount } = await call.sql.query(
    `select from tokens t left join people p on p.id = t.person_id where t.id = $1 and ${within.text}`,
    [id, ...within.values],
  );
  if (rowCount === 0) throw new AppError("not_found", `There is no token ${id}.`, { field: "token", cause: OUT_OF_REACH });
  return token;
}

async function requireSteering(call: ApiCall, { personId }: TokenView): Promise<void> {
  if (personId !== null && personId === call.caller.personId) return;
  await call.require("rollcall.tokens.edit", personId === null ? { organisation: true } : { personId });
}

/** One's own, and those that one answers for, as far as the credential goes; all others by permission. */
async function requireEnding(call: ApiCall, token: TokenView): Promise<void> {
  const { caller } = call;
  const own = caller.personId !== null && [token.personId, token.responsibleId].includes(caller.personId);
  if (own && isNoWider(caller, token)) return;
  const thing = token.personId === null ? { organisation: true as const } : { personId: token.personId };
  if (!own) await call.require("rollcall.tokens.edit", thing);
  else if (!(await reaches(call.sql, { reach: await call.reach("rollcall.tokens.edit"), thing }))) requireNoWider(call.caller, token);
}

/** Own tokens, those that one answers for, those of people in reach, and with the organisation's permission those of services and SCIM clients. */
function visible(reach: Reach, { self, from }: { self: string | null; from: number }): Condition {
  if (reach.everything) return { text: "true", values: [] };
  const people = reachedPeople(reach, { person: "p", from: from + 1 });
  return {
    text: `(t.person_id = $${from}::uuid or t.responsible_id = $${from}::uuid or (t.person_id is not null and ${people.text})${reach.organisation ? " or t.person_id is null" : ""})`,
    values: [self, ...people.values],
  };
}
