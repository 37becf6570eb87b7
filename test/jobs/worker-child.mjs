// A worker in a process of its own, so that it can be killed. Arguments: database URL, master key in hexadecimal.
import { Buffer } from "node:buffer";
import { openDatabase } from "../../dist/src/db/database.js";
import { sealingKey } from "../../dist/src/db/envelope.js";
import { startWorker } from "../../dist/src/jobs/worker.js";
import { createLog } from "../../dist/src/log.js";

const [, , url, key] = process.argv;
const db = openDatabase({ url });
const worker = await startWorker({
  db,
  keyRing: { current: sealingKey(Buffer.from(key, "hex")), older: [] },
  log: createLog({ level: process.env.TEST_LOG_LEVEL ?? "silent" }),
  config: { worker: { concurrency: 2 }, outbound: { allow: ["127.0.0.0/8"], direct: [] } },
});
process.stdout.write("ready\n");
process.on("SIGTERM", async () => {
  await worker.stop();
  await db.close();
  process.exit(0);
});
