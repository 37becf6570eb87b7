import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { handOutLink } from "../../../src/auth/links/hand-out.ts";
import { revokeLink } from "../../../src/auth/links/links.ts";
import { setTemporaryPassword } from "../../../src/auth/passwords/set.ts";
import { createLocalPerson } from "../../../src/sync/local-people.ts";
import { CLIENT, startCertifiedProvider, type CertifiedProvider } from "../../counterparts/oidc/certified-provider.ts";
import { keyRing } from "../scim/door.ts";
import type { Answer, Browser } from "./browser.ts";
import { openLogin, type LoginDoor } from "./login-door.ts";
import { addOidc, back, BASE, MAPPING, towards } from "./oidc-door.ts";

let door: LoginDoor;
let provider: CertifiedProvider;
beforeAll(async () => {
  door = await openLogin();
  provider = await startCertifiedProvider({ rollcall: BASE, calledAt: door.url });
  const mapping = {
    user: { attributes: { ...MAPPING.user.attributes, employeeNumber: "account.title" } },
    match: ["emails", "employeeNumber"],
  };
  await addOidc(door, { settings: { ...CLIENT, issuer: provider.issuer }, policy: { signIn: {} }, mapping });
});
afterAll(async () => {
  await provider.close();
  await door.close();
});

interface Invited {
  personId: string;
  userName: string;
  email: string;
}

/** Somebody who is invited, whose invitation was handed over; the provider knows them by their address. */
async function invited({ link = true } = {}): Promise<Invited> {
  const userName = `i-${randomUUID().slice(0, 8)}`;
  const email = `${userName}@corp.test`;
  const emails = [{ value: email, type: "work", primary: true }];
  const personId = await door.work((work) =>
    createLocalPerson(work, { contribution: { userName, emails, employeeNumber: `n-${userName}` }, state: "invited" }),
  );
  if (link) await invite(personId);
  provider.people.set(userName, { email, email_verified: true, name: userName, title: `n-${userName}` });
  return { personId, userName, email };
}

const invite = (personId: string) =>
  door.work((work) =>
    handOutLink(work, { personId, purpose: "invitation", delivery: "show", keyRing, settings: door.settings, baseUrl: BASE }),
  );

async function signIn(name: string): Promise<{ browser: Browser; answer: Answer }> {
  const browser = door.browser();
  return { browser, answer: await back(browser, await provider.signIn(await towards(browser), { name, cookies: new Map() })) };
}
const stateOf = async (personId: string) =>
  (await door.db.pool.query<{ state: string }>("select state from people where id = $1", [personId])).rows[0]?.state;
const eventsOf = async (personId: string) =>
  (
    await door.db.pool.query<{ name: string; actor: string }>(
      "select name, actor from audit_events where subject_id = $1 and name = 'person.activated'",
      [personId],
    )
  ).rows;

describe("G1, G4: somebody invited who comes by an identity provider first", () => {
  test("has answered by it, where it vouches for the address of theirs; the link opens nothing any more", async () => {
    const { personId, userName } = await invited();
    const { browser, answer } = await signIn(userName);
    expect(answer.status).toBe(200);
    expect((await browser.get("/account")).status).toBe(200);
    expect(await stateOf(personId)).toBe("active");
    expect(await eventsOf(personId)).toEqual([{ name: "person.activated", actor: "connection:sso" }]);
    const { rows } = await door.db.pool.query("select from login_links where person_id = $1 and revoked_at is null", [personId]);
    expect(rows).toEqual([]);
  });

  test("also once the link's time is over, which is the link's alone", async () => {
    const { personId, userName } = await invited();
    await door.db.pool.query("update login_links set expires_at = created_at where person_id = $1", [personId]);
    expect((await signIn(userName)).answer.status).toBe(200);
    expect(await stateOf(personId)).toBe("active");
  });

  test("also where they were given a temporary password instead", async () => {
    const { personId, userName } = await invited({ link: false });
    await door.work((work) => setTemporaryPassword(work, { personId, keyRing, settings: door.settings.password }));
    expect((await signIn(userName)).answer.status).toBe(200);
    expect(await stateOf(personId)).toBe("active");
  });

  test("is told to answer first where nobody has invited them yet, or the invitation was taken back", async () => {
    const [unasked, takenBack] = [await invited({ link: false }), await invited()];
    await door.work((work) => revokeLink(work, { personId: takenBack.personId, purpose: "invitation", reason: "somebody else" }));
    for (const { personId, userName } of [unasked, takenBack]) {
      const { browser, answer } = await signIn(userName);
      expect([answer.status, answer.text]).toEqual([403, expect.stringContaining("invitation")]);
      expect((await browser.get("/account")).status).not.toBe(200);
      expect(await stateOf(personId)).toBe("invited");
      const { rows } = await door.db.pool.query("select why from sign_in_attempts where person_id = $1", [personId]);
      expect(rows).toEqual([{ why: "invited" }]);
    }
    await invite(takenBack.personId);
    expect((await signIn(takenBack.userName)).answer.status).toBe(200);
  });

  test("is told so where the provider found them by something else than the address, or doesn't vouch for it", async () => {
    const [unverified, other] = [await invited(), await invited()];
    provider.people.set(unverified.userName, { ...provider.people.get(unverified.userName), email_verified: false });
    provider.people.set(other.userName, { ...provider.people.get(other.userName), email: "other@elsewhere.test" });
    for (const { personId, userName } of [unverified, other]) {
      const { answer } = await signIn(userName);
      expect([answer.status, answer.text]).toEqual([403, expect.stringContaining("invitation")]);
      expect(await stateOf(personId)).toBe("invited");
    }
  });

  test("is let in no earlier than others: suspended, or before their own time, they are told what all are told", async () => {
    const { personId, userName } = await invited();
    await door.db.pool.query("update people set active = false where id = $1", [personId]);
    const { answer } = await signIn(userName);
    expect([answer.status, answer.text]).toEqual([403, expect.stringContaining("can&#39;t be let in here at the moment")]);
    expect(await stateOf(personId)).toBe("invited");
  });

  test("of several browsers that come at once all are let in, and one has answered", async () => {
    const { personId, userName } = await invited();
    const answers = await Promise.all(Array.from({ length: 5 }, () => signIn(userName)));
    expect(answers.map(({ answer }) => answer.status)).toEqual([200, 200, 200, 200, 200]);
    expect(await eventsOf(personId)).toHaveLength(1);
  });
});
