import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { checkOkta } from "../../../connectors/okta/check.ts";
import type { FakeOkta } from "../../counterparts/okta/server.ts";
import { addPeople, addServiceApp, oktaOptions, openOrgServer } from "./opened.ts";

let fake: FakeOkta;
beforeEach(async () => {
  fake = await openOrgServer();
  addPeople(fake, 3);
});
afterEach(() => fake.close());

const check = (settings: Record<string, unknown> = {}) => checkOkta(oktaOptions(fake, settings));
const changes = () => fake.requests.filter((line) => !line.startsWith("GET") && !line.includes("/oauth2/"));

describe("connection check of an Okta org", () => {
  test("all is well: each finding is ok, and nothing was changed", async () => {
    const results = await check(addServiceApp(fake));
    expect(results.filter(({ ok }) => !ok)).toEqual([]);
    expect(results.map(({ name }) => name)).toEqual(["Org", "Sign-in", "Users", "Groups", "Write-back", "Write-back"]);
    expect(changes()).toEqual([]);
  });

  test("an API token says whose it is", async () => {
    const results = await check();
    expect(results.every(({ ok }) => ok)).toBe(true);
    expect(results.find(({ name }) => name === "Sign-in")?.message).toContain("p0@lab.test");
  });

  test("a missing scope is named as the console names it", async () => {
    const results = await check(addServiceApp(fake, { scopes: ["okta.users.read"] }));
    expect(results.filter(({ ok }) => !ok)).toEqual([
      expect.objectContaining({
        name: "Groups",
        permission: "okta.groups.read",
        message: expect.stringContaining("Okta API Scopes > Grant"),
      }),
    ]);
    expect(results.at(-1)?.message).toContain("okta.groups.manage is not granted");
  });

  test("no scope at all, a key that the app does not have, DPoP: each says what to change", async () => {
    const app = addServiceApp(fake, { scopes: [] });
    const failure = async () => (await check(app)).find(({ ok }) => !ok)?.message;
    expect(await failure()).toContain("Okta API Scopes > Grant");
    const [registered] = fake.signIn.apps;
    if (registered) registered.requireDpop = true;
    expect(await failure()).toContain("Demonstrating Proof of Possession");
    if (registered) registered.keys = { keys: [] };
    expect(await failure()).toContain("Public Keys");
  });

  test("a scope without an admin role is told apart from a missing scope", async () => {
    fake.faults.order({ name: "forbidden", path: /\/users\?/ });
    const results = await check(addServiceApp(fake));
    expect(results.find(({ ok }) => !ok)).toMatchObject({
      name: "Users",
      message: expect.stringContaining("Admin roles > Edit assignments"),
    });
  });

  test("a token that is not good any more is told", async () => {
    const results = await check({ apiToken: "00ThisOneWasRevoked" });
    expect(results.at(-1)).toMatchObject({ name: "Sign-in", ok: false, message: expect.stringContaining("Security > API > Tokens") });
  });
});
