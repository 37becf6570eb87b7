import { cpSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { compareRoles, readRoleComparison, type RoleComparison } from "../../src/access/comparison.ts";
import { parseRoleFile } from "../../src/access/role-files.ts";
import { createRole, findRole, permissionsOf, updateRole } from "../../src/access/roles.ts";
import { loadShippedRoles } from "../../src/access/shipped-roles.ts";
import { inTransaction, type Work } from "../../src/db/database.ts";
import { projectFolder } from "../../src/db/folder.ts";
import { standingClock } from "../directory/fixtures.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";

const FOLDER = path.join(projectFolder(), "config/roles");
const MODULES = ["register", "dashboard"];

let db: TestDatabase;
const clock = standingClock();
const inWork = <T>(flow: (work: Work) => Promise<T>) => inTransaction(db, testContext({ now: clock.now }), flow);
beforeAll(async () => {
  db = await testDatabase();
  await inWork((work) => loadShippedRoles(work, { folder: FOLDER, modules: MODULES }));
});
afterAll(() => db.drop());

const lacks = (comparison: RoleComparison, role: string, module: string) =>
  comparison.rows
    .filter((row) => row.permission.module === module && row.cells[role] === "none")
    .map((row) => row.permission.key.slice(module.length + 1))
    .sort();

test("A2: what a role may is changed by a clock that is behind, or was set back", async () => {
  const [start, minute] = [clock.now(), 60_000];
  const permissions = ["register.contracts.view", "register.keys.view"];
  await inWork((work) => createRole(work, { key: "clockwork", name: "Clockwork", permissions }));
  const roleId = (await findRole(db.pool, "clockwork")).id;
  for (const [minutes, kept] of [
    [60, 1],
    [10, 2],
    [20, 1],
    [15, 2],
    [70, 1],
    [16, 2],
  ] as const) {
    clock.set(new Date(start.getTime() + minutes * minute));
    await inWork((work) => updateRole(work, { key: "clockwork", permissions: permissions.slice(0, kept) }));
    expect([minutes, (await permissionsOf(db.pool, roleId)).length]).toEqual([minutes, kept]);
  }
  clock.set(start);
  await inWork((work) => work.sql.query("delete from role_permissions where role_id = $1", [roleId]));
  await inWork((work) => work.sql.query("update roles set deleted_at = $2 where id = $1", [roleId, start]));
});

describe("A1: the shipped roles", () => {
  test("A1: the register's matrix: its ten resources, and four roles of which each has all of the one before it", async () => {
    const comparison = await readRoleComparison(db.pool);
    const register = comparison.rows.filter((row) => row.permission.module === "register");
    expect([...new Set(register.map((row) => row.permission.resource))].sort()).toEqual([
      "alarms",
      "buildings",
      "contracts",
      "events",
      "key-automats",
      "keys",
      "organization",
      "timelines",
      "usage-reports",
      "users",
    ]);
    expect(register.filter((row) => row.permission.resource === "key-automats").map((row) => row.permission.action)).toEqual([
      "front-camera",
      "insert-keys",
      "open-remotely",
      "view",
    ]);
    expect(
      comparison.roles
        .filter((role) => role.set === "register")
        .map((role) => role.name)
        .sort(),
    ).toEqual(["Admin", "Advanced user", "Only viewer", "User"]);
    expect(lacks(comparison, "register-admin", "register")).toEqual([]);
    const chain = ["register-only-viewer", "register-user", "register-advanced-user", "register-admin"].map(
      (role) => new Set(lacks(comparison, role, "register")),
    );
    for (const [index, missing] of chain.slice(1).entries()) expect([...missing].every((key) => chain[index]?.has(key))).toBe(true);
    expect(chain.map((missing) => missing.size)).toEqual([...chain.map((missing) => missing.size)].sort((a, b) => b - a));
    const viewer = register.filter((row) => row.cells["register-only-viewer"] !== "none");
    expect(viewer.every((row) => row.permission.action === "view")).toBe(true);
  });

  test("A1: the dashboard's five roles lack exactly what is stated", async () => {
    const comparison = await readRoleComparison(db.pool);
    expect(
      comparison.roles
        .filter((role) => role.set === "dashboard")
        .map((role) => role.name)
        .sort(),
    ).toEqual(["Admin", "Customer service (edit and view)", "Customer service (view only)", "User (edit and view)", "User (view only)"]);
    const user = ["usage-report.view", "users.manage"];
    const service = [...user, "device-settings.privacy", "timelines.front-camera-photos", "timelines.front-camera-videos"];
    const managing = ["contracts.change", "contracts.create", "contracts.remove"];
    expect(lacks(comparison, "dashboard-admin", "dashboard")).toEqual([]);
    expect(lacks(comparison, "dashboard-user", "dashboard")).toEqual(user);
    expect(lacks(comparison, "dashboard-user-view", "dashboard")).toEqual(
      [
        ...user,
        ...managing,
        "alarms.view",
        "device-alarms.view",
        "device-logs.view",
        "device-settings.general",
        "device-settings.preferences",
        "device-settings.privacy",
        "device-tools.use",
        "device-usage-report.view",
        "devices.install",
        "devices.locker-photo",
        "devices.open-remotely",
        "devices.reboot",
        "keys.manage",
      ].sort(),
    );
    expect(lacks(comparison, "dashboard-customer-service", "dashboard")).toEqual(service.sort());
    expect(lacks(comparison, "dashboard-customer-service-view", "dashboard")).toEqual(
      [...service, ...managing, "device-settings.general", "device-tools.use"].sort(),
    );
  });

  test("A1: which roles exist depends on the modules; a start that changes nothing writes nothing", async () => {
    const other = await testDatabase();
    try {
      const load = (modules: string[], folder = FOLDER) =>
        inTransaction(other, testContext({ now: clock.now }), (work) => loadShippedRoles(work, { folder, modules }));
      const rows = async () =>
        (
          await other.pool.query(
            "select (select count(*)::int from role_permissions) as content, (select count(*)::int from audit_events) as events, (select sum(version)::int from roles) as versions, (select count(*)::int from roles where deleted_at is null) as roles",
          )
        ).rows[0];
      // Our own are always there.
      const own = parseRoleFile(readFileSync(path.join(FOLDER, "rollcall.yaml"), "utf8"), "rollcall.yaml").roles.length;
      expect(await load(["register"])).toEqual({ created: own + 4, updated: 0, removed: 0 });
      const before = await rows();
      expect(await load(["register"])).toEqual({ created: 0, updated: 0, removed: 0 });
      expect(await rows()).toEqual(before);
      clock.forward(1000);
      expect(await load(["dashboard"])).toEqual({ created: 5, updated: 0, removed: 4 });
      expect((await rows()).roles).toBe(own + 5);
      await expect(findRole(other.pool, "register-user")).rejects.toThrow("There is no role with the key register-user");
      clock.forward(1000);
      expect(await load(["register", "dashboard"])).toEqual({ created: 0, updated: 4, removed: 0 });
      const role = await findRole(other.pool, "register-user");
      expect(await permissionsOf(other.pool, role.id)).toEqual(await permissionsOf(db.pool, (await findRole(db.pool, "register-user")).id));
      const changed = mkdtempSync(path.join(os.tmpdir(), "roles-"));
      cpSync(FOLDER, changed, { recursive: true });
      writeFileSync(
        path.join(changed, "register.yaml"),
        readFileSync(path.join(FOLDER, "register.yaml"), "utf8").replace("keys.edit, key-automats.insert-keys", "keys.edit"),
      );
      clock.forward(1000);
      expect(await load(["register", "dashboard"], changed)).toEqual({ created: 0, updated: 1, removed: 0 });
      expect(await permissionsOf(other.pool, role.id)).not.toContain("register.key-automats.insert-keys");
    } finally {
      await other.drop();
    }
  });

  test.each([
    ["module: x\ntitle: X\npermissions: {}\nroles: [{ key: a, name: A, permissions: [b.c] }]", /no permission of this file is b\.c/],
    ["module: x\ntitle: X\npermissions: {}\nroles: [{ key: A, name: A }]", /roles\.0\.key: must be lower-case/],
    ["module: x\ntitle: X\npermissions: {}\nroles: [{ key: a, name: A, inherits: [b] }]", /inherits b, which is not in this file/],
    ["module: x\ntitle: X\npermissions: {}\nroles: [{ key: a, name: A, based-on: b }]", /based-on names b/],
    ["module: [", /is not YAML/],
  ])("a bad file is refused with place and reason: %#", (text, message) => {
    expect(() => parseRoleFile(text, "x.yaml")).toThrow(message);
  });
});

describe("A2: an organisation's own roles", () => {
  test("A2: predefined roles can't be changed", async () => {
    await expect(inWork((work) => updateRole(work, { key: "register-user", name: "Boss" }))).rejects.toThrow(
      "predefined and can't be changed",
    );
  });

  test("A2: made from permissions, from a template, and by inheriting; never in a circle", async () => {
    await inWork((work) =>
      createRole(work, { key: "key-keeper", name: "Key keeper", permissions: ["register.keys.view", "register.keys.edit"] }),
    );
    await inWork((work) =>
      createRole(work, {
        key: "night-shift",
        name: "Night shift",
        template: "register-user",
        inherits: ["key-keeper"],
        permissions: ["register.alarms.edit"],
      }),
    );
    const night = await findRole(db.pool, "night-shift");
    const template = await permissionsOf(db.pool, (await findRole(db.pool, "register-user")).id);
    expect(await permissionsOf(db.pool, night.id)).toEqual(
      [...new Set([...template, "register.alarms.edit", "register.keys.edit", "register.keys.view"])].sort(),
    );
    await expect(inWork((work) => updateRole(work, { key: "key-keeper", inherits: ["night-shift"] }))).rejects.toThrow(
      "would inherit from itself",
    );
    await expect(inWork((work) => createRole(work, { key: "x", name: "X", permissions: ["register.cars.view"] }))).rejects.toThrow(
      "There is no permission register.cars.view",
    );
    await expect(inWork((work) => createRole(work, { key: "night-shift", name: "X" }))).rejects.toThrow("already");
    clock.forward(1000);
    await inWork((work) => updateRole(work, { key: "key-keeper", permissions: ["register.keys.view"] }));
    expect((await findRole(db.pool, "key-keeper")).version).toBe(2);
    await inWork((work) => updateRole(work, { key: "key-keeper", permissions: ["register.keys.view"] }));
    expect((await findRole(db.pool, "key-keeper")).version).toBe(2);
  });
});

test("A3: the comparison says what is own, inherited or lacking, and ends with roles in a circle", () => {
  const permissions = ["a", "b", "c"].map((key) => ({ key, module: "m", resource: key, action: "view", description: "" }));
  const { rows } = compareRoles({
    permissions,
    roles: [
      { key: "one", name: "One", set: "custom", permissions: ["a"], inherits: ["two"] },
      { key: "two", name: "Two", set: "custom", permissions: ["b"], inherits: ["one"] },
    ],
  });
  expect(rows.map((row) => row.cells)).toEqual([
    { one: "own", two: "inherited" },
    { one: "inherited", two: "own" },
    { one: "none", two: "none" },
  ]);
});
