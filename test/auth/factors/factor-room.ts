import { randomBytes, randomUUID } from "node:crypto";
import { Secret, TOTP } from "otpauth";
import { beginTotpEnrolment, finishTotpEnrolment } from "../../../src/auth/factors/enrolment.ts";
import type { FactorCall } from "../../../src/auth/factors/kinds.ts";
import { relyingPartyOf, type RelyingParty } from "../../../src/auth/factors/relying-party.ts";
import { inTransaction, type Work } from "../../../src/db/database.ts";
import { sealingKey, type KeyRing } from "../../../src/db/envelope.ts";
import { openNotice } from "../../../src/directory/notices.ts";
import { personKeys } from "../../../src/directory/personal.ts";
import { signInSettings } from "../../../src/sign-in-settings.ts";
import { testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";

/** A database with people in it, and a clock. */
export interface FactorRoom {
  db: TestDatabase;
  keyRing: KeyRing;
  clock: { now: () => Date; forward(ms: number): void };
  relyingParty: RelyingParty;
  work<T>(act: (work: Work) => Promise<T>): Promise<T>;
  newPerson(): Promise<string>;
  /** A call in a sign-in of its own. */
  callOf(personId: string, settings?: Partial<FactorCall["settings"]>): FactorCall;
  /** Enrols an authenticator app; says its secret. */
  newApp(personId: string): Promise<{ secret: string; factorId: string; recoveryCodes: string[] | null }>;
  /** The code that an app shows so many steps from now. */
  codeOf(secret: string, steps?: number): string;
  /** What was told to somebody, the latest last. */
  told(personId: string): Promise<{ notice: string; channel: string; data: Record<string, string | number>; address: string | null }[]>;
  events(personId: string): Promise<string[]>;
}

export const ORIGIN = "https://rollcall.example.com";

export async function openFactorRoom(): Promise<FactorRoom> {
  const db = await testDatabase({ poolSize: 20 });
  const keyRing: KeyRing = { current: sealingKey(randomBytes(32)), older: [] };
  // A whole step, so that a test's steps are the clock's.
  let at = Math.floor(Date.now() / 30_000) * 30_000 + 1000;
  const clock = { now: () => new Date(at), forward: (ms: number) => void (at += ms) };
  const ctx = testContext({ now: clock.now });
  const work: FactorRoom["work"] = (act) => inTransaction(db, ctx, act);
  const settings = signInSettings.parse({}).factors;
  const relyingParty = relyingPartyOf({ baseUrl: ORIGIN, name: "Rollcall" });
  if (!relyingParty) throw new Error("no passkeys at this address");
  const room: FactorRoom = {
    db,
    keyRing,
    clock,
    relyingParty,
    work,
    async newPerson() {
      const id = randomUUID();
      await db.pool.query(
        `insert into people (id, user_name, attributes, created_at, modified_at) values ($1::uuid, $1::uuid::text, '{}', $2, $2)`,
        [id, clock.now()],
      );
      return id;
    },
    callOf: (personId, more) => ({ personId, boundTo: `sign-in:${randomUUID()}`, keyRing, settings: { ...settings, ...more } }),
    async newApp(personId) {
      const call = room.callOf(personId);
      const { secret } = await work((each) => beginTotpEnrolment(each, { ...call, account: "ada" }));
      const done = await work((each) => finishTotpEnrolment(each, { ...call, code: room.codeOf(secret), label: "Telephone" }));
      if (!done.ok) throw new Error(`the app was not enrolled: ${done.why}`);
      return { secret, factorId: done.factorId, recoveryCodes: done.recoveryCodes };
    },
    codeOf: (secret, steps = 0) => new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: at + steps * 30_000 }),
    async told(personId) {
      const { rows } = await db.pool.query<{ id: string; notice: string; channel: string; content: string }>(
        "select id, notice, channel, content from notices where person_id = $1 order by created_at, id",
        [personId],
      );
      const key = (await work((each) => personKeys(each, keyRing, [personId]))).get(personId);
      if (!key) throw new Error("no key");
      return rows.map(({ id, notice, channel, content }) => ({ notice, channel, ...openNotice(key, { id, sealed: content }) }));
    },
    async events(personId) {
      const { rows } = await db.pool.query<{ name: string }>("select name from audit_events where subject_id = $1 order by id", [personId]);
      return rows.map(({ name }) => name);
    },
  };
  return room;
}
