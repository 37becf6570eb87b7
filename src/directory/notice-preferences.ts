import { recordEvent } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import { NOTICES, OPTIONAL_NOTICES, type NoticeName } from "./notice-catalogue.ts";

/** One of the notices that a person may turn on and off. */
export interface NoticeChoice {
  notice: NoticeName;
  wanted: boolean;
}

/** What somebody chose, or what holds for who did not. */
export async function noticeChoices(sql: Sql, personId: string): Promise<NoticeChoice[]> {
  const { rows } = await sql.query<NoticeChoice>("select notice, wanted from notice_preferences where person_id = $1", [personId]);
  const chosen = new Map(rows.map(({ notice, wanted }) => [notice, wanted]));
  return OPTIONAL_NOTICES.map((notice) => ({ notice, wanted: chosen.get(notice) ?? NOTICES[notice].choice === "on" }));
}

/** Turns optional notices on and off; those that are not named stay. What was so already is no change. */
export async function chooseNotices(
  work: Work,
  { personId, wanted }: { personId: string; wanted: Readonly<Partial<Record<NoticeName, boolean | undefined>>> },
): Promise<void> {
  const { ctx, sql } = work;
  const before = await noticeChoices(sql, personId);
  for (const { notice, wanted: so } of before) {
    const asked = wanted[notice];
    if (asked === undefined || asked === so) continue;
    await sql.query(
      `insert into notice_preferences (person_id, notice, wanted, set_at) values ($1, $2, $3, $4)
       on conflict (person_id, notice) do update set wanted = excluded.wanted, set_at = excluded.set_at`,
      [personId, notice, asked, ctx.now()],
    );
    await recordEvent(work, { name: "notice.chosen", subjectType: "person", subjectId: personId, data: { notice, wanted: asked } });
  }
}
