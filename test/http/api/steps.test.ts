import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { giveGrant } from "../../../src/access/grants.ts";
import { addConnection } from "../../../src/connections/store.ts";
import { raiseBlocks } from "../../../src/directory/blocks.ts";
import { settleLifecycle } from "../../../src/directory/lifecycle.ts";
import { markPeople } from "../../../src/directory/outbox.ts";
import { keyRing } from "../scim/door.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

interface Step {
  what: string;
  target: string | null;
  state: string;
  error: string | null;
  nextTry: string | null;
}

let door: ApiDoor;
let top: string;
let own: string;
let foreign: string;

const stepsOf = async (id: string, { kind, token }: { kind?: string; token?: string } = {}) =>
  (await door.request("GET", `/people/${id}/steps${kind ? `?kind=${kind}` : ""}`, token === undefined ? {} : { token }).expect(200))
    .body as {
    kind: string;
    state: string;
    steps: Step[];
  };
const stuck = async (state: string, token?: string) =>
  (await door.request("GET", `/steps?state=${state}`, token === undefined ? {} : { token }).expect(200)).body.items as (Step & {
    person: { id: string } | null;
  })[];
const setDelivery = (personId: string, values: string) =>
  door.db.pool.query(`update projections set ${values} where person_id = $1`, [personId]);
const stepOf = (steps: readonly Step[], what: string) => steps.find((step) => step.what === what);

beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization" });
  [own, foreign] = [await door.newUnit({ name: "Own", parentId: top }), await door.newUnit({ name: "Foreign", parentId: top })];
  await door.work((work) =>
    addConnection(work, {
      keyRing,
      definition: { name: "app", connector: "scim", settings: { url: "http://127.0.0.1:9", token: "t" }, policy: { provision: {} } },
    }),
  );
});
afterAll(() => door?.close());

/** Somebody whose account at the application is wanted and not made yet. */
async function newcomer(unitId: string): Promise<string> {
  const id = await door.newPerson({ unitId });
  await door.work((work) => markPeople(work, { personIds: [id] }));
  return id;
}

