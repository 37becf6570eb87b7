import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { inTransaction } from "../../src/db/database.ts";
import { tellPerson } from "../../src/directory/notices.ts";
import { startWorker } from "../../src/jobs/worker.ts";
import { signInSettings } from "../../src/sign-in-settings.ts";
import { insertPerson } from "../directory/fixtures.ts";
import { silentLog, testContext, testDatabase } from "../helpers/database.ts";
import { startMailServer } from "../helpers/mail-server.ts";
import { testKeyRing } from "../helpers/sync.ts";
import { until } from "../jobs/waiting.ts";

test("G7: killed between the server's taking a message and our knowing it, it comes again under the same Message-ID, never not at all", async () => {
  const db = await testDatabase();
  const mail = await startMailServer();
  const notify = { email: { provider: "smtp", smtp: { host: mail.host, port: mail.port, caFile: mail.caFile } } };
  const child = spawn(
    process.execPath,
    [path.join(import.meta.dirname, "worker-child.mjs"), db.url, testKeyRing.current.bytes.toString("hex"), JSON.stringify(notify)],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let worker: Awaited<ReturnType<typeof startWorker>> | undefined;
  try {
    await once(child.stdout, "data");
    mail.next("hold");
    const personId = await insertPerson(db.pool, { email: "ada@example.com" });
    await inTransaction(db, testContext(), (work) => tellPerson(work, { keyRing: testKeyRing, personId, notice: "password.changed" }));
    await until(
      () => mail.mails.length,
      (count) => count === 1,
    );
    child.kill("SIGKILL");
    await once(child, "exit");
    const config = { worker: { concurrency: 2 }, signIn: signInSettings.parse({ notify }) };
    worker = await startWorker({ db, keyRing: testKeyRing, log: silentLog, config, drainMs: 5_000 });
    await until(
      async () => (await db.pool.query<{ state: string; emptied: boolean }>("select state, content is null as emptied from notices")).rows,
      ([notice]) => notice?.state === "sent" && notice.emptied,
    );
    expect(mail.mails).toHaveLength(2);
    expect(new Set(mail.mails.map(({ parsed }) => parsed.messageId)).size).toBe(1);
    const { rows } = await db.pool.query("select from graphile_worker.jobs where task_identifier = 'send_notice'");
    expect(rows).toEqual([]);
  } finally {
    child.kill("SIGKILL");
    await worker?.stop();
    await mail.stop();
    await db.drop();
  }
});
