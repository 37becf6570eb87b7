// One process that takes from the limits as fast as it can: DATABASE_URL COUNT as arguments; prints how many came through.
import { createAttemptLimits } from "../../../dist/src/auth/risk/attempt-limits.js";
import { openDatabase } from "../../../dist/src/db/database.js";
import { sealingKey } from "../../../dist/src/db/envelope.js";
import { signInSettings } from "../../../dist/src/sign-in-settings.js";

const [url, count] = process.argv.slice(2);
const db = openDatabase({ url, poolSize: 5 });
const keyRing = { current: sealingKey(Buffer.alloc(32, 7)), older: [] };
const limits = createAttemptLimits({ db, keyRing, settings: signInSettings.parse({}).limits, now: () => new Date() });
const attempts = Array.from({ length: Number(count) }, () =>
  limits.take({ kind: "password", address: "192.0.2.1", name: "ada", personId: null, device: null }),
);
const outcomes = await Promise.allSettled(attempts);
await db.close();
process.stdout.write(String(outcomes.filter(({ status }) => status === "fulfilled").length));
