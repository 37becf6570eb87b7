import { afterEach, describe, expect, test } from "@jest/globals";
import { Fault, type FaultKind, type Target, type TargetAccount } from "../../connectors/contract.ts";
import { reconcileTarget } from "../../src/provision/reconcile.ts";
import { startWorld, type World } from "./world.ts";

const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

let world: World;
afterEach(() => world.stop());

interface Trouble {
  /** Ids of whom the listing leaves out, and whom the application can't show. */
  ids: readonly string[];
  kind: FaultKind;
}

async function reconcile(shownAs: (account: TargetAccount) => TargetAccount = (account) => account, trouble?: Trouble) {
  world.clock.pass(1000);
  const connection = await world.targets.load(world.db.pool, world.connectionId);
  const shown = (target: Target): Target => ({
    ...target,
    async *list(kind) {
      const pages = target.list(kind);
      for (;;) {
        const next = await pages.next();
        if (next.done) return next.value;
        yield next.value.filter(({ nativeId }) => !trouble?.ids.includes(nativeId)).map(shownAs);
      }
    },
    async get(kind, id) {
      if (trouble?.ids.includes(id)) throw new Fault(trouble.kind, "The application answered 500.");
      const account = await target.get(kind, id);
      return account === "gone" ? account : shownAs(account);
    },
  });
  const targets: World["targets"] = {
    ...world.targets,
    withTarget: (opened, use) => world.targets.withTarget(opened, (target) => use(shown(target))),
  };
  return reconcileTarget(world.ctx, { db: world.db, targets, connection });
}

