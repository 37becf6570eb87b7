import { recordEvent } from "../audit/record.ts";
import type { Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { createToken, type TokenScope } from "./tokens.ts";

export interface RotateOptions {
  /** The token's name, or its id where several have the name; an id is never taken for the name that somebody gave to a token of their own. */
  token: string;
  /** Until when the old one works beside the new one. */
  oldUntil: Date;
  /** Null: never. Absent: it is given as long as the one whose place it takes was. */
  expiresAt?: Date | null | undefined;
  /** Who answers for a service's new token; null: the operator. Absent: who did for the old one, or the operator when they have no access. */
  responsibleId?: string | null | undefined;
}

export interface Rotated {
  id: string;
  /** Seen once. */
  token: string;
  name: string;
  scope: TokenScope;
  expiresAt: Date | null;
  /** The token whose place it takes, and when that ends. */
  replaces: { id: string; until: Date };
}

interface LiveToken {
  id: string;
  name: string;
  scope: TokenScope;
  connection_id: number | null;
  person_id: string | null;
  expires_at: Date | null;
  permissions: string[] | null;
  unit_ids: string[] | null;
  responsible_id: string | null;
  /** Milliseconds that it was given; null = no end. A rotation that was taken back shortened it, so its replacement says. */
  lifetime: number | null;
}

/**
 * Makes a token for the same client, scope and person, and lets the old one end. A token that an earlier rotation has
 * already let end is no candidate. Throws `not_found`; `conflict` when several tokens have the name.
 */
export async function rotateToken(work: Work, { token: wanted, oldUntil, expiresAt, responsibleId }: RotateOptions): Promise<Rotated> {
  const { ctx, sql } = work;
  // Whoever rotates at the same time must see what this one has made.
  await sql.query("select pg_advisory_xact_lock(hashtext('rollcall.token-rotation'))");
  const { rows } = await sql.query<LiveToken>(
    `select t.id, t.name, t.scope, t.connection_id, t.person_id, t.expires_at, t.permissions, t.unit_ids, case when r.active then t.responsible_id end as responsible_id,
       (extract(epoch from case when taken_back.id is null then t.expires_at - t.created_at else taken_back.expires_at - taken_back.created_at end) * 1000)::float8 as lifetime
     from tokens t left join people r on r.id = t.responsible_id left join lateral (select * from tokens n where n.replaces_id = t.id order by n.created_at desc limit 1) taken_back on true
     where (t.id::text = $1 or (t.name = $1 and not exists (select from tokens own where own.id::text = $1))) and t.revoked_at is null and (t.expires_at is null or t.expires_at > $2) and t.oauth_client_id is null
       and not exists (select 1 from tokens n where n.replaces_id = t.id and n.revoked_at is null)
     order by t.created_at for update of t`,
    [wanted, ctx.now()],
  );
  const [old, second] = rows;
  if (!old)
    throw new AppError("not_found", `There is no token "${wanted}" that still works; \`rollcall token list\` shows all.`, {
      field: "token",
    });
  if (second)
    throw new AppError("conflict", `Several tokens are named "${wanted}": ${rows.map(({ id }) => id).join(", ")}. Rotate one by its id.`, {
      field: "token",
    });
  const ending = expiresAt === undefined && old.lifetime !== null ? new Date(ctx.now().getTime() + old.lifetime) : (expiresAt ?? null);
  const made = await createToken(work, {
    name: old.name,
    scope: old.scope,
    ...(old.connection_id === null ? {} : { connectionId: old.connection_id }),
    ...(old.person_id === null ? {} : { personId: old.person_id }),
    ...(ending ? { expiresAt: ending } : {}),
    permissions: old.permissions ?? undefined,
    unitIds: old.unit_ids ?? undefined,
    responsibleId: (responsibleId === undefined ? old.responsible_id : responsibleId) ?? undefined,
  });
  const until = old.expires_at && old.expires_at < oldUntil ? old.expires_at : oldUntil;
  await sql.query("update tokens set expires_at = $2 where id = $1", [old.id, until]);
  await sql.query("update tokens set replaces_id = $2 where id = $1", [made.id, old.id]);
  await recordEvent(work, {
    name: "token.rotated",
    subjectType: "token",
    subjectId: old.id,
    data: { name: old.name, replacedBy: made.id, until: until.toISOString() },
  });
  return { ...made, name: old.name, scope: old.scope, expiresAt: ending, replaces: { id: old.id, until } };
}
