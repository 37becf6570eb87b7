import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Express } from "express";
import supertest, { type Test } from "supertest";
import { createApp } from "../../../src/app.ts";
import type { Config } from "../../../src/config.ts";
import { createToken, type NewToken } from "../../../src/auth/tokens.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { sealingKey, type KeyRing } from "../../../src/db/envelope.ts";
import { loopback, silentLog, testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";

export const keyRing: KeyRing = { current: sealingKey(randomBytes(32)), older: [] };

/** A running application over a database of its own, and a client with a token. */
export interface Door {
  db: TestDatabase;
  app: Express;
  token: string;
  request(method: string, path: string, options?: { body?: unknown; token?: string | null; headers?: Record<string, string> }): Test;
  close(): Promise<void>;
  newToken(options?: Partial<NewToken>): Promise<{ id: string; token: string }>;
}

export interface DoorOptions {
  bodyLimit?: number;
  now?: () => Date;
  trustProxy?: boolean;
  /** Further settings of the server. */
  http?: Partial<Config["http"]>;
}

export async function openDoor({ bodyLimit = 1024 * 1024, now, trustProxy = false, http }: DoorOptions = {}): Promise<Door> {
  const db = await testDatabase();
  const app = createApp({
    db,
    keyRing,
    config: { http: { bodyLimit, trustProxy, ...http }, outbound: { allow: [...loopback.allow], direct: [] } },
    log: silentLog,
    ...(now ? { now } : {}),
  });
  const newToken = (options: Partial<NewToken> = {}) =>
    inTransaction(db, testContext(now ? { now } : {}), (work) => createToken(work, { name: "test", scope: "scim", ...options }));
  const { token } = await newToken();
  const server = app.listen(0, "127.0.0.1");
  // As in test/http/api/api-door.ts: whoever asks closes what is idle.
  server.keepAliveTimeout = 0;
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    db,
    app,
    token,
    newToken,
    async close() {
      await new Promise((closed) => server.close(closed));
      await db.drop();
    },
    request(method, path, { body, token: other, headers = {} } = {}) {
      const agent = supertest(url);
      const call = agent[method.toLowerCase() as "get"](path.startsWith("/scim") ? path : `/scim/v2${path}`).buffer(true);
      if (other !== null) call.set("Authorization", `Bearer ${other ?? token}`);
      if (body !== undefined) call.set("Content-Type", "application/scim+json").send(JSON.stringify(body));
      return call.set(headers);
    },
  };
}
