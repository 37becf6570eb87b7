import { createHash, randomBytes, randomUUID } from "node:crypto";
import { recordEvent } from "../../audit/record.ts";
import type { Sql, Work } from "../../db/database.ts";
import { withinOwnTime } from "../../directory/own-time.ts";
import { AppError } from "../../errors.ts";

export type LinkPurpose = "invitation" | "reset";

/** How a link is handed over: sent to the person, or shown to whoever asked for it. */
export type LinkDelivery = "sent" | "shown";

export interface NewLink {
  personId: string;
  purpose: LinkPurpose;
  /** For how long it works. */
  hours: number;
  delivery?: LinkDelivery;
  /** Earlier links of this purpose go on to work: who asked may be somebody else than who has one already. */
  keepEarlier?: boolean;
}

/** In which state somebody may be for whom a link of each purpose is made, and works. */
const STATE_FOR: Readonly<Record<LinkPurpose, "invited" | "active">> = { invitation: "invited", reset: "active" };

const WHY_NOT: Readonly<Record<LinkPurpose, string>> = {
  invitation: "Only somebody who is invited, and has not answered yet, can be sent an invitation.",
  reset: "A link to set another password is for active people only.",
};

const FORM = /^[A-Za-z0-9_-]{43}$/;

const ADDRESS_HASH = "sha256(convert_to(lower(p.email::text), 'UTF8'))";

/** An invitation that went to an address is for its reader, for as long as the address is the person's: a wrong one is put right without taking the link back. */
export const STILL_ADDRESSED = `(l.address_hash is null or l.address_hash = ${ADDRESS_HASH})`;

/**
 * A link to set another password is of the time in which its person could be here: who was shut out since, because somebody else may read
 * their mail, asks anew. An invitation waits until they may answer it.
 */
export const SHUT_OUT_SINCE = `(l.purpose = 'reset' and exists (select from lifecycle_periods away where away.person_id = l.person_id
  and away.state in ('suspended', 'deactivated') and away.recorded_to is null and away.valid_from >= l.created_at))`;

/**
 * Makes a link of one use, under the person's row lock; an earlier one of the same purpose works no more, unless it is to be kept. Only the SHA-256 of the token is
 * kept: what is returned here is seen once. Throws `conflict` for somebody who is not in the state that it is for.
 */
export async function createLink(
  work: Work,
  { personId, purpose, hours, delivery = "sent", keepEarlier = false }: NewLink,
): Promise<{ id: string; token: string; until: Date }> {
  const { ctx, sql } = work;
  await lockFor(work, { personId, purpose });
  const now = ctx.now();
  if (!keepEarlier)
    await sql.query(
      "update login_links set revoked_at = $3 where person_id = $1 and purpose = $2 and used_at is null and revoked_at is null",
      [personId, purpose, now],
    );
  const token = randomBytes(32).toString("base64url");
  const id = randomUUID();
  const until = new Date(now.getTime() + hours * 3_600_000);
  await sql.query(
    `insert into login_links (id, person_id, purpose, hash, created_at, created_by, delivery, expires_at, address_hash)
     values ($1, $2, $3, $4, $5, $6, $7::text, $8, case when $3::text = 'invitation' and $7 = 'sent' then (select ${ADDRESS_HASH} from people p where p.id = $2) end)`,
    [id, personId, purpose, hashOf(token), now, ctx.actor, delivery, until],
  );
  await recordEvent(work, {
    name: "login_link.created",
    subjectType: "person",
    subjectId: personId,
    data: { purpose, delivery, until: until.toISOString() },
  });
  return { id, token, until };
}

/** Throws `conflict` unless the person is in the state that links of this purpose are for; holds their row lock. */
async function lockFor({ ctx, sql }: Work, { personId, purpose }: Pick<NewLink, "personId" | "purpose">): Promise<void> {
  await sql.query("select from people where id = $1 for update", [personId]);
  const { rowCount } = await sql.query(
    `select from people p where p.id = $1 and p.state = $2 and p.active and ${withinOwnTime({ person: "p.id", at: "$3::timestamptz" })}`,
    [personId, STATE_FOR[purpose], ctx.now()],
  );
  if (!rowCount) throw new AppError("conflict", WHY_NOT[purpose], { field: "person" });
}

/** Whom a link lets in, and for what. */
export interface OpenLink {
  id: string;
  personId: string;
  purpose: LinkPurpose;
  userName: string;
}

const WORKS = `l.used_at is null and l.revoked_at is null and l.expires_at > $2 and p.active and ${STILL_ADDRESSED} and not ${SHUT_OUT_SINCE}
  and p.state = case l.purpose when 'invitation' then 'invited' else 'active' end
  and ${withinOwnTime({ person: "p.id", at: "$2::timestamptz" })}`;

