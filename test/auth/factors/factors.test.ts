import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { forgetChallenges } from "../../../src/auth/factors/challenges.ts";
import {
  beginAddressEnrolment,
  beginTotpEnrolment,
  finishAddressEnrolment,
  finishTotpEnrolment,
} from "../../../src/auth/factors/enrolment.ts";
import { factorsOf, removeFactor, resetFactors } from "../../../src/auth/factors/factors.ts";
import { makeRecoveryCodes, recoveryCodesLeft, useRecoveryCode } from "../../../src/auth/factors/recovery-codes.ts";
import { sendFactorCode, verifySentCode, verifyTotp } from "../../../src/auth/factors/verification.ts";
import { openFactorRoom, type FactorRoom } from "./factor-room.ts";

let room: FactorRoom;
beforeAll(async () => {
  room = await openFactorRoom();
});
afterAll(() => room.db.drop());

const MINUTE_MS = 60_000;
const wrong = (code: string) => String((Number(code) + 1) % 1_000_000).padStart(6, "0");

describe("authenticator apps", () => {
  test("G3: enrolled with a code that the app shows, with ten recovery codes; recorded and told, the secret sealed", async () => {
    const personId = await room.newPerson();
    const call = room.callOf(personId);
    const { secret, uri } = await room.work((each) => beginTotpEnrolment(each, { ...call, account: "ada@example.com" }));
    expect(new URL(uri).searchParams.get("secret")).toBe(secret);
    const finish = (code: string) => room.work((each) => finishTotpEnrolment(each, { ...call, code, label: "Telephone" }));
    expect(await finish(wrong(room.codeOf(secret)))).toEqual({ ok: false, why: "wrong" });
    const done = await finish(room.codeOf(secret));
    expect(done).toMatchObject({ ok: true, recoveryCodes: { length: 10 } });
    expect(await finish(room.codeOf(secret, 1))).toEqual({ ok: false, why: "over" });
    expect(await factorsOf(room.db.pool, personId)).toMatchObject([{ kind: "totp", label: "Telephone", lastUsedAt: null }]);
    expect(await room.events(personId)).toEqual(expect.arrayContaining(["factor.added", "factor.recovery_codes_made"]));
    expect(await room.told(personId)).toMatchObject([{ notice: "factor.added" }]);
    const { rows } = await room.db.pool.query("select * from factors f, factor_challenges c where f.person_id = $1", [personId]);
    expect(JSON.stringify(rows)).not.toContain(secret);
  });

  test("the code that enrolled an app proves nobody afterwards", async () => {
    const personId = await room.newPerson();
    const { secret } = await room.newApp(personId);
    const verify = (code: string) => room.work((each) => verifyTotp(each, { ...room.callOf(personId), code }));
    expect(await verify(room.codeOf(secret))).toMatchObject({ ok: false });
    expect(await verify(room.codeOf(secret, 1))).toMatchObject({ ok: true });
    expect(await verify(room.codeOf(secret, 2))).toMatchObject({ ok: false });
  });

  test("an enrolment is good in its own sign-in, for ten minutes and five tries", async () => {
    const personId = await room.newPerson();
    const call = room.callOf(personId);
    const finish = (code: string, given = call) => room.work((each) => finishTotpEnrolment(each, { ...given, code, label: "App" }));
    const { secret } = await room.work((each) => beginTotpEnrolment(each, { ...call, account: "ada" }));
    expect(await finish(room.codeOf(secret), room.callOf(personId))).toEqual({ ok: false, why: "over" });
    for (let tried = 0; tried < 5; tried += 1) expect(await finish(wrong(room.codeOf(secret)))).toEqual({ ok: false, why: "wrong" });
    expect(await finish(room.codeOf(secret))).toEqual({ ok: false, why: "over" });
    const again = await room.work((each) => beginTotpEnrolment(each, { ...call, account: "ada" }));
    room.clock.forward(11 * MINUTE_MS);
    expect(await finish(room.codeOf(again.secret))).toEqual({ ok: false, why: "over" });
    await expect(
      room.work((each) => beginTotpEnrolment(each, { ...room.callOf(personId, { allowed: ["passkey"] }), account: "ada" })),
    ).rejects.toMatchObject({ code: "forbidden" });
  });

  test("G3: no code is accepted twice, and none of an earlier step after a later one, however many come at once", async () => {
    const personId = await room.newPerson();
    const { secret } = await room.newApp(personId);
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            forward: fc.integer({ min: 0, max: 3 }),
            steps: fc.array(fc.integer({ min: -2, max: 2 }), { minLength: 1, maxLength: 6 }),
          }),
          {
            minLength: 1,
            maxLength: 4,
          },
        ),
        async (rounds) => {
          const step = () => Math.floor(room.clock.now().getTime() / 30_000);
          let latest = Number.NEGATIVE_INFINITY;
          const { rows } = await room.db.pool.query<{ step: number }>("select last_step as step from factors where person_id = $1", [
            personId,
          ]);
          latest = rows[0]?.step ?? latest;
          for (const { forward, steps } of rounds) {
            room.clock.forward(forward * 30_000);
            const outcomes = await Promise.all(
              steps.map(async (off) => ({
                step: step() + off,
                ok: (await room.work((each) => verifyTotp(each, { ...room.callOf(personId), code: room.codeOf(secret, off) }))).ok,
              })),
            );
            const accepted = outcomes.filter(({ ok }) => ok).map((each) => each.step);
            expect(new Set(accepted).size).toBe(accepted.length);
            for (const each of accepted) {
              expect(each).toBeGreaterThan(latest);
              expect(Math.abs(each - step())).toBeLessThanOrEqual(1);
            }
            latest = Math.max(latest, ...accepted);
          }
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe("codes by SMS and e-mail", () => {
  const codeSent = async (personId: string) =>
    String((await room.told(personId)).findLast(({ notice }) => notice === "code")?.data["code"]);

  async function withAddress(kind: "sms" | "email", address: string) {
    const personId = await room.newPerson();
    const call = room.callOf(personId);
    const begun = await room.work((each) => beginAddressEnrolment(each, { ...call, kind, address }));
    const code = await codeSent(personId);
    const done = await room.work((each) => finishAddressEnrolment(each, { ...call, kind, code }));
    if (!done.ok) throw new Error(done.why);
    room.clock.forward(1000);
    return { personId, begun, factorId: done.factorId };
  }

  test("G3: a number is confirmed with a code that was sent there, and called by as much of it as tells it apart", async () => {
    const { personId, begun } = await withAddress("sms", "+358 40 1234567");
    expect(begun.sentTo).toBe("+35…67");
    expect(await room.told(personId)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ notice: "code", channel: "sms", address: "+358401234567" }),
        expect.objectContaining({ notice: "factor.added", channel: "email", address: null }),
      ]),
    );
    expect(await factorsOf(room.db.pool, personId)).toMatchObject([{ kind: "sms", label: "+35…67" }]);
    for (const [kind, address] of [
      ["sms", "0401234567"],
      ["sms", "+358 40 12x"],
      ["email", "nobody"],
      ["email", "a@b\r\nBcc: c@d.org"],
    ] as const)
      await expect(room.work((each) => beginAddressEnrolment(each, { ...room.callOf(personId), kind, address }))).rejects.toMatchObject({
        code: "invalid",
        field: "address",
      });
  });

  test("G3: a code is good once, in its own sign-in, for five minutes and five tries, and only the latest", async () => {
    const { personId, factorId } = await withAddress("email", "ada@example.com");
    const call = room.callOf(personId, { codesAnHour: 100 });
    const send = () => {
      room.clock.forward(10);
      return room.work((each) => sendFactorCode(each, { ...call, factorId }));
    };
    const verify = (code: string, given = call) => room.work((each) => verifySentCode(each, { ...given, kind: "email", code }));
    expect(await send()).toMatchObject({ kind: "email", sentTo: "a…@example.com" });
    const code = await codeSent(personId);
    expect(await verify(code, room.callOf(personId))).toEqual({ ok: false, why: "over" });
    expect(await verify(wrong(code))).toEqual({ ok: false, why: "wrong" });
    expect(await verify(code)).toEqual({ ok: true, factorId });
    expect(await verify(code)).toEqual({ ok: false, why: "over" });

    await send();
    const second = await codeSent(personId);
    await send();
    const third = await codeSent(personId);
    if (second !== third) expect(await verify(second)).toEqual({ ok: false, why: "wrong" });
    for (let tried = 0; tried < 5; tried += 1) await verify(wrong(third));
    expect(await verify(third)).toEqual({ ok: false, why: "over" });

    await send();
    const late = await codeSent(personId);
    room.clock.forward(5 * MINUTE_MS);
    expect(await verify(late)).toEqual({ ok: false, why: "over" });
    const { rows } = await room.db.pool.query("select * from factor_challenges where person_id = $1", [personId]);
    for (const sent of [code, third, late]) expect(JSON.stringify(rows)).not.toContain(`"${sent}"`);
  });

  test("of many that bring one code at once, one gets in; tries at once are counted, too", async () => {
    const { personId, factorId } = await withAddress("email", "eve@example.com");
    const call = room.callOf(personId, { codesAnHour: 100 });
    const verify = (code: string) => room.work((each) => verifySentCode(each, { ...call, kind: "email", code }));
    await room.work((each) => sendFactorCode(each, { ...call, factorId }));
    const code = await codeSent(personId);
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => verify(code)));
    expect(outcomes.filter(({ ok }) => ok)).toHaveLength(1);
    room.clock.forward(10);
    await room.work((each) => sendFactorCode(each, { ...call, factorId }));
    const guesses = await Promise.all(Array.from({ length: 12 }, async () => verify(wrong(await codeSent(personId)))));
    expect(guesses.filter((each) => !each.ok && each.why === "wrong")).toHaveLength(5);
  });

  test("too many codes within an hour are refused, also at once, saying when the next may be sent", async () => {
    const { personId, factorId } = await withAddress("sms", "+358401234599");
    const send = () => room.work((each) => sendFactorCode(each, { ...room.callOf(personId, { codesAnHour: 4 }), factorId }));
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, send));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
    await expect(send()).rejects.toMatchObject({ code: "rate_limited", retryAfter: 3599 });
    room.clock.forward(61 * MINUTE_MS);
    await expect(send()).resolves.toMatchObject({ kind: "sms" });
    const other = await withAddress("sms", "+358401234598");
    await expect(room.work((each) => sendFactorCode(each, { ...room.callOf(personId), factorId: other.factorId }))).rejects.toMatchObject({
      code: "not_found",
    });
    room.clock.forward(26 * 60 * MINUTE_MS);
    expect(await room.work(forgetChallenges)).toBeGreaterThan(0);
  });
});

