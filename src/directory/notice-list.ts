import { recordEvent } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { enqueueNotice, type NoticeChannel } from "./notices.ts";

export const NOTICE_STATES = ["queued", "sent", "failed", "skipped"] as const;
export type NoticeState = (typeof NOTICE_STATES)[number];

/** A notice as administrators see it: never what stands in it. */
export interface NoticeView {
  id: string;
  personId: string;
  person: string;
  notice: string;
  channel: NoticeChannel;
  /** In which it was sent. */
  language: string | null;
  state: NoticeState;
  attempts: number;
  /** Why it was not sent, in the provider's own words. */
  problem: string | null;
  /** Whether it can be sent again. */
  resendable: boolean;
  createdAt: Date;
  endedAt: Date | null;
}

const VIEW = `
  select n.id, n.person_id as "personId", coalesce(p.display_name, p.user_name::text) as person, n.notice, n.channel, n.language, n.state, n.attempts, n.problem,
    n.state = 'failed' and n.content is not null and n.expires_at > $1 as resendable, n.created_at as "createdAt", n.ended_at as "endedAt"
  from notices n join people p on p.id = n.person_id`;

export interface NoticeSearch {
  now: Date;
  limit: number;
  /** Which there are to see: a condition on `p`, its parameters numbered from 7. */
  within: { text: string; values: readonly unknown[] };
  /** Creation time and id of the last one of the page before. */
  after?: readonly [string, string] | undefined;
  personId?: string | undefined;
  state?: NoticeState | undefined;
}

/** Notices, the newest first. */
export async function searchNotices(sql: Sql, { now, limit, within, after, personId, state }: NoticeSearch): Promise<NoticeView[]> {
  const { rows } = await sql.query<NoticeView>(
    `${VIEW} where ($3::timestamptz is null or (n.created_at, n.id) < ($3, $4::uuid)) and ($5::uuid is null or n.person_id = $5)
       and ($6::text is null or n.state = $6) and ${within.text}
     order by n.created_at desc, n.id desc limit $2`,
    [now, limit, after?.[0] ?? null, after?.[1] ?? null, personId ?? null, state ?? null, ...within.values],
  );
  return rows;
}

/** Throws `not_found`. */
export async function readNotice(sql: Sql, { id, now }: { id: string; now: Date }): Promise<NoticeView> {
  const { rows } = await sql.query<NoticeView>(`${VIEW} where n.id = $2`, [now, id]);
  const [notice] = rows;
  if (!notice) throw unknownNotice(id);
  return notice;
}

export function unknownNotice(id: string, cause?: string): AppError {
  return new AppError("not_found", `There is no notice ${id}.`, { field: "id", cause });
}

/** Has a notice that failed sent again, as it was. Throws `conflict` for one that was sent, waits, or of which nothing is left. */
export async function resendNotice(work: Work, { id, reason }: { id: string; reason: string }): Promise<void> {
  const { ctx, sql } = work;
  const { rows } = await sql.query<{ personId: string; notice: string; channel: string }>(
    `update notices set state = 'queued', attempts = 0, ended_at = null where id = $1 and state = 'failed' and content is not null and expires_at > $2
     returning person_id as "personId", notice, channel`,
    [id, ctx.now()],
  );
  const [again] = rows;
  if (!again)
    throw new AppError(
      "conflict",
      "Only what failed can be sent again, and only while its link or code works. Make a new invitation, link or code instead.",
      { field: "id" },
    );
  const { personId, notice, channel } = again;
  await enqueueNotice(work, { id });
  await recordEvent(work, { name: "notice.resent", subjectType: "person", subjectId: personId, reason, data: { notice, channel, id } });
}
