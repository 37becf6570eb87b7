import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { openOktaWriteBack } from "../../../connectors/okta/write.ts";
import type { WriteBack } from "../../../connectors/contract.ts";
import type { UserStatus } from "../../counterparts/okta/org.ts";
import type { FakeOkta } from "../../counterparts/okta/server.ts";
import { faultOf } from "../../helpers/ldap.ts";
import { addPerson, oktaOptions, openOrgServer } from "./opened.ts";

let fake: FakeOkta;
let id: string;
beforeEach(async () => {
  fake = await openOrgServer();
  id = addPerson(fake, "ada");
});
afterEach(() => fake.close());

async function writing<T>(work: (writeBack: WriteBack) => Promise<T>, settings: Record<string, unknown> = {}): Promise<T> {
  const writeBack = await openOktaWriteBack(oktaOptions(fake, settings));
  try {
    return await work(writeBack);
  } finally {
    await writeBack.close();
  }
}
const disable = (settings?: Record<string, unknown>) => writing((writeBack) => writeBack.disable(id), settings);
const enable = (settings?: Record<string, unknown>) => writing((writeBack) => writeBack.enable(id), settings);
const statusOf = () => fake.org.user(id).status;
const lifecycles = () => fake.requests.filter((line) => line.includes("/lifecycle/"));

describe("M4: suspending", () => {
  test("ends sessions and revokes tokens, after the suspension", async () => {
    fake.org.signIn(id);
    await disable();
    expect(statusOf()).toBe("SUSPENDED");
    expect(fake.org.access.get(id)).toEqual({ sessions: 0, tokens: 0 });
    const order = fake.requests.filter((line) => /lifecycle|sessions/.test(line)).map((line) => line.split("/").at(-1));
    expect(order).toEqual(["suspend", "sessions?oauthTokens=true"]);
  });

  test("of somebody who is suspended already ends the sessions that were left when an earlier try broke off", async () => {
    fake.org.signIn(id);
    fake.org.lifecycle(id, "suspend");
    await disable();
    expect(lifecycles()).toEqual([]);
    expect(fake.org.access.get(id)).toEqual({ sessions: 0, tokens: 0 });
  });

  test.each<UserStatus>(["PASSWORD_EXPIRED", "RECOVERY", "LOCKED_OUT", "PROVISIONED", "STAGED"])(
    "of somebody who is %s is refused by Okta: what can be ended is ended, and the reason is told",
    async (status) => {
      fake.org.signIn(id);
      fake.org.setStatus(id, status);
      expect(await faultOf(disable())).toMatchObject({ kind: "rejected", message: expect.stringContaining(status) });
      expect(statusOf()).toBe(status);
      if (status !== "STAGED") expect(fake.org.access.get(id)).toEqual({ sessions: 0, tokens: 0 });
    },
  );

  test("leaves somebody alone who is deactivated, and enabling does not activate them: that was an admin of Okta's", async () => {
    fake.org.lifecycle(id, "deactivate");
    await disable();
    await enable();
    expect(statusOf()).toBe("DEPROVISIONED");
    expect(lifecycles()).toEqual([]);
  });

  test("enabling leaves alone who was locked out by Okta itself", async () => {
    fake.org.setStatus(id, "LOCKED_OUT");
    await enable();
    expect(statusOf()).toBe("LOCKED_OUT");
  });

  test.each(["suspend", "sessions"])("whose answer was lost (%s) is found done", async (call) => {
    fake.org.signIn(id);
    fake.faults.order({ name: "lost-answer", path: new RegExp(call) });
    await disable();
    expect(statusOf()).toBe("SUSPENDED");
    expect(fake.org.access.get(id)).toEqual({ sessions: 0, tokens: 0 });
    fake.faults.order({ name: "lost-answer", path: /unsuspend/ });
    await enable();
    expect(statusOf()).toBe("ACTIVE");
  });

  test("that a credential may not do is `denied`, in the words of the Admin Console", async () => {
    fake.signIn.mayManage = false;
    expect(await faultOf(disable())).toMatchObject({ kind: "denied", message: expect.stringContaining("Security > Administrators") });
    expect(statusOf()).toBe("ACTIVE");
  });

  test("that Okta takes without doing it is not taken for done", async () => {
    fake.org.lifecycle = (each) => fake.org.user(each);
    expect(await faultOf(disable())).toMatchObject({ kind: "transient", message: expect.stringContaining("ACTIVE") });
  });
});

describe("M4: deactivating, where the admin chose it", () => {
  const chosen = { disable: "deactivate" };

  test.each<UserStatus>(["ACTIVE", "PASSWORD_EXPIRED", "LOCKED_OUT", "SUSPENDED", "STAGED"])("somebody who is %s", async (status) => {
    fake.org.setStatus(id, status);
    await disable(chosen);
    expect(statusOf()).toBe("DEPROVISIONED");
  });

  test("waits for a deactivation that runs in the background, and does not ask for it twice", async () => {
    fake.org.deactivationReads = 4;
    await disable(chosen);
    expect(statusOf()).toBe("DEPROVISIONED");
    expect(lifecycles()).toHaveLength(1);
  });

  test("comes back later to one that takes too long, without asking again", async () => {
    fake.org.deactivationReads = 15;
    expect(await faultOf(disable(chosen))).toMatchObject({ kind: "transient" });
    await disable(chosen);
    expect(statusOf()).toBe("DEPROVISIONED");
    expect(lifecycles()).toHaveLength(1);
  });

  test("enabling activates again, and lifts a suspension that was ours before the setting changed", async () => {
    await disable(chosen);
    await enable(chosen);
    expect(statusOf()).toBe("PROVISIONED");
    fake.org.setStatus(id, "SUSPENDED");
    await enable(chosen);
    expect(statusOf()).toBe("ACTIVE");
  });
});

describe("taking somebody out of a group", () => {
  const remove = (group: string) => writing((writeBack) => writeBack.removeFromGroup(group, id));

  test("whose members an application manages is refused, and so is Everyone", async () => {
    const imported = fake.org.addGroup({ name: "From AD" }, "APP_GROUP").id;
    fake.org.addMember(imported, id);
    expect(await faultOf(remove(imported))).toMatchObject({ kind: "rejected", message: expect.stringContaining("From AD") });
    const everyone = [...fake.org.groups.values()].find(({ type }) => type === "BUILT_IN")?.id ?? "";
    expect(await faultOf(remove(everyone))).toMatchObject({ kind: "rejected", message: expect.stringContaining("BUILT_IN") });
  });

  test("to which a group rule brings them back is told", async () => {
    const { id: group } = fake.org.addGroup({ name: "By rule" });
    fake.org.addMember(group, id);
    fake.org.ruled.add(group);
    expect(await faultOf(remove(group))).toMatchObject({
      kind: "rejected",
      message: expect.stringContaining("Directory > Groups > Rules"),
    });
  });

  test("that is gone is `gone`, and a lost answer is found done", async () => {
    expect((await faultOf(remove("00g00000000000000zzz"))).kind).toBe("gone");
    const { id: group } = fake.org.addGroup({ name: "Staff" });
    fake.org.addMember(group, id);
    fake.faults.order({ name: "lost-answer", path: /^DELETE/ });
    await remove(group);
    expect(fake.org.group(group).members.size).toBe(0);
  });
});
