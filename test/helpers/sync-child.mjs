// A process of its own that syncs COUNT people, says which stage it is in, and waits to be killed at the stage named.
// node sync-child.mjs URL COUNT STAGE
import { pino } from "pino";

const [url, count, stage] = process.argv.slice(2);
const { openDatabase } = await import("../../dist/src/db/database.js");
const { createContext } = await import("../../dist/src/context.js");
const { sealingKey } = await import("../../dist/src/db/envelope.js");
const { runSync } = await import("../../dist/src/sync/run.js");

const total = Number(count);
const person = (index) => ({
  kind: "user",
  nativeId: `id-u${index}`,
  reference: `uid=u${index}`,
  attributes: { uid: `u${index}`, cn: `u${index}`, mail: `u${index}@lab.test` },
});
const source = {
  kinds: ["user"],
  async *readAll() {
    for (let first = 0; first < total; first += 500)
      yield { records: Array.from({ length: Math.min(500, total - first) }, (_, index) => person(first + index)) };
    return { finalCursor: true, count: total };
  },
  readOne: async () => "gone",
  close: async () => undefined,
};
await runSync(createContext({ actor: "system", log: pino({ level: "silent" }) }), {
  db: openDatabase({ url }),
  keyRing: { current: sealingKey(Buffer.alloc(32, 7)), older: [] },
  connection: "corp",
  mode: "full",
  trigger: "cli",
  source,
  onProgress: (progress) => {
    if (progress.stage !== stage || progress.done < 1000) return;
    process.stdout.write("here\n");
    // Stands still in the middle of the stage, with its lock, until it is killed.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
  },
});
process.stdout.write("ended\n");
process.exit(0);
