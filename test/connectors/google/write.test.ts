import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { openGoogleWriteBack, type GoogleWriteBack } from "../../../connectors/google/write.ts";
import type { Called } from "../../counterparts/google/faults.ts";
import { startGoogle, type GoogleFake } from "../../counterparts/google/server.ts";
import { fillCompany, googleOptions, type Company } from "./opened.ts";

let fake: GoogleFake;
let company: Company;
let writeBack: GoogleWriteBack;

beforeEach(async () => {
  fake = await startGoogle();
  company = fillCompany(fake, { people: 3 });
  writeBack = await openGoogleWriteBack(googleOptions(fake));
});
afterEach(async () => {
  await writeBack.close();
  await fake.stop();
});

const user = (id: string) => fake.organisation.users.get(id);
const changes = () => fake.calls.filter(({ method }) => method !== "GET").map(({ method, path }) => `${method} ${path.split("/v1")[1]}`);

describe("write-back to Google Workspace", () => {
  test("M4: who is suspended is signed out everywhere, also by a try that comes after a broken one", async () => {
    const [anna = ""] = company.people;
    await writeBack.disable(anna);
    expect(user(anna)?.suspended).toBe(true);
    expect(changes()).toEqual([`PATCH /users/${anna}`, `POST /users/${anna}/signOut`]);
    await writeBack.disable(anna);
    expect(fake.organisation.signOuts.get(anna)).toBe(2);
    expect(changes()).toHaveLength(3);
  });

  test("M4: a write whose answer was lost is made again, and has happened once", async () => {
    const [anna = "", bert = ""] = company.people;
    const [all = ""] = company.groups;
    const lost = (method: string) => ({ fault: "lost" as const, when: (call: Called) => call.method === method });
    fake.inject(lost("PATCH"));
    await writeBack.disable(anna);
    expect(user(anna)?.suspended).toBe(true);
    fake.inject(lost("POST"));
    await writeBack.disable(bert);
    expect(fake.organisation.signOuts.get(bert)).toBe(2);
    fake.inject(lost("DELETE"));
    await writeBack.removeFromGroup(all, anna);
    expect(fake.organisation.members.get(all)?.has(anna)).toBe(false);
  });

  test("signing out needs a scope of its own: without it the suspension stands, and the fault names the scope", async () => {
    const [anna = ""] = company.people;
    fake.delegation.delegated.delete("https://www.googleapis.com/auth/admin.directory.user.security");
    await expect(writeBack.disable(anna)).rejects.toMatchObject({
      kind: "denied",
      message: expect.stringContaining("admin.directory.user.security"),
    });
    expect(user(anna)?.suspended).toBe(true);
    const quiet = await openGoogleWriteBack(googleOptions(fake, { signOut: false }));
    await quiet.disable(anna);
    await quiet.close();
  });

  test("whom Google itself suspended is not reactivated by us", async () => {
    const [anna = ""] = company.people;
    fake.organisation.changeUser(anna, { suspended: true, suspensionReason: "ABUSE" });
    await expect(writeBack.enable(anna)).rejects.toMatchObject({ kind: "rejected", message: expect.stringContaining("ABUSE") });
    expect(user(anna)?.suspended).toBe(true);
  });

  test("an administrator who may not be touched is one rejected item, not the end of the connection", async () => {
    const { id } = fake.organisation.addUser({ email: "root@lab.test", isAdmin: true });
    fake.inject({ fault: "forbidden", when: ({ method }) => method === "PATCH", times: 2 });
    await expect(writeBack.disable(id)).rejects.toMatchObject({ kind: "rejected" });
    const [anna = ""] = company.people;
    await expect(writeBack.disable(anna)).rejects.toMatchObject({ kind: "denied" });
  });

  test("a change that never shows is `transient`, so that it is tried again", async () => {
    const [anna = ""] = company.people;
    const { changeUser } = fake.organisation;
    fake.organisation.changeUser = (id, change) => (change.suspended === true ? changeUser(id, {}) : changeUser(id, change));
    await expect(writeBack.disable(anna)).rejects.toMatchObject({ kind: "transient" });
    expect(fake.organisation.signOuts.get(anna)).toBeUndefined();
  });

  test("a change that shows a little later is waited for", async () => {
    const [anna = ""] = company.people;
    const { changeUser } = fake.organisation;
    fake.organisation.changeUser = (id, change) => {
      // Two looks later.
      let looks = 2;
      fake.onAnswer = ({ method }) => {
        if (method === "GET" && --looks === 0) changeUser(id, change);
      };
      return changeUser(id, {});
    };
    await writeBack.disable(anna);
    expect(user(anna)?.suspended).toBe(true);
  });

  test("somebody is moved to another unit, by the unit's id, wherever it stands by then", async () => {
    const [anna = ""] = company.people;
    const north = fake.organisation.units.get("/North")?.orgUnitId ?? "";
    await writeBack.moveToUnit(anna, north);
    expect(user(anna)?.orgUnitPath).toBe("/North");
    fake.organisation.moveUnit("/North", "/South/North");
    await writeBack.moveToUnit(anna, north);
    expect(user(anna)?.orgUnitPath).toBe("/South/North");
    expect(changes()).toHaveLength(1);
    await expect(writeBack.moveToUnit(anna, "id:gone")).rejects.toMatchObject({ kind: "rejected" });
    fake.organisation.deleteUser(anna);
    await expect(writeBack.moveToUnit(anna, north)).rejects.toMatchObject({ kind: "gone" });
  });

  test("nobody can be taken out of a group to which the whole organisation belongs: that is said, not passed over", async () => {
    const [anna = ""] = company.people;
    const { id } = fake.organisation.addGroup({ email: "everybody@lab.test" });
    fake.organisation.addMember(id, { id: fake.organisation.customerId, type: "CUSTOMER" });
    await expect(writeBack.removeFromGroup(id, anna)).rejects.toMatchObject({ kind: "rejected" });
  });

  test("no fault names the key or a token", async () => {
    const [anna = ""] = company.people;
    fake.delegation.delegated.clear();
    const failure: unknown = await writeBack.disable(anna).catch((error: unknown) => error);
    const said = failure instanceof Error ? `${failure.message} ${failure.stack} ${String(failure.cause)}` : "";
    expect(said).toContain("Domain-wide delegation");
    expect(said).not.toMatch(/PRIVATE KEY|ya29|eyJ/);
  });
});
