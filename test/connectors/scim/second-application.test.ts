import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Target } from "../../../connectors/contract.ts";
import { scim } from "../../../connectors/scim/index.ts";
import { openTarget } from "../../../connectors/scim/target.ts";
import { startSecondApplication, type SecondApplication } from "../../helpers/second-application.ts";
import { listed, openOptions } from "./opened.ts";

const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

describe.each(["patch", "put"] as const)("the SCIM target against a second application that somebody else wrote, by %s", (patch) => {
  let application: SecondApplication;
  let target: Target;
  beforeAll(async () => {
    application = await startSecondApplication();
    const { url, token } = application;
    target = await openTarget(openOptions({ url, token, patch, memberBatch: 3, pageSize: 4 }));
  });
  afterAll(async () => {
    await target.close();
    await application.stop();
  });

  const anna = {
    userName: "anna",
    externalId: "x-anna",
    displayName: "Anna",
    name: { formatted: "Anna Berg", givenName: "Anna", familyName: "Berg" },
    emails: [{ value: "anna@example.com", type: "work", primary: true }],
    [ENTERPRISE]: { department: "Sales", employeeNumber: "7" },
  };

  test("creates, finds by each attribute (one that it does not filter by, too), and says who is there already", async () => {
    const { nativeId, active } = await target.create("user", { ...anna, active: true });
    expect(active).toBe(true);
    for (const sought of [{ userName: "ANNA" }, { externalId: "x-anna" }, { emails: anna.emails }, { displayName: "anna" }])
      expect((await target.find("user", sought)).map((account) => account.nativeId)).toEqual([nativeId]);
    expect(await target.find("user", { displayName: "Nobody" })).toEqual([]);
    await expect(target.create("user", anna)).rejects.toMatchObject({ kind: "exists" });
  });

  test("updates by difference, disables, enables, removes; each is safe to repeat", async () => {
    const [found] = await target.find("user", { userName: "anna" });
    const nativeId = found?.nativeId ?? "";
    const after = {
      ...anna,
      title: "Lead",
      name: { formatted: "Anna M. Berg", givenName: "Anna", middleName: "M." },
      emails: [{ value: "ab@example.com", type: "work", primary: true }],
      [ENTERPRISE]: { department: "IT" },
    };
    for (const before of [anna, after, null]) {
      await target.update("user", nativeId, { before, after });
      const stored = await target.get("user", nativeId);
      expect(stored).toMatchObject({
        attributes: { title: "Lead", emails: [{ value: "ab@example.com" }], [ENTERPRISE]: { department: "IT" } },
      });
      expect(stored).toHaveProperty("attributes.name", after.name);
    }
    for (const [call, wanted] of [
      ["disable", false],
      ["disable", false],
      ["enable", true],
    ] as const) {
      await target[call](nativeId);
      expect(await target.get("user", nativeId)).toMatchObject({ active: wanted, attributes: { title: "Lead" } });
    }
    await target.remove("user", nativeId);
    await target.remove("user", nativeId);
    expect(await target.get("user", nativeId)).toBe("gone");
    await expect(target.disable(nativeId)).rejects.toMatchObject({ kind: "gone" });
  });

  test("members come and go in batches, and a listing proves itself whole", async () => {
    const ids: string[] = [];
    for (let number = 0; number < 9; number++) {
      const emails = [{ value: `m${number}@example.com`, type: "work", primary: true }];
      ids.push((await target.create("user", { userName: `m${number}`, emails, active: true })).nativeId);
    }
    expect(await listed(target)).toEqual({ ids: expect.arrayContaining(ids), evidence: { finalCursor: true, count: 9 } });
    const { nativeId } = await target.create("group", { displayName: "Staff" });
    const members = async () => {
      const group = await target.get("group", nativeId);
      const held = group === "gone" ? [] : ((group.attributes["members"] ?? []) as readonly { value: string }[]);
      return held.map(({ value }) => value).sort();
    };
    for (let time = 0; time < 2; time++) {
      await target.members(nativeId, { add: ids, remove: [] });
      expect(await members()).toEqual([...ids].sort());
    }
    for (let time = 0; time < 2; time++) {
      await target.members(nativeId, { add: [], remove: ids.slice(0, 5) });
      expect(await members()).toEqual(ids.slice(5).sort());
    }
    expect((await target.find("group", { displayName: "STAFF" })).map((group) => group.nativeId)).toEqual([nativeId]);
    await target.update("group", nativeId, { before: { displayName: "Staff" }, after: { displayName: "All staff" } });
    expect(await target.get("group", nativeId)).toMatchObject({ attributes: { displayName: "All staff" } });
    expect(await members()).toHaveLength(4);
    await target.remove("group", nativeId);
    expect(await target.get("group", nativeId)).toBe("gone");
  });

  test("check says what it can do", async () => {
    const findings = await scim.check?.(openOptions({ url: application.url, token: application.token }));
    expect(findings?.every(({ ok }) => ok)).toBe(true);
    expect(findings?.[0]?.message).toBe(
      "changes go by PATCH; accounts are found by filter; listings go by index, 100 a page; versions are not told",
    );
  });
});
