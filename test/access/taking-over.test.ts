import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { giveGrant } from "../../src/access/grants.ts";
import type { Caller } from "../../src/access/policy.ts";
import { requireHoldsAll } from "../../src/access/taking-over.ts";
import { openApi, type ApiDoor } from "../http/api/api-door.ts";

let door: ApiDoor;
let organisation: string;
let branch: string;
let elsewhere: string;

beforeAll(async () => {
  door = await openApi();
  organisation = await door.newUnit({ type: "organization" });
  branch = await door.newUnit({ parentId: organisation });
  elsewhere = await door.newUnit({ parentId: organisation });
});
afterAll(() => door.close());

const as = (personId: string | null, narrowed: Partial<Caller> = {}): Caller => ({
  actor: personId === null ? "token:service" : `person:${personId}`,
  credential: randomUUID(),
  personId,
  permissions: null,
  unitIds: null,
  ...narrowed,
});
const holder = async (role: string, unitId: string) => (await door.newHolder({ role, unitId })).personId;
const asked = (caller: Caller, personId: string) => door.work((work) => requireHoldsAll(work, { caller, personId }));
const refusal = { code: "forbidden", field: "person" };

test("G2: help desk takes over who holds nothing, or less, and nobody who holds more", async () => {
  const helper = as(await holder("rollcall-help-desk", branch));
  await expect(asked(helper, await door.newPerson({ unitId: branch }))).resolves.toBeUndefined();
  await expect(asked(helper, await holder("rollcall-help-desk", branch))).resolves.toBeUndefined();
  await expect(asked(helper, await holder("rollcall-administrator", organisation))).rejects.toMatchObject(refusal);
  await expect(asked(helper, await holder("rollcall-unit-administrator", branch))).rejects.toMatchObject(refusal);
  await expect(asked(helper, await holder("rollcall-help-desk", elsewhere))).rejects.toMatchObject(refusal);
  await expect(asked(helper, await holder("rollcall-help-desk", organisation))).rejects.toMatchObject(refusal);
});

test("what comes later, through groups, or while somebody is suspended or invited counts too", async () => {
  const helper = as(await holder("rollcall-help-desk", branch));
  const later = await door.newPerson({ unitId: branch });
  const from = new Date(door.clock.now().getTime() + 86_400_000);
  await door.work((work) => giveGrant(work, { personId: later, role: "rollcall-administrator", unit: branch, from }));
  await expect(asked(helper, later)).rejects.toMatchObject(refusal);

  const member = await door.newPerson({ unitId: branch });
  await door.work(async (work) => {
    const [outer, inner] = [randomUUID(), randomUUID()];
    const at = work.ctx.now();
    for (const id of [outer, inner])
      await work.sql.query("insert into groups (id, display_name, created_at, modified_at) values ($1, $3, $2, $2)", [id, at, id]);
    await work.sql.query("insert into memberships (group_id, person_id, valid_from, recorded_from) values ($1, $2, $3, $3)", [
      inner,
      member,
      at,
    ]);
    await work.sql.query("insert into nestings (parent_group_id, child_group_id, valid_from, recorded_from) values ($1, $2, $3, $3)", [
      outer,
      inner,
      at,
    ]);
    await giveGrant(work, { groupId: outer, role: "rollcall-auditor", unit: organisation });
  });
  await expect(asked(helper, member)).rejects.toMatchObject(refusal);

  const away = await holder("rollcall-administrator", branch);
  await door.work(({ sql }) => sql.query("update people set state = 'suspended', active = false where id = $1", [away]));
  await door.work(({ sql }) => sql.query("update lifecycle_periods set state = 'invited' where person_id = $1", [away]));
  await expect(asked(helper, away)).rejects.toMatchObject(refusal);
});

test("a credential counts for what it is narrowed to, and nobody takes over themselves", async () => {
  const administrator = await holder("rollcall-administrator", organisation);
  const other = await holder("rollcall-help-desk", branch);
  await expect(asked(as(administrator), other)).resolves.toBeUndefined();
  await expect(asked(as(administrator, { permissions: ["rollcall.credentials.reset"] }), other)).rejects.toMatchObject(refusal);
  await expect(asked(as(administrator, { unitIds: [elsewhere] }), other)).rejects.toMatchObject(refusal);
  await expect(asked(as(administrator), administrator)).rejects.toMatchObject(refusal);
  await expect(asked(as(null), administrator)).resolves.toBeUndefined();
  await expect(asked(as(null, { permissions: ["rollcall.credentials.reset"] }), other)).rejects.toMatchObject(refusal);
});
