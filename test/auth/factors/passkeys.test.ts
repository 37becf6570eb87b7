import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { factorsOf } from "../../../src/auth/factors/factors.ts";
import { beginPasskeyEnrolment, finishPasskeyEnrolment } from "../../../src/auth/factors/passkey-enrolment.ts";
import { authenticationResponse, registrationResponse } from "../../../src/auth/factors/passkey-responses.ts";
import { askForPasskey, verifyPasskey, type PasskeyQuestion } from "../../../src/auth/factors/passkeys.ts";
import { relyingPartyOf } from "../../../src/auth/factors/relying-party.ts";
import { softwarePasskey, type Overrides, type SoftwarePasskey } from "../../helpers/software-passkey.ts";
import { ORIGIN, openFactorRoom, type FactorRoom } from "./factor-room.ts";

let room: FactorRoom;
beforeAll(async () => {
  room = await openFactorRoom();
});
afterAll(() => room.db.drop());

const account = { userName: "ada", displayName: "Ada" };

async function enrol(personId: string, passkey: SoftwarePasskey, overrides: Overrides = {}) {
  const call = { ...room.callOf(personId), relyingParty: room.relyingParty };
  const options = await room.work((each) => beginPasskeyEnrolment(each, { ...call, account }));
  const response = registrationResponse.parse(passkey.create(options, overrides));
  return room.work((each) => finishPasskeyEnrolment(each, { ...call, response, label: "Laptop" }));
}

async function enrolled(counts = true) {
  const personId = await room.newPerson();
  const passkey = softwarePasskey({ origin: ORIGIN, counts });
  const done = await enrol(personId, passkey);
  if (!done.ok) throw new Error(done.why);
  return { personId, passkey, factorId: done.factorId, recoveryCodes: done.recoveryCodes };
}

const questionOf = (personId: string | null): PasskeyQuestion => ({
  personId,
  boundTo: room.callOf("").boundTo,
  relyingParty: room.relyingParty,
});

async function show(passkey: SoftwarePasskey, personId: string | null, overrides: Overrides = {}) {
  const question = questionOf(personId);
  const options = await room.work((each) => askForPasskey(each, question));
  const response = authenticationResponse.parse(passkey.get(options, overrides));
  return { question, response, proof: await room.work((each) => verifyPasskey(each, { ...question, response })) };
}

test("G3: a passkey is enrolled and proves its person as a second factor, and alone when it has verified them", async () => {
  const { personId, passkey, factorId, recoveryCodes } = await enrolled();
  expect(recoveryCodes).toHaveLength(10);
  expect(await factorsOf(room.db.pool, personId)).toMatchObject([{ kind: "passkey", label: "Laptop" }]);
  expect((await show(passkey, personId)).proof).toEqual({ ok: true, personId, factorId, userVerified: true });
  expect((await show(passkey, personId, { userVerified: false })).proof).toMatchObject({ ok: true, userVerified: false });
  expect((await show(passkey, null)).proof).toEqual({ ok: true, personId, factorId, userVerified: true });
  expect((await show(passkey, null, { userVerified: false })).proof).toEqual({ ok: false, why: "wrong" });
});

test("G3: an answer is good once, in its own sign-in, for what was asked, and for ten minutes", async () => {
  const { personId, passkey } = await enrolled();
  const { question, response } = await show(passkey, personId);
  expect(await room.work((each) => verifyPasskey(each, { ...question, response }))).toEqual({ ok: false, why: "over" });

  const options = await room.work((each) => askForPasskey(each, question));
  const fresh = passkey.get(options);
  for (const other of [questionOf(personId), { ...question, personId: null }, { ...question, personId: await room.newPerson() }])
    expect(await room.work((each) => verifyPasskey(each, { ...other, response: fresh }))).toEqual({ ok: false, why: "over" });
  const outcomes = await Promise.all(
    Array.from({ length: 6 }, () => room.work((each) => verifyPasskey(each, { ...question, response: fresh }))),
  );
  expect(outcomes.filter(({ ok }) => ok)).toHaveLength(1);

  const late = passkey.get(await room.work((each) => askForPasskey(each, question)));
  room.clock.forward(10 * 60_000);
  expect(await room.work((each) => verifyPasskey(each, { ...question, response: late }))).toEqual({ ok: false, why: "over" });
});

test("G3: what is wrong in an answer is refused: origin, host, challenge, signature, whose it is", async () => {
  const { personId, passkey } = await enrolled();
  const wrongs: Overrides[] = [
    { origin: "https://rollcall.example.com.evil.example" },
    { origin: "https://evil.example" },
    { rpId: "evil.example" },
    { signature: (bytes) => Buffer.from(bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte))) },
    { userHandle: Buffer.alloc(16).toString("base64url") },
  ];
  for (const wrong of wrongs) expect((await show(passkey, personId, wrong)).proof).toEqual({ ok: false, why: "wrong" });
  expect((await show(passkey, personId, { challenge: Buffer.alloc(32, 7).toString("base64url") })).proof).toEqual({
    ok: false,
    why: "over",
  });
  expect((await show(softwarePasskey({ origin: ORIGIN }), null)).proof).toEqual({ ok: false, why: "wrong" });
  const other = await enrolled();
  expect((await show(other.passkey, personId)).proof).toEqual({ ok: false, why: "wrong" });
  for (const wrong of [{ origin: "https://evil.example" }, { rpId: "evil.example" }])
    expect(await enrol(await room.newPerson(), softwarePasskey({ origin: ORIGIN }), wrong)).toEqual({ ok: false, why: "wrong" });
  expect((await show(passkey, personId)).proof).toMatchObject({ ok: true });
  await expect(enrol(await room.newPerson(), passkey)).rejects.toMatchObject({ code: "conflict" });
});

test("G3: a counter that does not go on is refused and recorded: a copy of the passkey", async () => {
  const { personId, passkey } = await enrolled();
  await show(passkey, personId);
  await show(passkey, personId);
  passkey.count = 1;
  expect((await show(passkey, personId)).proof).toEqual({ ok: false, why: "wrong" });
  expect(await room.events(personId)).toContain("factor.counter_regressed");
  passkey.count = 7;
  expect((await show(passkey, personId)).proof).toMatchObject({ ok: true });
  passkey.count = null;
  expect((await show(passkey, personId)).proof).toEqual({ ok: false, why: "wrong" });
  const uncounted = await enrolled(false);
  expect((await show(uncounted.passkey, uncounted.personId)).proof).toMatchObject({ ok: true });
  expect((await show(uncounted.passkey, uncounted.personId)).proof).toMatchObject({ ok: true });
});

test("passkeys need a host name, and https but for localhost", () => {
  expect(relyingPartyOf({ baseUrl: "http://localhost:8080/", name: "Rollcall" })).toEqual({
    id: "localhost",
    name: "Rollcall",
    origin: "http://localhost:8080",
  });
  for (const baseUrl of ["http://127.0.0.1:8080", "https://[::1]/", "http://rollcall.example.com"])
    expect(relyingPartyOf({ baseUrl, name: "Rollcall" })).toBeUndefined();
});
