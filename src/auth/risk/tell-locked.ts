import type { Sql, Work } from "../../db/database.ts";
import { open, seal, type KeyRing } from "../../db/envelope.ts";
import { enqueue } from "../../db/queue.ts";
import { tellPerson } from "../../directory/notices.ts";
import { findByLoginName, loginHolder } from "../sign-in/login-names.ts";

/** What a typed name is sealed for: people type passwords into the wrong field. */
const PURPOSE = "login.locked";

/** Locks that follow each other within this time are one piece of news: nobody fills another's mailbox by failing. */
const TOLD_ONCE_WITHIN_MS = 12 * 3_600_000;

export interface Locked {
  /** What was typed as the login; absent where somebody had passed their first factor. */
  name?: string | null | undefined;
  personId: string | null;
  until: Date;
}

/** Takes down that an account's attempts are used up, for a job to look whose it is: the same is done for names of nobody. */
export async function noteLocked(sql: Sql, { keyRing, name, personId, until }: Locked & { keyRing: KeyRing }): Promise<void> {
  const who =
    name && name !== personId
      ? { name: seal(keyRing.current, { purpose: PURPOSE, plain: name }) }
      : personId !== null
        ? { personId }
        : undefined;
  if (who) await enqueue(sql, { job: "tell_locked", payload: { ...who, until: until.toISOString() }, maxAttempts: 5 });
}

export interface TellLocked {
  keyRing: KeyRing;
  /** As `noteLocked` sealed it. */
  name?: string;
  personId?: string;
  until: string;
}

/** Tells somebody who may sign in that attempts at their account are refused for a while. Returns whether it was told. */
export async function tellLocked(work: Work, { keyRing, name, personId, until }: TellLocked): Promise<boolean> {
  const { ctx, sql } = work;
  const at = ctx.now();
  const holder =
    name === undefined
      ? await loginHolder(sql, { personId: personId ?? "", at })
      : await findByLoginName(sql, { name: open(keyRing, { purpose: PURPOSE, sealed: name }), at });
  if (!holder?.present) return false;
  const { personId: told } = holder;
  await sql.query("select from people where id = $1 for update", [told]);
  const { rowCount } = await sql.query(
    "select from notices where person_id = $1 and notice = 'account.locked' and created_at > $2 limit 1",
    [told, new Date(at.getTime() - TOLD_ONCE_WITHIN_MS)],
  );
  if (rowCount) return false;
  await tellPerson(work, { keyRing, personId: told, notice: "account.locked", data: { until } });
  return true;
}
