import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import supertest, { type Test } from "supertest";
import { giveGrant } from "../../../src/access/grants.ts";
import { loadShippedRoles } from "../../../src/access/shipped-roles.ts";
import { createApp } from "../../../src/app.ts";
import { createToken, type NewToken } from "../../../src/auth/tokens.ts";
import { inTransaction, type Work } from "../../../src/db/database.ts";
import { projectFolder } from "../../../src/db/folder.ts";
import { signInSettings } from "../../../src/sign-in-settings.ts";
import { createUnit } from "../../../src/directory/units.ts";
import { loopback, silentLog, testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";
import { keyRing } from "../scim/door.ts";
import { requireConformance } from "./conformance.ts";

export interface CallOptions {
  body?: unknown;
  /** Null: without a credential. */
  token?: string | null;
  headers?: Record<string, string>;
}

/** A running application over a database of its own with the shipped roles, and an all-powerful service's token. */
export interface ApiDoor {
  db: TestDatabase;
  url: string;
  /** The clock; move it. */
  clock: { now: () => Date; set(at: Date): void; forward(ms: number): void };
  token: string;
  /** Path below /api/v1. Every answer is held to the published OpenAPI document. */
  request(method: string, path: string, options?: CallOptions): Test;
  work<T>(act: (work: Work) => Promise<T>): Promise<T>;
  newToken(options?: Partial<NewToken>): Promise<string>;
  /** A person in a unit (or none), without rights. */
  newPerson(options?: { userName?: string; unitId?: string; managerId?: string; attributes?: Record<string, unknown> }): Promise<string>;
  newUnit(options?: { name?: string; type?: string; parentId?: string; code?: string }): Promise<string>;
  /** A new person who holds the role on the unit, and that person's token. */
  newHolder(options: { role: string; unitId: string }): Promise<{ personId: string; token: string }>;
  close(): Promise<void>;
}

/** @param signIn settings of signing in that are not the usual ones */
export async function openApi({ signIn = {} }: { signIn?: Record<string, unknown> } = {}): Promise<ApiDoor> {
  const db = await testDatabase();
  let offset = 0;
  const clock = {
    now: () => new Date(Date.now() + offset),
    set: (at: Date) => void (offset = at.getTime() - Date.now()),
    forward: (ms: number) => void (offset += ms),
  };
  const ctx = testContext({ now: clock.now });
  const work = <T>(act: (work: Work) => Promise<T>) => inTransaction(db, ctx, act);
  await work((each) => loadShippedRoles(each, { folder: path.join(projectFolder(), "config/roles"), modules: ["register", "dashboard"] }));
  const config = {
    http: { bodyLimit: 1024 * 1024, trustProxy: false },
    outbound: { allow: [...loopback.allow], direct: [] },
    connections: { folders: [os.tmpdir()] },
    signIn: signInSettings.parse(signIn),
  };
  const server = createApp({ db, keyRing, config, log: silentLog, now: clock.now }).listen(0, "127.0.0.1");
  // Whoever asks closes what is idle: a machine that stands still for seconds would have both ends do so at once, and a request lost.
  server.keepAliveTimeout = 0;
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const newToken = async (options: Partial<NewToken> = {}) =>
    (await work((each) => createToken(each, { name: "test", scope: "api", ...options }))).token;
  const newPerson: ApiDoor["newPerson"] = ({ userName, unitId, managerId, attributes = {} } = {}) =>
    work(async ({ sql }) => {
      const id = randomUUID();
      const name = userName ?? `person-${id.slice(0, 8)}`;
      const at = clock.now();
      await sql.query(
        `insert into people (id, user_name, display_name, attributes, manager_id, created_at, modified_at) values ($1, $2::text, $2::text, $3, $4, $5, $5)`,
        [id, name, JSON.stringify({ userName: name, displayName: name, ...attributes }), managerId ?? null, at],
      );
      await sql.query(
        "insert into lifecycle_periods (person_id, state, reason, valid_from, recorded_from) values ($1, 'active', 'joined', $2, $2)",
        [id, at],
      );
      if (unitId !== undefined)
        await sql.query("insert into person_units (person_id, unit_id, valid_from, recorded_from) values ($1, $2, $3, $3)", [
          id,
          unitId,
          at,
        ]);
      return id;
    });
  const token = await newToken();
  return {
    db,
    url,
    clock,
    token,
    work,
    newToken,
    newPerson,
    newUnit: ({ name = `unit-${randomUUID().slice(0, 8)}`, ...more } = {}) => work((each) => createUnit(each, { name, ...more })),
    async newHolder({ role, unitId }) {
      const personId = await newPerson();
      await work((each) => giveGrant(each, { personId, role, unit: unitId }));
      return { personId, token: await newToken({ personId }) };
    },
    request(method, at, { body, token: other, headers = {} } = {}) {
      const call = supertest(url)[method.toLowerCase() as "get"](`/api/v1${at}`);
      if (other !== null) call.set("Authorization", `Bearer ${other ?? token}`);
      call.set(headers);
      call.expect(({ status, type, body: answer }) => requireConformance({ method, path: at, status, type, body: answer }));
      if (body === undefined) return call;
      return Buffer.isBuffer(body)
        ? call.send(body)
        : call.set("Content-Type", headers["Content-Type"] ?? "application/json").send(JSON.stringify(body));
    },
    async close() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
      await db.drop();
    },
  };
}