describe("recovery codes", () => {
  test("G3: each is good once, whatever its case and dashes, also at once; the person is told; new ones replace them", async () => {
    const personId = await room.newPerson();
    const { recoveryCodes } = await room.newApp(personId);
    const [first = "", second = "", third = ""] = recoveryCodes ?? [];
    const use = (code: string) => room.work((each) => useRecoveryCode(each, { keyRing: room.keyRing, personId, code }));
    expect(await use("abcd-efgh-jkmn-pqrs")).toEqual({ ok: false, why: "wrong" });
    expect(await use(` ${first.toUpperCase().replaceAll("-", " ")}`)).toEqual({ ok: true, left: 9 });
    expect(await use(first)).toMatchObject({ ok: false });
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => use(second)));
    expect(outcomes.filter(({ ok }) => ok)).toEqual([{ ok: true, left: 8 }]);
    expect(await room.told(personId)).toEqual(
      expect.arrayContaining([expect.objectContaining({ notice: "recovery_code.used", data: { left: 8 } })]),
    );
    const other = await room.newPerson();
    expect(await room.work((each) => useRecoveryCode(each, { keyRing: room.keyRing, personId: other, code: third }))).toMatchObject({
      ok: false,
    });
    const renewed = await room.work((each) => makeRecoveryCodes(each, personId));
    expect(await use(third)).toMatchObject({ ok: false });
    expect(await use(renewed[0] ?? "")).toMatchObject({ ok: true });
    const { rows } = await room.db.pool.query("select encode(hash, 'escape') as hash from recovery_codes");
    for (const code of renewed) expect(JSON.stringify(rows)).not.toContain(code);
  });
});