describe("steps of joiners and leavers", () => {
  test("W3: a joiner waits for the account, then is done; a dead letter is a failed step with the target's words and no secret of others", async () => {
    const manager = await newcomer(own);
    const ada = await newcomer(own);
    await door.db.pool.query("update people set manager_id = $2 where id = $1", [ada, manager]);
    const later = new Date(door.clock.now().getTime() + 86_400_000);
    await door.work((work) => giveGrant(work, { personId: ada, role: "rollcall-help-desk", unit: own, from: later, reason: "x" }));
    const first = await stepsOf(ada);
    expect(first).toMatchObject({ kind: "onboarding", state: "waiting" });
    expect(stepOf(first.steps, "target-account")).toMatchObject({ target: "app", state: "waiting" });
    expect(stepOf(first.steps, "grant")).toMatchObject({ state: "waiting", nextTry: later.toISOString() });
    expect((await stuck("waiting")).map(({ person }) => person?.id)).toContain(ada);

    const connection = (values: string) => door.db.pool.query(`update connections set ${values} where name = 'app'`);
    for (const [stops, says, goesOn] of [
      ["state = 'flagged'", /flagged: it waits until somebody resumes it/, "state = 'ready'"],
      ["enabled = false", /disabled: it waits until somebody enables it/, "enabled = true"],
    ] as const) {
      await connection(stops);
      const waiting = { state: "waiting", nextTry: null, detail: expect.stringMatching(says) };
      expect(stepOf((await stepsOf(ada)).steps, "target-account")).toMatchObject(waiting);
      expect((await stuck("waiting")).find(({ person }) => person?.id === ada)).toMatchObject(waiting);
      await connection(goesOn);
    }
    expect(stepOf((await stepsOf(ada)).steps, "target-account")).toMatchObject({ detail: "It is on its way." });

    await setDelivery(ada, "state = 'dead', attempts = 25, last_error = 'userName is taken', dirty_at = null");
    const failed = await stepsOf(ada);
    expect(failed.state).toBe("failed");
    expect(stepOf(failed.steps, "target-account")).toMatchObject({ state: "failed", error: "userName is taken" });
    expect(await stuck("failed")).toMatchObject([{ person: { id: ada }, target: "app", state: "failed", error: "userName is taken" }]);
    const token = await door.newToken({ personId: manager });
    expect(stepOf((await stepsOf(ada, { token })).steps, "target-account")).toMatchObject({ state: "failed", error: null });
    expect(await stuck("failed", token)).toMatchObject([{ person: { id: ada }, error: null }]);

    await setDelivery(
      ada,
      `state = 'idle', native_id = 'n1', desired_state = 'present', delivered_state = 'present', desired_hash = '\\xaa', delivered_hash = '\\xaa', delivered_at = now()`,
    );
    door.clock.forward(2 * 86_400_000);
    expect(await stepsOf(ada)).toMatchObject({ state: "done" });
    expect(await stepsOf(ada, { kind: "change" })).toMatchObject({ state: "none", steps: [] });
    expect(await stuck("failed")).toEqual([]);
  });

  test("W3: who left while a target is disabled, and is in there still, is among those who wait", async () => {
    const [eve, fay] = [await newcomer(own), await newcomer(own)];
    for (const id of [eve, fay])
      await setDelivery(
        id,
        `state = 'idle', dirty_at = null, native_id = 'n-' || person_id, desired_state = 'present', delivered_state = 'present', desired_hash = '\\xaa', delivered_hash = '\\xaa'`,
      );
    const connection = (values: string) => door.db.pool.query(`update connections set ${values} where name = 'app'`);
    await connection("enabled = false");
    await door.work(async (work) => {
      await raiseBlocks(work, [{ personId: eve, owner: "admin", effect: "deactivated", reason: "left" }]);
      await settleLifecycle(work, [eve]);
    });
    const waiting = {
      state: "waiting",
      target: "app",
      nextTry: null,
      detail: expect.stringMatching(/still there.*disabled: it waits until/),
    };
    expect(stepOf((await stepsOf(eve)).steps, "target-account")).toMatchObject(waiting);
    expect((await stuck("waiting")).filter(({ person }) => person?.id === eve)).toMatchObject([waiting]);
    expect((await stuck("waiting")).filter(({ person }) => person?.id === fay)).toEqual([]);
    expect((await stuck("failed")).filter(({ person }) => person?.id === eve)).toEqual([]);
    await connection("enabled = true");
  });

  test("W3: a leaver keeps neither sessions nor tokens nor grants, and waits for the account to be switched off", async () => {
    const bob = await newcomer(own);
    await setDelivery(bob, "dirty_at = null, native_id = 'n2', desired_state = 'present', delivered_state = 'present'");
    await door.newToken({ personId: bob });
    await door.work((work) => giveGrant(work, { personId: bob, role: "rollcall-help-desk", unit: own, reason: "x" }));
    expect(await stepsOf(bob, { kind: "offboarding" })).toMatchObject({ state: "none", steps: [] });
    await door.work(async (work) => {
      await raiseBlocks(work, [{ personId: bob, owner: "admin", effect: "deactivated", reason: "left" }]);
      await settleLifecycle(work, [bob]);
    });
    const gone = await stepsOf(bob);
    expect(gone).toMatchObject({ kind: "offboarding", state: "waiting" });
    expect(stepOf(gone.steps, "leaving")).toMatchObject({ state: "done" });
    expect(stepOf(gone.steps, "tokens")).toMatchObject({ state: "done" });
    expect(stepOf(gone.steps, "grant")).toBeUndefined();
    expect(stepOf(gone.steps, "target-account")).toMatchObject({ state: "waiting" });
    await setDelivery(bob, "dirty_at = null, desired_state = 'disabled', delivered_state = 'disabled'");
    expect(await stepsOf(bob)).toMatchObject({ state: "done" });
  });

  test("W3, invariant 7: who is stuck is told only of people in reach, page by page", async () => {
    const [near, far] = [await newcomer(own), await newcomer(foreign)];
    await setDelivery(near, "state = 'dead', dirty_at = null");
    await setDelivery(far, "state = 'dead', dirty_at = null");
    const { token } = await door.newHolder({ role: "rollcall-help-desk", unitId: own });
    expect((await stuck("failed", token)).map(({ person }) => person?.id)).toEqual([near]);
    await door.request("GET", `/people/${far}/steps`, { token }).expect(404);
    const first = await door.request("GET", "/steps?limit=1").expect(200);
    const second = await door.request("GET", `/steps?limit=1&cursor=${first.body.next}`).expect(200);
    expect([first, second].map(({ body }) => body.items[0].person.id)).toEqual([near, far]);
    expect(second.body.next).toBeNull();
  });

  test("W3: a plan that a guard holds is a step that waits for a person, and who it concerns is stuck", async () => {
    const cleo = await door.newPerson({ unitId: own });
    const { rows } = await door.db.pool.query<{ id: number }>("select id from connections where name = 'app'");
    const connectionId = rows[0]?.id;
    await door.db.pool.query(
      "insert into accounts (connection_id, kind, native_id, attributes, hash, mapping_version, situation, person_id, first_seen_at, changed_at) values ($1, 'user', 'cleo', '{}', '', 1, 'linked', $2, now(), now())",
      [connectionId, cleo],
    );
    await door.db.pool.query(
      "with plan as (insert into plans (run_id, connection_id, state, opened_at, closed_at) values (1, $1, 'held', now(), now()) returning id) insert into plan_items (plan_id, seq, kind, native_id, action, subject_id, reason, payload, seen_at) select id, 1, 'user', 'cleo', 'disable', $2, 'gone', '{}', now() from plan",
      [connectionId, cleo],
    );
    expect(stepOf((await stepsOf(cleo, { kind: "change" })).steps, "plan")).toMatchObject({ target: "app", state: "waiting" });
    expect((await stuck("waiting")).at(-1)).toMatchObject({ what: "plan", person: { id: cleo } });
  });
});

test("W3, G1: an invitation that could not be sent is a failed step, in the mail server's words", async () => {
  const id = await door.newPerson({ unitId: own });
  await door.db.pool.query("update people set state = 'invited' where id = $1", [id]);
  expect(stepOf((await stepsOf(id)).steps, "arrival")).toMatchObject({ state: "waiting" });
  await door.db.pool.query(
    `insert into notices (id, person_id, notice, channel, digest, state, problem, actor, correlation_id, created_at, expires_at)
     values (gen_random_uuid(), $1, 'invitation', 'email', '', 'failed', '550 no such user', 'system', '', $2, $2)`,
    [id, door.clock.now()],
  );
  expect(await stepsOf(id)).toMatchObject({ state: "failed" });
  expect(stepOf((await stepsOf(id)).steps, "arrival")).toMatchObject({ state: "failed", error: "550 no such user" });
});
