import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import type { Logger } from "pino";
import { loadShippedRoles } from "../../../src/access/shipped-roles.ts";
import { createApp } from "../../../src/app.ts";
import { setPassword } from "../../../src/auth/passwords/set.ts";
import { inTransaction, type Work } from "../../../src/db/database.ts";
import { projectFolder } from "../../../src/db/folder.ts";
import { signInSettings, type SignInSettings } from "../../../src/sign-in-settings.ts";
import { loopback, silentLog, testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";
import { keyRing } from "../scim/door.ts";
import { openBrowser, type Browser } from "./browser.ts";

/** Enough for every rule; nobody else's. */
export const PASSWORD = "four quiet otters juggle";

/** A running application over a database of its own, where people have passwords. */
export interface LoginDoor {
  db: TestDatabase;
  url: string;
  settings: SignInSettings;
  clock: { now: () => Date; forward(ms: number): void };
  work<T>(act: (work: Work) => Promise<T>): Promise<T>;
  browser(options?: { userAgent?: string }): Browser;
  /** An active person; with PASSWORD unless told otherwise. */
  newPerson(options?: {
    userName?: string;
    email?: string;
    password?: string | null;
    unitId?: string;
  }): Promise<{ personId: string; userName: string }>;
  /** Name and password; returns the last answer, redirects followed. */
  signIn(
    browser: Browser,
    options: { name: string; password?: string; returnTo?: string },
  ): Promise<{ status: number; text: string; location: string | null }>;
  close(): Promise<void>;
}

export interface LoginDoorOptions {
  signIn?: Record<string, unknown>;
  log?: Logger;
  trustProxy?: boolean | number | string;
  /** Real browsers come to it, at http://localhost with its port, and it knows so. */
  browsed?: boolean;
}

export async function openLogin({
  signIn = {},
  log = silentLog,
  trustProxy = false,
  browsed = false,
}: LoginDoorOptions = {}): Promise<LoginDoor> {
  const db = await testDatabase();
  let offset = 0;
  const clock = { now: () => new Date(Date.now() + offset), forward: (ms: number) => void (offset += ms) };
  const ctx = testContext({ now: clock.now });
  const work = <T>(act: (work: Work) => Promise<T>) => inTransaction(db, ctx, act);
  await work((each) => loadShippedRoles(each, { folder: path.join(projectFolder(), "config/roles"), modules: ["register", "dashboard"] }));
  const settings = signInSettings.parse({ password: { argon2: { memoryKiB: 64, passes: 1 } }, ...signIn });
  const server = createServer().listen(0, "127.0.0.1");
  // As in test/http/api/api-door.ts: whoever asks closes what is idle.
  server.keepAliveTimeout = 0;
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const config = {
    ...(browsed ? { port } : {}),
    http: { bodyLimit: 1024 * 1024, trustProxy },
    outbound: { allow: [...loopback.allow], direct: [] },
    signIn: settings,
  };
  server.on("request", createApp({ db, keyRing, config, log, now: clock.now }));
  const url = `http://${browsed ? "localhost" : "127.0.0.1"}:${port}`;
  const door: LoginDoor = {
    db,
    url,
    settings,
    clock,
    work,
    browser: (options) => openBrowser(url, options),
    async newPerson({ userName, email, password = PASSWORD, unitId } = {}) {
      const personId = randomUUID();
      const name = userName ?? `person-${personId.slice(0, 8)}`;
      await work(async (each) => {
        const { sql } = each;
        const at = clock.now();
        await sql.query(
          "insert into people (id, user_name, display_name, email, attributes, created_at, modified_at) values ($1, $2::text, $2::text, $3, $4, $5, $5)",
          [
            personId,
            name,
            email ?? null,
            JSON.stringify({ userName: name, ...(email ? { emails: [{ value: email, primary: true }] } : {}) }),
            at,
          ],
        );
        await sql.query(
          "insert into lifecycle_periods (person_id, state, reason, valid_from, recorded_from) values ($1, 'active', 'joined', $2, $2)",
          [personId, at],
        );
        if (unitId !== undefined)
          await sql.query("insert into person_units (person_id, unit_id, valid_from, recorded_from) values ($1, $2, $3, $3)", [
            personId,
            unitId,
            at,
          ]);
        if (password !== null) await setPassword(each, { personId, password, how: "command", keyRing, settings: settings.password });
      });
      return { personId, userName: name };
    },
    async signIn(browser, { name, password = PASSWORD, returnTo }) {
      await browser.get(`/login${returnTo === undefined ? "" : `?return_to=${encodeURIComponent(returnTo)}`}`);
      const fields: Record<string, string> = returnTo === undefined ? {} : { return_to: returnTo };
      await browser.submit("/login", { name, ...fields });
      return browser.follow(await browser.submit("/login/password", { name, password, ...fields }));
    },
    async close() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
      await db.drop();
    },
  };
  return door;
}