describe("reconciliation", () => {
  test("M4: drift on linked accounts is repaired, and accounts that we did not link are left alone", async () => {
    world = await startWorld({ settings: { pageSize: 2 } });
    const stranger = world.downstream.seedUser({ userName: "stranger", active: true });
    const [, , cleo = "", dora = ""] = await world.addPeople(["anna", "bert", "cleo", "dora", "emil"]);
    await world.drain();
    await world.setPerson(cleo, { active: false });
    await world.setPerson(dora, { active: false });
    await world.drain();
    const id = (userName: string) => world.user(userName)?.id ?? "";
    world.downstream.tamper(id("anna"), { displayName: "Somebody else", title: "theirs" });
    world.downstream.tamper(id("bert"), { active: false });
    world.downstream.tamper(id("cleo"), { active: true });
    world.downstream.forget(id("dora"));
    world.downstream.forget(id("emil"));

    expect(await reconcile()).toEqual({ listed: 4, linked: 3, drifted: 3, missing: 2, complete: true });
    await world.drain();
    expect(world.user("anna")).toMatchObject({ displayName: "ANNA", title: "theirs", active: true });
    expect(world.user("bert")).toMatchObject({ active: true });
    expect(world.user("cleo")).toMatchObject({ active: false });
    expect(world.user("dora")).toBeUndefined();
    expect(world.user("emil")).toMatchObject({ active: true });
    expect(world.downstream.users().find((user) => user.id === stranger.id)).toEqual(stranger);
    expect(world.downstream.history(stranger.id)).toHaveLength(1);
    const { rows } = await world.db.pool.query(
      "select sum((data ->> 'count')::int)::int as count from audit_events where name = 'target.drift_repaired'",
    );
    expect(rows).toEqual([{ count: 5 }]);
    expect(await reconcile()).toMatchObject({ drifted: 0, missing: 0 });
  });

  test("M4, invariant 4: somebody whom an application can't show keeps nobody else from being repaired", async () => {
    world = await startWorld({ policy: { groups: ["Sales"] } });
    const people = await world.addPeople(["anna", "bert", "cleo"]);
    await world.drain();
    await world.addGroup("Sales", people);
    await world.drain();
    const [anna = "", bert = ""] = ["anna", "bert"].map((userName) => world.user(userName)?.id);
    world.downstream.forget(bert);
    world.downstream.tamperGroup(world.downstream.groups()[0]?.id ?? "", { displayName: "Sailing" });
    await expect(reconcile(undefined, { ids: [anna], kind: "denied" })).rejects.toMatchObject({ kind: "denied" });
    expect(await reconcile(undefined, { ids: [anna], kind: "transient" })).toMatchObject({ missing: 1, groups: { drifted: 1 } });
    await world.drain({ hurry: true });
    expect(world.user("bert")).toMatchObject({ active: true });
    expect(world.user("anna")?.id).toBe(anna);
    expect(world.downstream.groups()).toMatchObject([{ displayName: "Sales" }]);
  });

  test("M4: what an application keeps in its own way, or not at all, is no drift, and hides none", async () => {
    world = await startWorld({ settings: { pageSize: 3 } });
    const names = Array.from({ length: 12 }, (_, index) => `person${index}`);
    await world.addPeople(names, { department: "Sales" });
    await world.drain();
    const itsOwnWay = (account: TargetAccount): TargetAccount => {
      const { displayName, [ENTERPRISE]: _dropped, ...attributes } = account.attributes;
      return { ...account, attributes: { ...attributes, displayName: String(displayName).toLowerCase() } };
    };
    const sent = world.downstream.requests()["PATCH /scim/Users/:id"] ?? 0;
    expect(await reconcile(itsOwnWay)).toMatchObject({ listed: 12, linked: 12, drifted: 0 });
    // A few, to find out.
    expect((world.downstream.requests()["PATCH /scim/Users/:id"] ?? 0) - sent).toBeLessThanOrEqual(3);

    const id = (userName: string) => world.user(userName)?.id ?? "";
    world.downstream.tamper(id("person7"), { name: { givenName: "Somebody", familyName: "Else" } });
    world.downstream.tamper(id("person9"), { active: false });
    expect(await reconcile(itsOwnWay)).toMatchObject({ drifted: 2 });
    await world.drain();
    expect(world.user("person7")).toMatchObject({ name: { givenName: "person7", familyName: "Test" } });
    expect(world.user("person9")).toMatchObject({ active: true });
    expect(await reconcile(itsOwnWay)).toMatchObject({ drifted: 0 });
  });

  test("M4: groups that somebody changed at the target are repaired; members whom others added stay", async () => {
    world = await startWorld({ policy: { groups: ["sales", "staff", "lost", "quiet"] }, settings: { pageSize: 2 } });
    const people = await world.addPeople(["anna", "bert", "cleo"]);
    for (const name of ["sales", "staff", "lost", "quiet"]) await world.addGroup(name, people);
    await world.drain({ hurry: true });
    const there = (name: string) => world.downstream.groups().find(({ displayName }) => displayName === name);
    const ids = (name: string) => ((there(name)?.["members"] ?? []) as { value: string }[]).map(({ value }) => value).sort();
    const [anna, bert, cleo] = ["anna", "bert", "cleo"].map((name) => world.user(name)?.id ?? "");
    const everybody = [anna, bert, cleo].sort();
    expect(["sales", "staff", "lost", "quiet"].map(ids)).toEqual(Array(4).fill(everybody));
    const stranger = world.downstream.seedUser({ userName: "stranger", active: true }).id;
    world.downstream.tamperGroup(there("sales")?.id ?? "", { members: [{ value: anna }, { value: stranger }] });
    world.downstream.tamperGroup(there("staff")?.id ?? "", { displayName: "theirs", members: [] });
    world.downstream.tamperGroup(there("quiet")?.id ?? "", { members: [...everybody, stranger].map((value) => ({ value })) });
    world.downstream.forgetGroup(there("lost")?.id ?? "");

    const drift = { listed: 3, linked: 3, drifted: 2, missing: 1, complete: true };
    expect(await reconcile()).toMatchObject({ drifted: 0, missing: 0, groups: drift });
    await world.drain({ hurry: true });
    expect(there("theirs")).toBeUndefined();
    expect(["sales", "staff", "lost", "quiet"].map(ids)).toEqual([
      [...everybody, stranger].sort(),
      everybody,
      everybody,
      [...everybody, stranger].sort(),
    ]);
    const { rows } = await world.db.pool.query(
      "select reason, sum((data ->> 'count')::int)::int as count from audit_events where name = 'target.drift_repaired' group by 1 order by 1",
    );
    expect(rows).toEqual([
      { reason: "groups differed from what was delivered", count: 2 },
      { reason: "groups were gone at the target", count: 1 },
    ]);
    expect(await reconcile()).toMatchObject({ groups: { drifted: 0, missing: 0 } });
  });

  test("M4: members whose UUIDs an application writes in other letters are there", async () => {
    world = await startWorld({ policy: { groups: ["sales"] } });
    await world.addGroup("sales", await world.addPeople(["anna", "bert"]));
    await world.drain({ hurry: true });
    const [group] = world.downstream.groups();
    const [anna, bert] = world.downstream.users().map(({ id }) => id.toUpperCase());
    world.downstream.tamperGroup(group?.id ?? "", { members: [{ value: anna }, { value: bert }] });
    expect(await reconcile()).toMatchObject({ groups: { listed: 1, linked: 1, drifted: 0 } });
    world.downstream.tamperGroup(group?.id ?? "", { displayName: "theirs", members: [{ value: anna }] });
    expect(await reconcile()).toMatchObject({ groups: { drifted: 1 } });
    await world.drain({ hurry: true });
    expect(world.downstream.groups()).toMatchObject([{ displayName: "sales", members: [{ value: anna }, { value: bert?.toLowerCase() }] }]);
  });

  test("of an application that does not tell who is in a group only names are compared", async () => {
    world = await startWorld({ policy: { groups: ["sales"] }, settings: { compareMembers: false } });
    await world.addGroup("sales", await world.addPeople(["anna"]));
    await world.drain({ hurry: true });
    const [group] = world.downstream.groups();
    world.downstream.tamperGroup(group?.id ?? "", { members: [] });
    expect(await reconcile()).toMatchObject({ groups: { listed: 1, linked: 1, drifted: 0 } });
  });

  test("invariant 1: a listing that does not prove itself complete makes nobody missing", async () => {
    world = await startWorld({ settings: { pageSize: 1 } });
    await world.addPeople(["anna", "bert", "cleo"]);
    await world.drain();
    const client = await world.targets.load(world.db.pool, world.connectionId);
    const before = world.downstream.users();
    const outcome = await reconcileTarget(world.ctx, {
      db: world.db,
      connection: client,
      targets: {
        ...world.targets,
        withTarget: (connection, use) =>
          world.targets.withTarget(connection, (target) =>
            use({
              ...target,
              async *list() {
                const pages = target.list("user");
                const first = await pages.next();
                if (!first.done) yield first.value;
                return { finalCursor: false, count: 1 };
              },
            }),
          ),
      },
    });
    expect(outcome).toMatchObject({ complete: false, missing: 0 });
    await world.drain();
    expect(world.downstream.users()).toEqual(before);
  });
});
