import { Fault } from "../../connectors/contract.ts";
import { recordEvent } from "../audit/record.ts";
import type { Context } from "../context.ts";
import { inTransaction, type Database, type Sql, type Work } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { isNoticeName, NOTICES } from "../directory/notice-catalogue.ts";
import { enqueueNotice, openNotice, type NoticeChannel, type NoticeContent } from "../directory/notices.ts";
import { openPersonKey } from "../directory/personal.ts";
import { noteDeliverable, noteUndeliverable, type Destination } from "../directory/undeliverable.ts";
import { unsubscribeToken } from "../directory/unsubscribing.ts";
import type { Notifier } from "./notifier.ts";
import type { Message } from "./provider.ts";
import { renderNotice } from "./render.ts";

export interface SendNoticeOptions {
  db: Database;
  keyRing: KeyRing;
  notifier: Notifier;
  id: string;
}

/** A notice that waits, with what is known of the person. */
interface Waiting {
  id: string;
  person_id: string;
  notice: string;
  channel: NoticeChannel;
  content: string | null;
  attempts: number;
  expires_at: Date;
  state: string;
  email: string | null;
  name: string | null;
  language: string | null;
  time_zone: string | null;
  wrapped: string | null;
}

type Ending = { state: "sent"; language: string } | { state: "skipped" | "failed"; problem: string; final?: boolean };

/** Waits after the first, second … try; codes are wanted at once, and a mail server may be away for a night. */
const WAITS_S = [5, 15, 60, 300, 900, 1800, 3600, 7200];

const MAX_PROBLEM = 400;

/**
 * Sends one notice that waits, or says why it can't be. It is marked after the provider has taken it: who is killed in between sends it
 * again under the same Message-ID. What a provider refuses for now is tried again until the notice is worth nothing any more.
 */
export async function sendNotice(ctx: Context, { db, keyRing, notifier, id }: SendNoticeOptions): Promise<void> {
  const waiting = await claim(db.pool, id);
  if (!waiting) return;
  const prepared = prepare(ctx, { waiting, keyRing, notifier });
  if ("ending" in prepared) return end(ctx, { db, waiting, ending: prepared.ending });
  const { message, provider, destination } = prepared;
  try {
    await provider.send(message, { signal: ctx.signal, now: ctx.now() });
  } catch (error) {
    if (!(error instanceof Fault) || ctx.signal.aborted) throw error;
    return failedOnce(ctx, { db, waiting, fault: error, content: prepared.content, destination });
  }
  await end(ctx, {
    db,
    waiting,
    ending: { state: "sent", language: message.language },
    also: (work) => noteDeliverable(work, destination),
  });
}

/** Counts the try. One job a notice is alive at a time, so that nobody else sends it meanwhile. */
async function claim(sql: Sql, id: string): Promise<Waiting | undefined> {
  const { rows } = await sql.query<Waiting>(
    `update notices n set attempts = attempts + 1 from people p left join person_keys k on k.person_id = p.id
     where n.id = $1 and n.state = 'queued' and p.id = n.person_id
     returning n.id, n.person_id, n.notice, n.channel, n.content, n.attempts, n.expires_at, p.state, p.email::text, p.display_name as name,
       p.attributes ->> 'preferredLanguage' as language, p.attributes ->> 'timezone' as time_zone, k.wrapped`,
    [id],
  );
  return rows[0];
}

type Prepared =
  | { ending: Ending }
  | { message: Message; provider: NonNullable<Notifier["providers"]["email"]>; content: NoticeContent; destination: Destination };

