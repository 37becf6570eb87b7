import { Writable } from "node:stream";
import { pino } from "pino";
import type { Context } from "../../src/context.ts";
import { inTransaction } from "../../src/db/database.ts";
import { tellPerson, type NoticeData, type NoticeName, type TellOptions } from "../../src/directory/notices.ts";
import { openNotifier, type Notifier } from "../../src/notify/notifier.ts";
import { sendNotice } from "../../src/notify/send-notice.ts";
import { signInSettings, type SignInSettings } from "../../src/sign-in-settings.ts";
import { insertPerson, standingClock } from "../directory/fixtures.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { startMailServer, type MailServer, type MailServerOptions } from "../helpers/mail-server.ts";
import { testKeyRing } from "../helpers/sync.ts";

export const BASE = "https://rollcall.example.com";

interface Account {
  user?: string | undefined;
  password?: string | undefined;
}

/** Notices on their way to one person, from the queue to a mail server that speaks SMTP. */
export interface NoticeDoor {
  db: TestDatabase;
  mail: MailServer;
  notifier: Notifier;
  clock: ReturnType<typeof standingClock>;
  ctx: Context;
  /** The person who is told. */
  ada: string;
  settingsFor(smtp?: Account): SignInSettings["notify"];
  /** Another mail server in the first one's place. */
  restart(options: MailServerOptions & Account): Promise<void>;
  /** Another notifier in the first one's place. */
  notifyBy(settings: SignInSettings["notify"]): Promise<void>;
  tell<N extends NoticeName>(notice: N, data?: NoticeData<N>, to?: TellOptions<N>["to"]): Promise<void>;
  /** Takes the jobs that are due off the queue and does them, as a worker would; says how many there were. */
  doJobs(): Promise<number>;
  waiting(): Promise<{ id: string; run_at: Date }[]>;
  notices(): Promise<Record<string, unknown>[]>;
  /** Names of the person's events about notices. */
  events(): Promise<string[]>;
  /** Every text of the database and of the log. */
  everything(): Promise<string>;
  /** Nobody, nothing queued, another mail server: before each test. */
  renew(): Promise<void>;
  close(): Promise<void>;
}

export async function openNoticeDoor(): Promise<NoticeDoor> {
  const db = await testDatabase();
  const { pool } = db;
  let logged: string[] = [];
  const begin = async ({ user, password, ...options }: MailServerOptions & Account = {}) => {
    const mail = await startMailServer(options);
    return { mail, notifier: openNotifier({ settings: settingsWith(mail, { user, password }), baseUrl: BASE }) };
  };
  const beginning = async () => {
    logged = [];
    const into = new Writable({ write: (chunk: Buffer, _encoding, done) => (logged.push(chunk.toString()), done()) });
    const clock = standingClock();
    const ctx = testContext({ now: clock.now, log: pino({ level: "trace" }, into) });
    const ada = await insertPerson(pool, {
      email: "ada@example.com",
      attributes: { preferredLanguage: "fi-FI", timezone: "Europe/Helsinki" },
    });
    return { clock, ctx, ada, ...(await begin()) };
  };
  const end = async ({ notifier, mail }: Pick<NoticeDoor, "notifier" | "mail">) => {
    await notifier.close();
    await mail.stop();
  };
  const door: NoticeDoor = {
    db,
    ...(await beginning()),
    settingsFor: (smtp) => settingsWith(door.mail, smtp),
    async restart(options) {
      await end(door);
      Object.assign(door, await begin(options));
    },
    async notifyBy(settings) {
      await door.notifier.close();
      door.notifier = openNotifier({ settings, baseUrl: BASE });
    },
    tell: (notice, data, to) =>
      inTransaction(db, door.ctx, (each) =>
        tellPerson(each, { keyRing: testKeyRing, personId: door.ada, notice, ...(data ? { data } : {}), ...(to ? { to } : {}) }),
      ),
    async doJobs() {
      const { rows } = await pool.query<{ payload: { id: string } }>(
        `delete from graphile_worker._private_jobs j using graphile_worker._private_tasks t where t.id = j.task_id and t.identifier = 'send_notice' and j.run_at <= greatest($1, now()) returning j.payload`,
        [door.clock.now()],
      );
      for (const { payload } of rows) await sendNotice(door.ctx, { db, keyRing: testKeyRing, notifier: door.notifier, id: payload.id });
      return rows.length;
    },
    waiting: async () =>
      (await pool.query<{ id: string; run_at: Date }>("select payload ->> 'id' as id, run_at from graphile_worker._private_jobs")).rows,
    notices: async () =>
      (
        await pool.query<Record<string, unknown>>(
          "select notice, channel, language, state, attempts, problem, content is null as emptied from notices order by created_at, id",
        )
      ).rows,
    async events() {
      const text = "select name from audit_events where name like 'notice.%' and subject_id = $1 order by id";
      return (await pool.query<{ name: string }>(text, [door.ada])).rows.map(({ name }) => name);
    },
    async everything() {
      const { rows } = await pool.query<{ text: string }>(
        `select (select coalesce(string_agg(n::text, ''), '') from notices n) || (select coalesce(string_agg(j::text, ''), '') from graphile_worker._private_jobs j)
           || (select coalesce(string_agg(e::text, ''), '') from audit_events e) as text`,
      );
      return `${rows[0]?.text ?? ""}${logged.join("")}`;
    },
    async renew() {
      await end(door);
      await pool.query(
        "delete from notices; delete from notice_preferences; delete from graphile_worker._private_jobs; delete from people; delete from person_keys",
      );
      Object.assign(door, await beginning());
    },
    async close() {
      await end(door);
      await db.drop();
    },
  };
  return door;
}

function settingsWith(mail: MailServer, smtp: Account = {}): SignInSettings["notify"] {
  return signInSettings.parse({
    notify: {
      name: "Analytical Engines",
      email: {
        provider: "smtp",
        from: "Rollcall <rollcall@engines.example>",
        replyTo: "help@engines.example",
        smtp: { host: mail.host, port: mail.port, caFile: mail.caFile, timeoutSeconds: 60, ...smtp },
      },
    },
  }).notify;
}