describe("taking factors away", () => {
  test("G3: the last one stays while one is needed, also when two go at once; recovery codes go with the last", async () => {
    const personId = await room.newPerson();
    const { factorId } = await room.newApp(personId);
    const second = await room.newApp(personId);
    expect(second.recoveryCodes).toBeNull();
    const remove = (id: string) => room.work((each) => removeFactor(each, { keyRing: room.keyRing, personId, factorId: id }));
    await room.db.pool.query(
      "insert into factor_requirements (id, person_id, reason, created_at, created_by) values (gen_random_uuid(), $1, 'test', now(), 'test')",
      [personId],
    );
    const outcomes = await Promise.allSettled([remove(factorId), remove(second.factorId)]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const [last] = await factorsOf(room.db.pool, personId);
    await expect(remove(last?.id ?? "")).rejects.toMatchObject({ code: "conflict" });
    await room.db.pool.query("delete from factor_requirements where person_id = $1", [personId]);
    expect(await recoveryCodesLeft(room.db.pool, personId)).toBe(10);
    await remove(last?.id ?? "");
    expect(await recoveryCodesLeft(room.db.pool, personId)).toBe(0);
    expect((await room.told(personId)).map(({ notice }) => notice)).toContain("factor.removed");
    const other = await room.newPerson();
    const theirs = await room.newApp(other);
    await expect(remove(theirs.factorId)).rejects.toMatchObject({ code: "not_found" });
  });

  test("G3: a reset takes everything away, with its reason in the trail, and the person is told", async () => {
    const personId = await room.newPerson();
    const { secret } = await room.newApp(personId);
    const reset = () => room.work((each) => resetFactors(each, { keyRing: room.keyRing, personId, reason: "lost the telephone" }));
    expect(await reset()).toEqual({ factors: 1 });
    expect(await factorsOf(room.db.pool, personId)).toEqual([]);
    expect(await recoveryCodesLeft(room.db.pool, personId)).toBe(0);
    expect(await room.work((each) => verifyTotp(each, { ...room.callOf(personId), code: room.codeOf(secret, 1) }))).toMatchObject({
      ok: false,
    });
    const { rows } = await room.db.pool.query("select reason, data from audit_events where name = 'factor.reset' and subject_id = $1", [
      personId,
    ]);
    expect(rows).toEqual([{ reason: "lost the telephone", data: { factors: 1, recoveryCodes: 10 } }]);
    expect((await room.told(personId)).map(({ notice }) => notice)).toContain("factors.reset");
    await expect(reset()).rejects.toMatchObject({ code: "conflict" });
  });
});
