import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type AddressInfo } from "node:net";
import supertest, { type Test } from "supertest";
import { createApp } from "../../../src/app.ts";
import { createToken, type NewToken } from "../../../src/auth/tokens.ts";
import { addConnection } from "../../../src/connections/store.ts";
import { loadConnection } from "../../../src/connections/open.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { sealingKey, type KeyRing } from "../../../src/db/envelope.ts";
import { silentLog, testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";

/** A server that takes files for its connections. */
export interface FeedsDoor {
  db: TestDatabase;
  keyRing: KeyRing;
  /** A connection that takes uploads, unless the settings say otherwise. */
  connection(name: string, settings?: object, more?: object): Promise<{ id: number; token: string }>;
  newToken(options: Partial<NewToken>): Promise<{ id: string; token: string }>;
  put(path: string, options: { token?: string; body?: string | Buffer; headers?: Record<string, string> }): Test;
  get(path: string, options: { token: string }): Test;
  /** Sends bytes as they are, and gives what came back until the connection was closed: by us at once, when we hang up. */
  raw(bytes: string, options: { hangUp: boolean }): Promise<string>;
  /** Names of what is kept for a connection, in their order. */
  kept(name: string): Promise<string[]>;
  /** What a connector reads: the last file, as any node with that key ring gets it. */
  last(name: string, ring?: KeyRing): Promise<string | undefined>;
  close(): Promise<void>;
}

export async function openFeedsDoor(): Promise<FeedsDoor> {
  const db = await testDatabase();
  const keyRing: KeyRing = { current: sealingKey(randomBytes(32)), older: [] };
  const app = createApp({ db, keyRing, config: { http: { bodyLimit: 1024, trustProxy: false } }, log: silentLog });
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const agent = supertest(`http://127.0.0.1:${port}`);
  const newToken = (options: Partial<NewToken>) =>
    inTransaction(db, testContext(), (work) => createToken(work, { name: "hr", scope: "feed", ...options }));
  return {
    db,
    keyRing,
    newToken,
    async connection(name, settings = { upload: { keep: 3 } }, more = {}) {
      const definition = {
        name,
        connector: "csv",
        settings: { idColumn: "id", trailer: "END", ...settings },
        mapping: { user: { attributes: { userName: "account.login", employeeNumber: "account.id" } } },
        ...more,
      };
      const { id } = await inTransaction(db, testContext(), (work) => addConnection(work, { definition, keyRing }));
      return { id, token: (await newToken({ connectionId: id })).token };
    },
    put(url, { token, body = "", headers = {} }) {
      const call = agent.put(url).set("Content-Type", "text/csv").set(headers);
      if (token !== undefined) call.set("Authorization", `Bearer ${token}`);
      return call.send(body);
    },
    get: (url, { token }) => agent.get(url).set("Authorization", `Bearer ${token}`),
    async raw(bytes, { hangUp }) {
      const socket = connect(port, "127.0.0.1");
      let answer = "";
      socket.on("data", (data: Buffer) => (answer += data.toString("utf8")));
      socket.on("error", () => undefined);
      if (hangUp) socket.end(bytes);
      else socket.write(bytes);
      await once(socket, "close");
      return answer;
    },
    async kept(name) {
      const { rows } = await db.pool.query<{ file: string }>(
        "select file from uploads where connection_id = (select id from connections where name = $1) order by file",
        [name],
      );
      return rows.map(({ file }) => file);
    },
    async last(name, ring = keyRing) {
      const last = await (await loadConnection(db.pool, ring, name)).uploads?.last();
      if (!last) return undefined;
      const chunks: Buffer[] = [];
      for await (const chunk of last.chunks()) chunks.push(chunk);
      return Buffer.concat(chunks).toString("utf8");
    },
    async close() {
      await new Promise((closed) => server.close(closed));
      await db.drop();
    },
  };
}
