import { afterEach, describe, expect, test } from "@jest/globals";
import { Fault, type WriteBack } from "../../connectors/contract.ts";
import { liftBlocks, raiseBlocks } from "../../src/directory/blocks.ts";
import { markPeople } from "../../src/directory/outbox.ts";
import { listDeliveries } from "../../src/provision/letters.ts";
import { startWorld, type World } from "./world.ts";

let world: World;
afterEach(() => world.stop());

interface Source extends WriteBack {
  calls: string[];
  fault?: Fault;
}

function source(): Source {
  const calls: string[] = [];
  const self: Source = {
    calls,
    disable: (id) => note(`disable ${id}`),
    enable: (id) => note(`enable ${id}`),
    removeFromGroup: (group, member) => note(`remove ${member} from ${group}`),
    close: () => Promise.resolve(),
  };
  function note(call: string): Promise<void> {
    if (self.fault) return Promise.reject(self.fault);
    calls.push(call);
    return Promise.resolve();
  }
  return self;
}

/** A source `hr` that may be written to, with an account of each person. */
async function startSource(
  hr: WriteBack,
  names: readonly string[],
  { mapped = {} }: { mapped?: Record<string, unknown> } = {},
): Promise<{ people: string[]; connectionId: number }> {
  world = await startWorld({ writeBack: hr });
  const people = await world.addPeople(names);
  const { rows } = await world.db.pool.query<{ id: number }>(
    `insert into connections (name, connector, settings, policy) values ('hr', 'scim', '{"url": "http://127.0.0.1:1", "token": "t"}', '{"writeBack": {"disable": true, "groups": true}}') returning id`,
  );
  const connectionId = rows[0]?.id ?? 0;
  await world.db.pool.query(
    `insert into accounts (connection_id, kind, native_id, attributes, hash, mapping_version, mapped, situation, person_id, first_seen_at, changed_at)
     select $1, 'user', 'native-' || user_name, '{}', '\\x00', 1, $2, 'linked', id, now(), now() from people`,
    [connectionId, JSON.stringify(mapped)],
  );
  // Everybody is marked at the first pass, and again after it when somebody else was writing: that is over when the test begins.
  await world.work((work) => markPeople(work, { personIds: people }));
  await world.drain({ hurry: true });
  return { people, connectionId };
}

const writtenBack = async () =>
  (
    await world.db.pool.query<{ written_back: { active: boolean; at: string } | null }>(
      "select written_back from accounts order by native_id",
    )
  ).rows.map(({ written_back }) => written_back?.active ?? null);

