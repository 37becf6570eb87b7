import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { CheckResult } from "../../../connectors/contract.ts";
import { checkGoogle } from "../../../connectors/google/check.ts";
import { googleSettings } from "../../../connectors/google/config.ts";
import { startGoogle, type GoogleFake } from "../../counterparts/google/server.ts";
import { rsaKey } from "../../helpers/rsa-key.ts";
import { fillCompany, googleOptions } from "./opened.ts";

let fake: GoogleFake;

beforeEach(async () => {
  fake = await startGoogle();
  fillCompany(fake, { people: 3 });
});
afterEach(() => fake.stop());

const failed = (results: readonly CheckResult[]) => results.filter(({ ok }) => !ok);
const SCOPE = "https://www.googleapis.com/auth/admin.directory.";

describe("check", () => {
  test("everything is delegated: nothing is wrong, and nothing was changed", async () => {
    const results = await checkGoogle(googleOptions(fake));
    expect(failed(results)).toEqual([]);
    expect(results.map(({ name }) => name)).toEqual([
      "Org units",
      "Users",
      "Groups",
      "Suspending users",
      "Signing users out",
      "Removing group members",
    ]);
    expect(fake.calls.filter(({ method }) => method !== "GET")).toEqual([]);
  });

  test.each([
    ["user.readonly", "Users"],
    ["group.readonly", "Groups"],
    ["orgunit.readonly", "Org units"],
    ["user", "Suspending users"],
    ["user.security", "Signing users out"],
    ["group.member", "Removing group members"],
  ])(
    "without the scope admin.directory.%s it is named, with where to delegate it and to which client; the rest is well",
    async (scope, name) => {
      fake.delegation.delegated.delete(SCOPE + scope);
      const [result, ...others] = failed(await checkGoogle(googleOptions(fake)));
      expect(others).toEqual([]);
      expect(result).toMatchObject({ name, permission: SCOPE + scope });
      expect(result?.message).toContain("Domain-wide delegation");
      expect(result?.message).toContain("112233445566778899001");
    },
  );

  test("an administrator who does not exist, a key that was replaced and a wrong clock are told apart", async () => {
    const [nobody] = failed(await checkGoogle(googleOptions(fake, { administrator: "nobody@lab.test" })));
    expect(nobody?.message).toContain("Check that the administrator nobody@lab.test exists");
    const other = rsaKey("replaced").privateKey.export({ type: "pkcs8", format: "pem" });
    const serviceAccountKey = JSON.stringify({ ...JSON.parse(fake.delegation.keyFile), private_key: other });
    const [replaced] = failed(await checkGoogle(googleOptions(fake, { serviceAccountKey })));
    expect(replaced?.message).toContain("Service Accounts > Keys");
    const options = googleOptions(fake);
    const [late] = failed(await checkGoogle({ ...options, now: () => new Date("2020-01-01T00:00:00Z") }));
    expect(late?.message).toContain("clock");
  });

  test("an administrator without a role, and one whose role lacks a privilege", async () => {
    const { id, primaryEmail: administrator } = fake.organisation.addUser({ email: "clerk@lab.test" });
    const results = failed(await checkGoogle(googleOptions(fake, { administrator })));
    expect(results).toMatchObject([{ name: "Suspending users", message: expect.stringContaining("Account > Admin roles") }]);
    fake.organisation.changeUser(id, { isDelegatedAdmin: true });
    fake.inject({ fault: "forbidden", when: ({ path }) => path.endsWith("/orgunits") });
    expect(failed(await checkGoogle(googleOptions(fake, { administrator })))).toMatchObject([
      { name: "Org units", permission: "Organizational Units > Read" },
    ]);
  });

  test("where nothing answers, that is said once, not once for each permission", async () => {
    const tokenUrl = "http://127.0.0.1:1/token";
    const results = await checkGoogle(googleOptions(fake, { tokenUrl, attempts: 1 }));
    expect(results).toMatchObject([{ ok: false, message: expect.stringContaining("refuses the connection") }]);
  });

  test("a query that finds nobody is pointed at", async () => {
    expect(failed(await checkGoogle(googleOptions(fake, { userQuery: "orgUnitPath='/Nowhere'" })))).toMatchObject([{ name: "Users" }]);
  });
});

describe("settings", () => {
  test("the key must be a service account's, and is never quoted", () => {
    const settings = { administrator: "admin@lab.test" };
    for (const serviceAccountKey of ["secret-that-is-no-json", '{"type":"authorized_user","secret":"x"}', ""]) {
      const { success, error } = googleSettings.safeParse({ ...settings, serviceAccountKey });
      expect(success).toBe(false);
      expect(JSON.stringify(error?.issues)).not.toContain("secret");
    }
  });

  test("tokens travel unencrypted on this machine only", () => {
    const settings = { administrator: "admin@lab.test", serviceAccountKey: fake.delegation.keyFile };
    const accepts = (apiUrl: string) => googleSettings.safeParse({ ...settings, apiUrl }).success;
    expect(["https://admin.googleapis.com", "http://127.0.0.1:8080", "http://localhost"].map(accepts)).toEqual([true, true, true]);
    expect(["http://admin.googleapis.com", "http://127.0.0.1.evil.test", "http://localhost.evil.test", "ftp://x"].map(accepts)).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });
});