function prepare(ctx: Context, { waiting, keyRing, notifier }: { waiting: Waiting; keyRing: KeyRing; notifier: Notifier }): Prepared {
  const { id, person_id: personId, notice, channel, content: sealed, wrapped } = waiting;
  const skip = (problem: string): Prepared => ({ ending: { state: "skipped", problem } });
  const provider = notifier.providers[channel];
  if (!isNoticeName(notice) || sealed === null || wrapped === null) return skip("Its content is gone.");
  if (waiting.state === "deleted") return skip("The person was deleted.");
  if (!provider) return skip(`Nothing is set up to send this: signIn.notify.${channel}.provider is off.`);
  if (waiting.expires_at <= ctx.now())
    return { ending: { state: "failed", problem: "It was worth nothing any more before it could be sent.", final: true } };
  const key = openPersonKey(keyRing, { personId, wrapped });
  const content = openNotice(key, { id, sealed });
  const to = content.address ?? (channel === "email" ? waiting.email : null);
  if (!to) return skip(channel === "email" ? "The person has no e-mail address." : "The person has no telephone number.");
  const { link } = content.data;
  if (link !== undefined && !String(link).startsWith(`${notifier.baseUrl}/`))
    return {
      ending: { state: "failed", problem: `Its link does not lead to ${notifier.baseUrl}: set http.publicUrl alike on every node.` },
    };
  const { languages, organisation, baseUrl } = notifier;
  const language = languages.choose([waiting.language]);
  const optional = NOTICES[notice].choice !== "security";
  const unsubscribeUrl = optional ? `${baseUrl}/unsubscribe/${unsubscribeToken(key, { personId, notice })}` : undefined;
  const rendered = renderNotice({
    notice,
    data: content.data,
    languages,
    language,
    organisation,
    baseUrl,
    unsubscribeUrl,
    person: { name: waiting.name, timeZone: waiting.time_zone },
  });
  return {
    message: { id, channel, notice, to, language, ...rendered, ...(unsubscribeUrl === undefined ? {} : { unsubscribeUrl }) },
    provider,
    content,
    destination: { personId, channel, address: to, key },
  };
}

interface FailedOptions {
  db: Database;
  waiting: Waiting;
  fault: Fault;
  content: NoticeContent;
  destination: Destination;
}

/** For good, or until the next try; whichever comes first of that and the end of what the notice is worth. */
async function failedOnce(ctx: Context, { db, waiting, fault, content, destination }: FailedOptions): Promise<void> {
  const problem = withoutValues(fault.message, content);
  const forGood = fault.kind === "rejected" || fault.kind === "gone";
  const waitMs = Math.max((WAITS_S[Math.min(waiting.attempts, WAITS_S.length) - 1] ?? 0) * 1000, fault.retryAfterMs ?? 0);
  const runAt = new Date(ctx.now().getTime() + waitMs);
  ctx.log.warn({ notice: waiting.id, kind: waiting.notice, channel: waiting.channel, fault: fault.kind }, "a notice could not be sent");
  if (forGood || runAt >= waiting.expires_at)
    return end(ctx, {
      db,
      waiting,
      ending: { state: "failed", problem, final: !forGood },
      ...(fault.kind === "gone" ? { also: (work: Work) => noteUndeliverable(work, { ...destination, problem }) } : {}),
    });
  await inTransaction(db, ctx, async (work) => {
    const { rowCount } = await work.sql.query("update notices set problem = $2 where id = $1 and state = 'queued'", [waiting.id, problem]);
    if (rowCount) await enqueueNotice(work, { id: waiting.id, runAt });
  });
}

interface EndOptions {
  db: Database;
  waiting: Waiting;
  ending: Ending;
  /** What is noted beside it. */
  also?: (work: Work) => Promise<void>;
}

async function end(ctx: Context, { db, waiting, ending, also }: EndOptions): Promise<void> {
  const { id, notice, channel, person_id: personId } = waiting;
  const kept = ending.state === "failed" && ending.final !== true;
  await inTransaction(db, ctx, async (work) => {
    const { rowCount } = await work.sql.query(
      `update notices set state = $2, problem = $3, language = $4, ended_at = $5, content = case when $6 then content end where id = $1 and state = 'queued'`,
      [id, ending.state, "problem" in ending ? ending.problem : null, "language" in ending ? ending.language : null, ctx.now(), kept],
    );
    if (rowCount) await also?.(work);
    if (rowCount && ending.state === "failed")
      await recordEvent(work, { name: "notice.failed", subjectType: "person", subjectId: personId, data: { notice, channel, id } });
  });
}

/** A server that repeats what it was sent must not carry a link or a code into a place where it is kept. */
function withoutValues(text: string, { data, address }: NoticeContent): string {
  const secrets = [data["link"], String(data["link"] ?? "").split("#")[1], data["code"], address];
  return secrets.reduce<string>((left, secret) => (secret ? left.replaceAll(String(secret), "…") : left), text).slice(0, MAX_PROBLEM);
}