describe("write-back", () => {
  test("M4: who is blocked by somebody else than the origin is disabled at the source, and enabled when that is lifted", async () => {
    const hr = source();
    const {
      people: [anna = ""],
    } = await startSource(hr, ["anna", "bert"]);
    await world.work((work) => raiseBlocks(work, [{ personId: anna, owner: "incident", effect: "suspended", reason: "stolen laptop" }]));
    await world.drain();
    expect(hr.calls).toEqual(["disable native-anna"]);
    expect(await writtenBack()).toEqual([false, null]);
    expect(world.user("anna")).toMatchObject({ active: false });
    await world.drain();
    expect(hr.calls).toHaveLength(1);
    await world.work((work) => liftBlocks(work, [{ personId: anna, owner: "incident" }]));
    await world.drain();
    expect(hr.calls).toEqual(["disable native-anna", "enable native-anna"]);
    expect(await writtenBack()).toEqual([true, null]);
    const { rows } = await world.db.pool.query(
      "select data ->> 'operation' as operation from audit_events where name = 'delivery.delivered' and data ->> 'target' = 'hr' order by id",
    );
    expect(rows.map(({ operation }) => operation)).toEqual(["disable", "enable"]);
  });

  test("no echo: whom the origin blocks itself is not written back", async () => {
    const hr = source();
    const {
      people: [anna = ""],
      connectionId,
    } = await startSource(hr, ["anna"]);
    await world.work((work) =>
      raiseBlocks(work, [{ personId: anna, owner: "origin", connectionId, effect: "deactivated", reason: "left" }]),
    );
    await world.drain();
    expect(hr.calls).toEqual([]);
    expect(world.user("anna")).toMatchObject({ active: false });
  });

  test("what the source has disabled itself is neither disabled nor enabled by us", async () => {
    const hr = source();
    const {
      people: [anna = ""],
    } = await startSource(hr, ["anna"], { mapped: { active: false } });
    await world.work((work) => raiseBlocks(work, [{ personId: anna, owner: "admin", effect: "suspended", reason: "leave" }]));
    await world.drain();
    await world.work((work) => liftBlocks(work, [{ personId: anna, owner: "admin" }]));
    await world.drain();
    expect(hr.calls).toEqual([]);
  });

  test("leavers are taken out of their groups at the source", async () => {
    const hr = source();
    const {
      people: [anna = ""],
      connectionId,
    } = await startSource(hr, ["anna"]);
    const staff = await world.addGroup("Staff", []);
    await world.db.pool.query(
      `insert into accounts (connection_id, kind, native_id, attributes, hash, mapping_version, situation, group_id, first_seen_at, changed_at) values ($1, 'group', 'native-staff', '{}', '\\x00', 1, 'linked', $2, now(), now())`,
      [connectionId, staff],
    );
    await world.db.pool.query(
      "insert into memberships (group_id, person_id, connection_id, valid_from, recorded_from) values ($1, $2, $3, $4, $4)",
      [staff, anna, connectionId, world.clock.now()],
    );
    await world.work((work) => raiseBlocks(work, [{ personId: anna, owner: "offboarding", effect: "deactivated", reason: "last day" }]));
    await world.drain();
    expect(hr.calls).toEqual(["disable native-anna", "remove native-anna from native-staff"]);
  });

  test("one group that nobody can leave keeps nobody in the others, and is a dead letter", async () => {
    const hr = source();
    const removed: string[] = [];
    hr.removeFromGroup = (group) => {
      if (group === "native-a") return Promise.reject(new Fault("rejected", "It is the primary group."));
      removed.push(group);
      return Promise.resolve();
    };
    const {
      people: [anna = ""],
      connectionId,
    } = await startSource(hr, ["anna"]);
    for (const name of ["a", "b"]) {
      const id = await world.addGroup(name, []);
      await world.db.pool.query(
        `insert into accounts (connection_id, kind, native_id, attributes, hash, mapping_version, situation, group_id, first_seen_at, changed_at) values ($1, 'group', $3, '{}', '\\x00', 1, 'linked', $2, now(), now())`,
        [connectionId, id, `native-${name}`],
      );
      await world.db.pool.query(
        "insert into memberships (group_id, person_id, connection_id, valid_from, recorded_from) values ($1, $2, $3, $4, $4)",
        [id, anna, connectionId, world.clock.now()],
      );
    }
    await world.work((work) => raiseBlocks(work, [{ personId: anna, owner: "offboarding", effect: "deactivated", reason: "last day" }]));
    await world.drain();
    expect(removed).toEqual(["native-b"]);
    expect(await listDeliveries(world.db.pool, { connection: "hr" })).toMatchObject([
      { state: "dead", reason: "It is the primary group." },
    ]);
  });

  test("a source that refuses is a dead letter; one that is away is tried again; our intent is known either way", async () => {
    const hr = source();
    const {
      people: [anna = ""],
    } = await startSource(hr, ["anna"]);
    hr.fault = new Fault("transient", "The directory does not answer.");
    await world.work((work) => raiseBlocks(work, [{ personId: anna, owner: "incident", effect: "suspended", reason: "x" }]));
    await world.drain();
    expect(await listDeliveries(world.db.pool, { connection: "hr" })).toMatchObject([
      { state: "retrying", subject: "anna", reason: "The directory does not answer." },
    ]);
    // A read in between knows the change as ours, should it have gone through.
    expect(await writtenBack()).toEqual([false]);
    delete hr.fault;
    await world.drain({ hurry: true });
    expect(hr.calls).toEqual(["disable native-anna"]);
    expect(await listDeliveries(world.db.pool)).toEqual([]);
  });

  test("many at once are held by the connection's own limits", async () => {
    const hr = source();
    const names = Array.from({ length: 8 }, (_, index) => `p${index}`);
    const { people } = await startSource(hr, names);
    await world.work((work) =>
      raiseBlocks(
        work,
        people.slice(0, 6).map((personId) => ({ personId, owner: "incident" as const, effect: "suspended" as const, reason: "x" })),
      ),
    );
    await world.drain();
    expect(hr.calls).toEqual([]);
    expect(await listDeliveries(world.db.pool, { connection: "hr", state: "held" })).toHaveLength(6);
  });

  test("B2: who is disabled at the source already doesn't make room for others in the limits", async () => {
    const hr = source();
    const { people, connectionId } = await startSource(
      hr,
      Array.from({ length: 70 }, (_, index) => `p${index}`),
    );
    await world.db.pool.query(`update accounts set mapped = '{"active": false}' where connection_id = $1 and person_id = any($2)`, [
      connectionId,
      people.slice(10),
    ]);
    const blocks = people
      .slice(0, 6)
      .map((personId) => ({ personId, owner: "incident" as const, effect: "suspended" as const, reason: "x" }));
    await world.work((work) => raiseBlocks(work, blocks));
    await world.drain();
    expect(hr.calls).toEqual([]);
    const [letter] = await listDeliveries(world.db.pool, { connection: "hr", state: "held" });
    expect(letter?.reason).toBe("held: 6 disables of 10 active accounts at once; the limit is 5");
  });
});