/** Whose link this is, if it works now; it goes on to work. Throws `forbidden` without saying why it does not. */
export async function findLink(sql: Sql, { token, now }: { token: string; now: Date }): Promise<OpenLink> {
  if (!FORM.test(token)) throw refused();
  const { rows } = await sql.query<OpenLink>(
    `select l.id, l.person_id as "personId", l.purpose, p.user_name::text as "userName"
     from login_links l join people p on p.id = l.person_id where l.hash = $1 and ${WORKS}`,
    [hashOf(token), now],
  );
  const [link] = rows;
  if (!link) throw refused();
  return link;
}

/**
 * Uses a link up, in the caller's transaction, under the person's row lock: of two who come with it at once one is let in. Throws
 * `forbidden` without saying whether it was used, revoked, is over, or never was.
 */
export async function useLink(work: Work, { token, purpose }: { token: string; purpose?: LinkPurpose }): Promise<OpenLink> {
  const { ctx, sql } = work;
  const { personId } = await findLink(sql, { token, now: ctx.now() });
  // Everybody takes the person's lock before a link's: two who did it the other way round would wait for each other.
  await sql.query("select from people where id = $1 for update", [personId]);
  const { rows } = await sql.query<OpenLink>(
    `update login_links l set used_at = $2 from people p
     where l.hash = $1 and p.id = l.person_id and ($3::text is null or l.purpose = $3) and ${WORKS}
     returning l.id, l.person_id as "personId", l.purpose, p.user_name::text as "userName"`,
    [hashOf(token), ctx.now(), purpose ?? null],
  );
  const [link] = rows;
  if (!link) throw refused();
  await recordEvent(work, { name: "login_link.used", subjectType: "person", subjectId: personId, data: { purpose: link.purpose } });
  return link;
}

/** Takes back the link of a purpose that is open. Throws `not_found` when there is none. */
export async function revokeLink(
  work: Work,
  { personId, purpose, reason }: { personId: string; purpose: LinkPurpose; reason: string },
): Promise<void> {
  const { ctx, sql } = work;
  await sql.query("select from people where id = $1 for update", [personId]);
  const { rowCount } = await sql.query(
    `update login_links set revoked_at = $3 where person_id = $1 and purpose = $2 and used_at is null and revoked_at is null and expires_at > $3`,
    [personId, purpose, ctx.now()],
  );
  if (!rowCount) throw new AppError("not_found", "There is no open link of this person to take back.", { field: "purpose" });
  await recordEvent(work, {
    name: "login_link.revoked",
    subjectType: "person",
    subjectId: personId,
    reason,
    data: { purpose, count: rowCount },
  });
}

export interface LinkStanding {
  purpose: LinkPurpose;
  delivery: LinkDelivery;
  createdAt: Date;
  createdBy: string;
  expiresAt: Date;
  state: "open" | "used" | "revoked" | "over";
}

/** The latest link of each purpose that was made for somebody. */
export async function linksOf(sql: Sql, { personId, now }: { personId: string; now: Date }): Promise<LinkStanding[]> {
  const { rows } = await sql.query<LinkStanding>(
    `select distinct on (l.purpose) l.purpose, l.delivery, l.created_at as "createdAt", l.created_by as "createdBy", l.expires_at as "expiresAt",
       case when l.used_at is not null then 'used' when l.revoked_at is not null or ${STILL_ADDRESSED} is not true or ${SHUT_OUT_SINCE} then 'revoked'
         when l.expires_at <= $2 then 'over' else 'open' end as state
     from login_links l join people p on p.id = l.person_id where l.person_id = $1 order by l.purpose, l.created_at desc, l.id`,
    [personId, now],
  );
  return rows;
}

const KEPT_DAYS = 90;

/** Forgets links that were over long ago, for the daily upkeep; the trail has that they were made and used. Returns how many. */
export async function forgetLinks({ ctx, sql }: Work): Promise<number> {
  const { rowCount } = await sql.query("delete from login_links where expires_at < $1", [
    new Date(ctx.now().getTime() - KEPT_DAYS * 86_400_000),
  ]);
  return rowCount ?? 0;
}

/** Where a link leads. The token stands behind `#`: browsers send it to nobody, and no log has it. */
export function linkUrl(base: string, token: string): string {
  return `${base.replace(/\/+$/, "")}/login/link#${token}`;
}

function refused(): AppError {
  return new AppError("forbidden", "This link does not work: it was used, has been taken back, or its time is over. Ask for another.", {
    field: "link",
  });
}

function hashOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
