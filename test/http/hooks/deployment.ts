import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parse } from "yaml";
import { createApp } from "../../../src/app.ts";
import { configSchema } from "../../../src/config.ts";
import { keepHooks } from "../../../src/connections/hooks/keep.ts";
import { findHook, hookSecretPurpose } from "../../../src/connections/hooks/state.ts";
import { addConnection } from "../../../src/connections/store.ts";
import type { Context } from "../../../src/context.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { open, type KeyRing } from "../../../src/db/envelope.ts";
import { startWorker, type Worker } from "../../../src/jobs/worker.ts";
import { loopback, silentLog, testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";
import { testKeyRing } from "../../helpers/sync.ts";

/** A deployment that is reached at an https address of the outside world, which a proxy leads here. */
export interface Deployment {
  db: TestDatabase;
  keyRing: KeyRing;
  ctx: Context;
  /** The address of the outside world… */
  publicUrl: string;
  /** …and where it is served; of several nodes, each in turn. */
  route(address: string): string;
  /** Adds or replaces a connection by the shipped mapping of its connector; returns its id. */
  connect(definition: ShippedDefinition): Promise<number>;
  /** One look at a connection's subscriptions, as the job has it. */
  keep(connectionId: number, options?: { publicUrl?: string | undefined; signal?: AbortSignal }): Promise<void>;
  secretOf(name: string): Promise<string>;
  /** Jobs that wait, by task. */
  waiting(task: string): Promise<{ key: string; run_at: Date }[]>;
  startWorker(): Promise<Worker>;
  stop(): Promise<void>;
}

export interface ShippedDefinition {
  /** Of config/mappings. */
  mapping: "entra" | "okta" | "google";
  name: string;
  settings: Record<string, unknown>;
  notifications?: { enabled: boolean; gatherSeconds?: number };
  enabled?: boolean;
}

const PUBLIC_URL = "https://rollcall.example.com";
const UNGUARDED = { count: 100_000, share: 1 };

export async function startDeployment({ now = () => new Date(), nodes = 1 } = {}): Promise<Deployment> {
  const db = await testDatabase({ poolSize: 12 });
  const keyRing = testKeyRing;
  const ctx = testContext({ now });
  const config = configSchema.parse({ http: { publicUrl: PUBLIC_URL }, outbound: { allow: loopback.allow } });
  const servers = await Promise.all(
    Array.from({ length: nodes }, async () => {
      const server = createServer(createApp({ db, keyRing, config, log: silentLog, now }));
      // As in test/http/api/api-door.ts: whoever asks closes what is idle.
      server.keepAliveTimeout = 0;
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return Object.assign(server, { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
    }),
  );
  const workers: Worker[] = [];
  let turn = 0;

  return {
    db,
    keyRing,
    ctx,
    publicUrl: PUBLIC_URL,
    route: (address) => address.replace(PUBLIC_URL, servers[turn++ % nodes]?.origin ?? ""),
    async connect({ mapping, name, settings, notifications = { enabled: true }, enabled = true }) {
      const file = new URL(`../../../config/mappings/${mapping}.yaml`, import.meta.url);
      const shipped = parse(readFileSync(file, "utf8")) as Record<string, unknown>;
      const definition = {
        ...shipped,
        name,
        settings,
        enabled,
        schedule: undefined,
        limits: { disable: UNGUARDED, delete: UNGUARDED, window: UNGUARDED, members: UNGUARDED, shrink: 1 },
        policy: { notifications },
      };
      return inTransaction(db, ctx, async (work) => (await addConnection(work, { definition, keyRing, replace: true })).id);
    },
    keep: (connectionId, { publicUrl = PUBLIC_URL, signal } = {}) =>
      keepHooks(signal ? testContext({ now, signal }) : ctx, { db, keyRing, connectionId, publicUrl }),
    async secretOf(name) {
      const { rows } = await db.pool.query<{ id: number }>("select id from connections where name = $1", [name]);
      const hook = await findHook(db.pool, rows[0]?.id ?? 0);
      if (!hook?.secret) throw new Error(`no secret was made for ${name}`);
      return open(keyRing, { purpose: hookSecretPurpose(name), sealed: hook.secret });
    },
    async waiting(task) {
      const { rows } = await db.pool.query<{ key: string; run_at: Date }>(
        "select key, run_at from graphile_worker.jobs where task_identifier = $1 order by key",
        [task],
      );
      return rows;
    },
    async startWorker() {
      const worker = await startWorker({ db, keyRing, log: silentLog, config, now, drainMs: 5000 });
      workers.push(worker);
      return worker;
    },
    async stop() {
      for (const worker of workers) await worker.stop();
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
      await db.drop();
    },
  };
}
