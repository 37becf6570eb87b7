import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startLyingProvider, type LyingProvider } from "../../counterparts/oidc/lying-provider.ts";
import { connectionDefinitionSchema } from "../../../src/connections/definition.ts";
import { loadConnection } from "../../../src/connections/open.ts";
import { addConnection } from "../../../src/connections/store.ts";
import { syncAccount } from "../../../src/sync/one-account.ts";
import { keyRing } from "../scim/door.ts";
import { openLogin, type LoginDoor } from "./login-door.ts";
import { addOidc, back, towards } from "./oidc-door.ts";

let door: LoginDoor;
let provider: LyingProvider;
beforeAll(async () => {
  door = await openLogin();
  provider = await startLyingProvider({ now: door.clock.now });
  const staff = connectionDefinitionSchema.parse({
    name: "staff",
    connector: "csv",
    settings: { file: "/nowhere/people.csv", idColumn: "id", trailer: "END" },
    mapping: {
      user: {
        scope: "account.status != 'left'",
        attributes: { userName: "account.id", "emails.work": "account.mail", active: "account.status == 'here'" },
      },
    },
  });
  await door.work((work) => addConnection(work, { definition: staff, keyRing }));
  await addOidc(door, { settings: { issuer: provider.issuer } });
});
afterAll(async () => {
  await provider.close();
  await door.close();
});

/** What the list of staff says of somebody, as its run would take it in. */
const staffSays = (id: string, status: "here" | "away" | "left") =>
  door.work(async (work) => {
    const connection = await loadConnection(work.sql, keyRing, "staff");
    return syncAccount(work, {
      connection,
      keyRing,
      nativeId: id,
      attributes: { id, mail: `${id}@corp.test`, status },
      create: true,
      link: true,
    });
  });
async function signIn(id: string, more: Record<string, unknown> = {}) {
  const browser = door.browser();
  const claims = { email: `${id}@corp.test`, email_verified: true, preferred_username: id, ...more };
  const answer = await back(browser, await provider.authorize(await towards(browser), { sub: `sub-${id}`, claims }));
  return { answer, browser };
}
async function stateOf(id: string): Promise<string | undefined> {
  const { rows } = await door.db.pool.query<{ state: string }>("select state from people where user_name = $1", [id]);
  return rows[0]?.state;
}

test("G4, M4: who has signed in by a provider leaves like everybody else: a sign-in is no list of who is employed", async () => {
  await staffSays("una", "here");
  const { browser } = await signIn("una");
  expect((await browser.get("/account")).status).toBe(200);
  await staffSays("una", "left");
  expect(await stateOf("una")).toBe("deactivated");
  expect((await browser.get("/account")).status).toBe(303);
});

test("G4: who has left, or is away, is not brought back by signing in, whatever the provider says", async () => {
  for (const status of ["left", "away"] as const) {
    const id = `vic-${status}`;
    await staffSays(id, "here");
    await staffSays(id, status);
    const before = await stateOf(id);
    expect(before).toBe(status === "left" ? "deactivated" : "suspended");
    expect((await signIn(id)).answer.status).toBe(403);
    expect((await signIn(id, { title: "changed" })).answer.status).toBe(403);
    expect(await stateOf(id)).toBe(before);
    await staffSays(id, "here");
    expect(await stateOf(id)).toBe("active");
    expect((await signIn(id)).answer.status).toBe(200);
  }
});
