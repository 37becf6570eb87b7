import { createHmac, randomUUID } from "node:crypto";
import { z } from "zod";
import { recordEvent } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import { open, seal, type KeyRing, type SealingKey } from "../db/envelope.ts";
import { enqueue } from "../db/queue.ts";
import type { SignInSettings } from "../sign-in-settings.ts";
import { NOTICES, type NoticeData, type NoticeName } from "./notice-catalogue.ts";
import { personKeys } from "./personal.ts";
import { replacedAddresses } from "./replaced-addresses.ts";

export type { NoticeData, NoticeName } from "./notice-catalogue.ts";

export type NoticeChannel = "email" | "sms";

export interface TellOptions<N extends NoticeName> {
  keyRing: KeyRing;
  personId: string;
  notice: N;
  /** What the message says; links and codes may stand here. Checked by the notice's schema; throws ZodError for what a caller of ours got wrong. */
  data?: NoticeData<N>;
  /** Where to, when it is not the person's own e-mail address: one that is still to be confirmed, a telephone number (E.164). */
  to?: { channel: NoticeChannel; address: string };
}

/** The same news within this time is told once. */
const QUIET_MS = 60_000;
/** A message that could not be sent for so long says nothing any more. */
export const WORTH_TELLING_MS = 3 * 86_400_000;

const contentSchema = z.object({ data: z.record(z.string(), z.union([z.string(), z.number()])), address: z.string().nullable() });

/** What is sealed of a notice: the values of its message, and an address other than the person's own. */
export type NoticeContent = z.output<typeof contentSchema>;

/**
 * Tells somebody something: a notice and the job that sends it, in the caller's transaction. The same news to the same person within a
 * minute is one notice, unless it carries a link or a code. Optional notices that the person does not want are not made. Where their address
 * has just changed, security notices without a link or code go to the old one, too.
 */
export async function tellPerson<N extends NoticeName>(work: Work, { keyRing, personId, notice, data, to }: TellOptions<N>): Promise<void> {
  const { ctx, sql } = work;
  const { data: schema, choice } = NOTICES[notice];
  const values = schema.parse(data ?? {});
  const key = (await personKeys(work, keyRing, [personId])).get(personId);
  if (!key) throw new Error(`the key of person ${personId} was just made and is not there`);
  const channel = to?.channel ?? "email";
  // The address of now: what is told of a change must not go to where the change leads.
  const own = to?.address ?? (await ownAddress(sql, personId));
  const isForOthers = to === undefined && choice === "security" && !("link" in values || "code" in values);
  const others = isForOthers ? await replacedAddresses(sql, { personId, now: ctx.now() }) : [];
  // Two that come at once must see each other.
  await sql.query("select pg_advisory_xact_lock(hashtextextended($1, 7305050))", [`${personId} ${notice}`]);
  for (const address of [own, ...others]) await store(work, { personId, notice, channel, address, values, key });
}

interface StoreOptions {
  personId: string;
  notice: NoticeName;
  channel: NoticeChannel;
  address: string | null;
  values: object;
  key: SealingKey;
}

async function store(work: Work, { personId, notice, channel, address, values, key }: StoreOptions): Promise<void> {
  const { ctx, sql } = work;
  const { choice, single } = NOTICES[notice];
  const id = randomUUID();
  const now = ctx.now();
  const { rowCount } = await sql.query(
    `insert into notices (id, person_id, notice, channel, content, digest, actor, correlation_id, created_at, expires_at)
     select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
     where ($11 or not exists (select from notices where person_id = $2 and notice = $3 and channel = $4 and digest = $6 and created_at > $12 and state <> 'failed'))
       and ($13 or coalesce((select wanted from notice_preferences where person_id = $2 and notice = $3), $14))`,
    [
      id,
      personId,
      notice,
      channel,
      seal(key, { purpose: noticePurpose(id), plain: JSON.stringify({ data: values, address }) }),
      digestOf(key, { ...values, at: undefined, until: undefined, address }),
      ctx.actor,
      ctx.correlationId,
      now,
      expiryOf(values, now),
      single === true,
      new Date(now.getTime() - QUIET_MS),
      choice === "security",
      choice === "on",
    ],
  );
  if (!rowCount) return;
  await enqueueNotice(work, { id });
  if (choice === "security")
    await recordEvent(work, { name: "notice.queued", subjectType: "person", subjectId: personId, data: { notice, channel, id } });
}

/** Has a notice sent; the job finds nothing to do when it was sent meanwhile. */
export async function enqueueNotice({ sql }: Pick<Work, "sql">, { id, runAt }: { id: string; runAt?: Date }): Promise<void> {
  // A try that is under way is followed by the next one: one key for both would make the queue take them for the same.
  await enqueue(sql, { job: "send_notice", payload: { id }, ...(runAt ? { runAt } : {}) });
}

/** What `tellPerson` sealed. Throws `misconfigured` when the key is not the one in use. */
export function openNotice(key: SealingKey, { id, sealed }: { id: string; sealed: string }): NoticeContent {
  return contentSchema.parse(JSON.parse(open({ current: key, older: [] }, { purpose: noticePurpose(id), sealed })));
}

/** Whether messages can be sent this way at all; where not, an administrator is shown the link to hand over. */
export function canReach({ notify }: Pick<SignInSettings, "notify">, channel: NoticeChannel = "email"): boolean {
  return notify[channel].provider !== "off";
}

async function ownAddress(sql: Sql, personId: string): Promise<string | null> {
  const { rows } = await sql.query<{ email: string | null }>("select email::text from people where id = $1", [personId]);
  return rows[0]?.email ?? null;
}

function noticePurpose(id: string): string {
  return `notice.${id}`;
}

/** Tells the same news apart from other news without keeping it readable. */
function digestOf(key: SealingKey, news: object): Buffer {
  return createHmac("sha256", key.bytes).update(JSON.stringify(news)).digest();
}

/** A link or code that works no more is not sent. What was is news for longer: `until` of a lock is no reason to say nothing. */
function expiryOf(values: object, now: Date): Date {
  const until = ("link" in values || "code" in values) && "until" in values ? Date.parse(String(values.until)) : Number.NaN;
  return Number.isNaN(until) ? new Date(now.getTime() + WORTH_TELLING_MS) : new Date(until);
}
