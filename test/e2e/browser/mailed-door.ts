import { setTimeout as wait } from "node:timers/promises";
import { startWorker } from "../../../src/jobs/worker.ts";
import { loopback, silentLog } from "../../helpers/database.ts";
import { startMailServer } from "../../helpers/mail-server.ts";
import { openLogin, type LoginDoor } from "../../http/login/login-door.ts";
import { keyRing } from "../../http/scim/door.ts";

/** The application as browsers reach it, whose worker sends real mail. */
export interface MailedDoor extends LoginDoor {
  /** Waits for a mail to an address in which the pattern is found that was not in one before; returns that. */
  mailed(address: string, pattern: RegExp): Promise<string>;
}

export async function openMailedDoor(): Promise<MailedDoor> {
  const mail = await startMailServer();
  const smtp = { host: mail.host, port: mail.port, caFile: mail.caFile };
  const door = await openLogin({ browsed: true, signIn: { notify: { email: { provider: "smtp", smtp } } } });
  const worker = await startWorker({
    db: door.db,
    keyRing,
    log: silentLog,
    now: door.clock.now,
    config: {
      worker: { concurrency: 2 },
      port: Number(new URL(door.url).port),
      signIn: door.settings,
      outbound: { allow: [...loopback.allow], direct: [] },
    },
  });
  const taken = new Set<string>();
  return {
    ...door,
    async mailed(address, pattern) {
      for (;;) {
        for (const { to, parsed } of mail.mails) {
          const found = to.includes(address) ? pattern.exec(parsed.text ?? "")?.[0] : undefined;
          if (found === undefined || taken.has(found)) continue;
          taken.add(found);
          return found;
        }
        await wait(50);
      }
    },
    async close() {
      await worker.stop();
      await door.close();
      await mail.stop();
    },
  };
}
