// The daily upkeep in a process of its own, so that it can be killed. Arguments: database URL, the instant that it takes for now.
import { lookAfterThings } from "../../dist/src/jobs/upkeep.js";
import { createContext } from "../../dist/src/context.js";
import { openDatabase } from "../../dist/src/db/database.js";
import { createLog } from "../../dist/src/log.js";

const [, , url, now] = process.argv;
const db = openDatabase({ url });
await lookAfterThings(createContext({ actor: "system", log: createLog({ level: "silent" }), now: () => new Date(now) }), db);
await db.close();
