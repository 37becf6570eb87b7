// A worker in a process of its own, so that it can be killed. Arguments: database URL, master key in hexadecimal, settings of messages as JSON.
import { Buffer } from "node:buffer";
import { openDatabase } from "../../dist/src/db/database.js";
import { sealingKey } from "../../dist/src/db/envelope.js";
import { startWorker } from "../../dist/src/jobs/worker.js";
import { createLog } from "../../dist/src/log.js";
import { signInSettings } from "../../dist/src/sign-in-settings.js";

const [, , url, key, notify] = process.argv;
await startWorker({
  db: openDatabase({ url }),
  keyRing: { current: sealingKey(Buffer.from(key, "hex")), older: [] },
  log: createLog({ level: "silent" }),
  config: { worker: { concurrency: 2 }, signIn: signInSettings.parse({ notify: JSON.parse(notify) }) },
});
process.stdout.write("ready\n");
