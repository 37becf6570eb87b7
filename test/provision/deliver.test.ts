import { afterEach, describe, expect, test } from "@jest/globals";
import { startWorld, type World, type WorldOptions } from "./world.ts";

let world: World;
const start = async (options?: WorldOptions) => (world = await startWorld(options));
afterEach(() => world.stop());

describe("delivering", () => {
  test("M4: who joins is created, who changes is updated, who leaves is disabled and who comes back enabled", async () => {
    await start();
    const [anna = ""] = await world.addPeople(["anna", "bert"], { department: "Sales" });
    await world.drain();
    expect(world.downstream.users()).toHaveLength(2);
    expect(world.user("anna")).toMatchObject({
      active: true,
      displayName: "ANNA",
      externalId: anna,
      "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { department: "Sales" },
    });

    await world.setPerson(anna, { attributes: { title: "Lead", name: { givenName: "Anna", familyName: "Berg" } } });
    await world.drain();
    expect(world.user("anna")).toMatchObject({ title: "Lead", name: { givenName: "Anna", familyName: "Berg" } });

    await world.setPerson(anna, { active: false });
    await world.drain();
    expect(world.user("anna")).toMatchObject({ active: false });
    expect(world.user("bert")).toMatchObject({ active: true });

    await world.setPerson(anna, { active: true });
    await world.drain();
    expect(world.user("anna")).toMatchObject({ active: true });
    expect(world.downstream.users()).toHaveLength(2);
    expect(Object.values(await world.projections()).map(({ state }) => state)).toEqual(["idle", "idle"]);
  });

  test("B7: a delivery keeps the four times of its decision", async () => {
    await start();
    const [anna = ""] = await world.addPeople(["anna"]);
    await world.drain();
    await world.setPerson(anna, { active: false });
    await world.drain();
    const { rows } = await world.db.pool.query<Record<string, Date | string | null>>(
      "select * from deliveries where operation = 'disable'",
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ state: "delivered", attempt: 1 });
    for (const time of ["source_changed_at", "seen_at", "decided_at", "started_at", "finished_at"])
      expect(rows[0]?.[time]).toBeInstanceOf(Date);
    const { rows: events } = await world.db.pool.query(
      "select data from audit_events where name = 'delivery.delivered' and subject_id = $1 order by id",
      [anna],
    );
    expect(events.map(({ data }) => data)).toEqual([
      { target: "app", operation: "create" },
      { target: "app", operation: "disable" },
    ]);
  });

  test("nothing changed means that nothing is sent", async () => {
    await start();
    const [anna = ""] = await world.addPeople(["anna"]);
    await world.drain();
    const before = world.downstream.requestCount();
    await world.setPerson(anna, {});
    await world.drain();
    expect(world.downstream.requestCount()).toBe(before);
  });

  test("an account that is there already is found and linked, whatever the case of its name, and not made twice", async () => {
    await start();
    const stranger = world.downstream.seedUser({ userName: "Anna", nickName: "theirs" });
    await world.addPeople(["anna"]);
    await world.drain();
    expect((await world.projections())["anna"]).toMatchObject({ state: "idle", last_error: null });
    expect(world.downstream.users()).toHaveLength(1);
    expect(world.user("anna")).toMatchObject({ id: stranger.id, displayName: "ANNA", nickName: "theirs" });
    const { rows } = await world.db.pool.query("select operation from deliveries");
    expect(rows).toEqual([{ operation: "link" }]);
  });

  test("two accounts that match are a dead letter with a sentence, and neither is touched", async () => {
    await start({ policy: { match: ["emails"] } });
    for (const userName of ["a1", "a2"]) world.downstream.seedUser({ userName, emails: [{ value: "anna@example.com" }] });
    await world.addPeople(["anna"]);
    await world.drain();
    expect((await world.projections())["anna"]).toMatchObject({
      state: "dead",
      native_id: null,
      last_error: expect.stringMatching(/^2 accounts at the target match this person by emails/),
    });
    expect(world.downstream.users().map(({ userName }) => userName)).toEqual(["a1", "a2"]);
  });

  test("an account that belongs to another person is not taken over", async () => {
    await start({
      policy: { match: ["userName", "externalId"], attributes: { userName: "person.userName", externalId: "person.employeeNumber" } },
    });
    const employee = { "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { employeeNumber: "7" } };
    const [anna = ""] = await world.addPeople(["anna"]);
    await world.setPerson(anna, { attributes: employee });
    await world.drain();
    const [bert = ""] = await world.addPeople(["bert"]);
    await world.setPerson(bert, { attributes: employee });
    await world.drain();
    expect((await world.projections())["bert"]).toMatchObject({
      state: "dead",
      last_error: expect.stringContaining("belongs to another person already"),
    });
    expect(world.user("anna")).toMatchObject({ userName: "anna" });
  });

  test("who is out of scope gets no account; who falls out of scope is disabled", async () => {
    await start({ policy: { scope: 'person.department == "Sales"' } });
    const [anna = ""] = await world.addPeople(["anna"], { department: "Sales" });
    await world.addPeople(["bert"], { department: "IT" });
    await world.drain();
    expect(world.downstream.users().map(({ userName }) => userName)).toEqual(["anna"]);
    await world.setPerson(anna, { attributes: { "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { department: "IT" } } });
    await world.drain();
    expect(world.user("anna")).toMatchObject({ active: false });
    expect((await world.projections())["bert"]).toMatchObject({ desired_state: "absent", state: "idle" });
  });

  test("with leave: delete an account is disabled, and removed once the grace period is over", async () => {
    await start({ policy: { leave: "delete", graceDays: 1 } });
    const [anna = "", bert = ""] = await world.addPeople(["anna", "bert"]);
    await world.drain();
    await world.setPerson(anna, { active: false });
    await world.setPerson(bert, { active: false });
    await world.drain();
    expect(world.downstream.users().map(({ active }) => active)).toEqual([false, false]);
    await world.setPerson(bert, { active: true });
    await world.drain();
    world.clock.pass(86_400_000 + 1000);
    await world.db.pool.query("update graphile_worker._private_jobs set run_at = now()");
    await world.drain();
    expect(world.downstream.users().map(({ userName, active }) => ({ userName, active }))).toEqual([{ userName: "bert", active: true }]);
    expect((await world.projections())["anna"]).toMatchObject({ delivered_state: "removed", native_id: null, state: "idle" });
  });

  test("a suspension disables and never deletes", async () => {
    await start({ policy: { leave: "delete", graceDays: 0 } });
    const [anna = ""] = await world.addPeople(["anna"]);
    await world.drain();
    await world.setPerson(anna, { active: false, state: "suspended" });
    await world.drain({ hurry: true });
    expect(world.user("anna")).toMatchObject({ active: false });
  });

  test("one person whom an expression can't cope with never stops the others (invariant 4), and is delivered once it is put right", async () => {
    await start({ policy: { attributes: { userName: "person.userName", title: "string(int(person.title))" } } });
    const [anna = ""] = await world.addPeople(["anna", "bert"]);
    await world.db.pool.query(
      "update people set attributes = attributes || jsonb_build_object('title', case when user_name = 'bert' then '5' else 'five' end)",
    );
    await world.drain();
    expect(world.downstream.users().map(({ userName }) => userName)).toEqual(["bert"]);
    expect((await world.projections())["anna"]).toMatchObject({
      state: "dead",
      last_error: expect.stringContaining("policy.provision.attributes.title"),
    });
    await world.setPerson(anna, { attributes: { title: "6" } });
    await world.drain();
    expect(world.user("anna")).toMatchObject({ title: "6" });
  });

  test("M4: groups are kept with the members that have an account there", async () => {
    await start({ policy: { groups: ["Staff"] } });
    const [anna = "", bert = "", cleo = ""] = await world.addPeople(["anna", "bert", "cleo"]);
    const staff = await world.addGroup("Staff", [anna, bert]);
    const nested = await world.addGroup("Interns", [cleo]);
    await world.db.pool.query("insert into nestings (parent_group_id, child_group_id, valid_from, recorded_from) values ($1, $2, $3, $3)", [
      staff,
      nested,
      world.clock.now(),
    ]);
    await world.drain({ hurry: true });
    const names = () =>
      ((world.downstream.groups()[0]?.["members"] as { value: string }[] | undefined) ?? [])
        .map(({ value }) => world.downstream.users().find(({ id }) => id === value)?.["userName"])
        .sort();
    expect(world.downstream.groups().map(({ displayName }) => displayName)).toEqual(["Staff"]);
    expect(names()).toEqual(["anna", "bert", "cleo"]);
    await world.leave(staff, [bert]);
    await world.setPerson(anna, { active: false });
    await world.drain({ hurry: true });
    expect(names()).toEqual(["cleo"]);
    await world.join(staff, [bert]);
    await world.drain({ hurry: true });
    expect(names()).toEqual(["bert", "cleo"]);
  });

  test("a changed policy is carried to everybody without anyone marking them", async () => {
    await start({ policy: { attributes: { userName: "person.userName" } } });
    await world.addPeople(["anna", "bert"]);
    await world.drain();
    await world.db.pool.query(
      `update connections set policy = jsonb_set(policy, '{provision,attributes}', '{"userName": "person.userName", "title": "\\"Dr\\""}'), version = version + 1, updated_at = now() + interval '1 second'`,
    );
    await world.db.pool.query("select graphile_worker.add_job('project', json_build_object('connectionId', $1::int))", [
      world.connectionId,
    ]);
    await world.drain();
    expect(world.downstream.users().map(({ title }) => title)).toEqual(["Dr", "Dr"]);
  });
});
