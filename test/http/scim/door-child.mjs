// The door in a process of its own, so that it can be killed. Argument: the database's URL. Says its port once it serves.
import { randomBytes } from "node:crypto";
import { createApp } from "../../../dist/src/app.js";
import { openDatabase } from "../../../dist/src/db/database.js";
import { sealingKey } from "../../../dist/src/db/envelope.js";
import { createLog } from "../../../dist/src/log.js";

const [, , url] = process.argv;
const app = createApp({
  db: openDatabase({ url }),
  keyRing: { current: sealingKey(randomBytes(32)), older: [] },
  config: { http: { bodyLimit: 1_000_000, trustProxy: false }, outbound: { allow: [], direct: [] } },
  log: createLog({ level: "silent" }),
});
const server = app.listen(0, "127.0.0.1", () => process.stdout.write(`${server.address().port}\n`));
