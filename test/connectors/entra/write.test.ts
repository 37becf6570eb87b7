import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import type { WriteBack } from "../../../connectors/contract.ts";
import { openEntraWriteBack } from "../../../connectors/entra/write.ts";
import type { FaultKind } from "../../counterparts/graph/faults.ts";
import { company, openOptions, personCalled, type Company } from "./opened.ts";

let here: Company;
let writeBack: WriteBack;
let added = 0;
beforeAll(async () => {
  here = await company();
  writeBack = await openEntraWriteBack(openOptions(here.graph));
});
afterAll(async () => {
  await writeBack.close();
  await here.graph.close();
});
beforeEach(() => here.graph.faults.clear());

const somebody = (more: Record<string, unknown> = {}) => here.graph.tenant.add("users", personCalled(`w${added++}`, more));
const shown = (id: string) => here.graph.tenant.objects.get(id)?.properties ?? {};

describe("M4: disabling", () => {
  test("sessions end, also of who was disabled already", async () => {
    const id = somebody({ signInSessionsValidFromDateTime: "2020-01-01T00:00:00Z", accountEnabled: false });
    await writeBack.disable(id);
    expect(Date.parse(String(shown(id)["signInSessionsValidFromDateTime"]))).toBeGreaterThan(Date.parse("2020-01-02T00:00:00Z"));
  });

  test("sessions stay where the settings say so", async () => {
    const id = somebody({ signInSessionsValidFromDateTime: "2020-01-01T00:00:00Z" });
    const gentle = await openEntraWriteBack(openOptions(here.graph, { revokeSessions: false }));
    await gentle.disable(id);
    await gentle.close();
    expect(shown(id)).toMatchObject({ accountEnabled: false, signInSessionsValidFromDateTime: "2020-01-01T00:00:00Z" });
  });

  const PASSING: readonly FaultKind[] = [
    "throttled",
    "throttled without Retry-After",
    "unavailable",
    "reset",
    "reset after the work",
    "truncated",
    "unauthorised",
    "slow",
  ];
  for (const kind of PASSING)
    test(`${kind}, at whatever call it strikes`, async () => {
      const id = somebody();
      const disturbed = await openEntraWriteBack(openOptions(here.graph, kind === "slow" ? { timeoutMs: 500 } : {}));
      for (const at of [`GET /users/${id}`, `PATCH /users/${id}`, `POST /users/${id}/revokeSignInSessions`]) {
        here.graph.tenant.change(id, { accountEnabled: true });
        here.graph.faults.plan({ kind, at });
        await disturbed.disable(id);
        expect(shown(id)["accountEnabled"]).toBe(false);
        expect(here.graph.faults.pending()).toBe(0);
      }
      await disturbed.enable(id);
      await disturbed.close();
      expect(shown(id)["accountEnabled"]).toBe(true);
    });

  test("what the directory takes but does not show is no success", async () => {
    const id = somebody();
    const old = here.graph.tenant.objects.get(id);
    if (!old) throw new Error("somebody is there");
    here.graph.directory.lagging.set(id, { ...old, properties: { ...old.properties } });
    await expect(writeBack.disable(id)).rejects.toMatchObject({ kind: "transient" });
    here.graph.directory.lagging.clear();
    await writeBack.disable(id);
    expect(shown(id)["accountEnabled"]).toBe(false);
  });

  test("somebody of an Active Directory must be disabled there, and the sentence says so", async () => {
    const id = somebody({ onPremisesSyncEnabled: true });
    await expect(writeBack.disable(id)).rejects.toMatchObject({ kind: "rejected", message: expect.stringMatching(/Active Directory/) });
    expect(shown(id)["accountEnabled"]).toBe(true);
  });

  test("a missing permission is named as the console names it", async () => {
    const id = somebody();
    const { granted } = here.graph.application;
    granted.delete("User.EnableDisableAccount.All");
    await expect(writeBack.disable(id)).rejects.toMatchObject({
      kind: "denied",
      message: expect.stringMatching(/User\.EnableDisableAccount\.All.*API permissions.*Grant admin consent/s),
    });
    granted.add("User.EnableDisableAccount.All");
  });

  test("M4: an administrator whom the application may not touch is refused alone, since the connection's other people go on", async () => {
    const id = somebody();
    for (const at of [`PATCH /users/${id}`, `POST /users/${id}/revokeSignInSessions`]) {
      // With the token that it has, and with another.
      for (const kind of ["denied", "denied"] as const) here.graph.faults.plan({ kind, at });
      await expect(writeBack.disable(id)).rejects.toMatchObject({
        kind: "rejected",
        message: expect.stringMatching(new RegExp(`the user ${id} .*administrator's role`)),
      });
    }
    expect(here.graph.faults.pending()).toBe(0);
  });

  test("an id that is none is asked of nobody", async () => {
    const before = here.graph.asked.length;
    await expect(writeBack.disable("../groups/1")).rejects.toMatchObject({ kind: "gone" });
    await expect(writeBack.removeFromGroup("a/b", here.people[0] ?? "")).rejects.toMatchObject({ kind: "gone" });
    expect(here.graph.asked).toHaveLength(before);
  });
});

describe("M4: groups", () => {
  test("an answer that was lost, and somebody who was quicker, are no faults", async () => {
    const { tenant } = here.graph;
    const [first, second] = [somebody(), somebody()];
    for (const kind of ["reset after the work", "reset", "throttled"] as const) {
      tenant.addMember(here.large, first);
      tenant.addMember(here.large, second);
      here.graph.faults.plan({ kind, at: `DELETE /groups/${here.large}` });
      await writeBack.removeFromGroup(here.large, first);
      expect(tenant.objects.get(here.large)?.members.has(first)).toBe(false);
      expect(tenant.objects.get(here.large)?.members.has(second)).toBe(true);
      expect(here.graph.faults.pending()).toBe(0);
    }
  });

  test("a group whose members a rule computes is not ours to change", async () => {
    const id = somebody();
    const group = here.graph.tenant.add("groups", { displayName: "By rule", groupTypes: ["DynamicMembership"] });
    here.graph.tenant.addMember(group, id);
    await expect(writeBack.removeFromGroup(group, id)).rejects.toMatchObject({
      kind: "rejected",
      message: expect.stringMatching(/dynamic membership/),
    });
  });
});
