import { writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { addConnection } from "../../../src/connections/store.ts";
import { keyRing } from "../scim/door.ts";
import { people, startMachinery, type Machinery } from "./machinery.ts";

let world: Machinery;
beforeAll(async () => {
  world = await startMachinery();
  world.write(people(20));
});
afterAll(() => world?.close());

const anyVersion = { "If-Match": "*" };
const nowhere = path.join(os.tmpdir(), "nobody-wrote-this.csv");
const SECRET = "hush-hush-4711";

const ldap = (more: Record<string, unknown> = {}) => ({
  name: "corp",
  connector: "ldap",
  settings: { url: "ldap://127.0.0.1:1", bindDn: "cn=reader", bindPassword: SECRET, users: { base: "dc=lab,dc=test" }, ...more },
});

describe("M2: connections by API", () => {
  test("every connector draws its form: JSON Schema with titles, secrets write-only", async () => {
    const { body } = await world.door.request("GET", "/connectors").expect(200);
    expect(body.items.map(({ name }: { name: string }) => name)).toEqual([...body.items.map(({ name }: { name: string }) => name)].sort());
    for (const { settings, secretFields } of body.items) {
      expect(settings).toMatchObject({ type: "object", properties: expect.any(Object) });
      for (const field of secretFields as string[]) {
        const schema = field.split(".").reduce((at: Record<string, any>, name) => at["properties"][name], settings); // oxlint-disable-line typescript/no-explicit-any -- a JSON Schema as it came
        expect([field, schema["writeOnly"], typeof schema["title"]]).toEqual([field, true, "string"]);
      }
    }
    await world.door.request("GET", "/connectors/ldap").expect(200);
    await world.door.request("GET", "/connectors/nothing").expect(404);
  });

  test("a stored secret is sent only where it was meant to go: whoever leads the connection elsewhere gives it again", async () => {
    const { door } = world;
    await door.request("POST", "/connections", { body: { ...ldap(), name: "lured" } }).expect(201);
    const change = (settings: object) => door.request("PATCH", "/connections/lured", { body: { settings }, headers: { "If-Match": "*" } });
    const { bindPassword: _secret, ...settings } = ldap().settings;
    for (const elsewhere of [{ url: "ldaps://directory.evil.test" }, { ca: "-----BEGIN CERTIFICATE-----" }, { startTls: true }]) {
      const { body } = await change({ ...settings, ...elsewhere }).expect(422);
      expect(body.errors).toEqual([{ field: "settings.bindPassword", detail: expect.stringContaining("must be given again") }]);
    }
    await change({ ...settings, bindDn: "cn=another" }).expect(200);
    await change({ ...settings, url: "ldap://127.0.0.1:2", bindPassword: "the new one" }).expect(200);
  });

  test("a secret goes in and never comes out; left out of a change it stays", async () => {
    const { door } = world;
    const created = await door.request("POST", "/connections", { body: ldap() }).expect(201);
    expect(created.headers["location"]).toBe("/api/v1/connections/corp");
    expect(created.body).toMatchObject({ name: "corp", secrets: { bindPassword: { set: true } }, settings: { bindDn: "cn=reader" } });
    const read = await door.request("GET", "/connections/corp").expect(200);
    const { settings, version } = read.body;
    const changed = await door
      .request("PATCH", "/connections/corp", {
        body: { settings: { ...settings, bindDn: "cn=other" } },
        headers: { "If-Match": `"${version}"` },
      })
      .expect(200);
    expect(changed.body).toMatchObject({
      version: version + 1,
      secrets: { bindPassword: { set: true } },
      settings: { bindDn: "cn=other" },
    });
    await door.request("PATCH", "/connections/corp", { body: { precedence: 5 }, headers: { "If-Match": `"${version}"` } }).expect(412);
    await door.request("PATCH", "/connections/corp", { body: { precedence: 5 } }).expect(412);
    const list = await door.request("GET", "/connections").expect(200);
    for (const answer of [created, read, changed, list]) expect(answer.text).not.toContain(SECRET);
    const { rows } = await door.db.pool.query<{ text: string }>(
      "select (select string_agg(c::text, '') from connections c) || (select string_agg(e::text, '') from audit_events e) as text",
    );
    expect(rows[0]?.text).not.toContain(SECRET);
  });

  test("all problems of a definition at once, each with its field; nothing is stored", async () => {
    const { door } = world;
    const { body } = await door
      .request("POST", "/connections", {
        body: {
          ...world.hr("Bad Name"),
          settings: { idColumn: 3 },
          schedule: "every now and then",
          timeZone: "Nowhere/Land",
          mapping: { user: { attributes: { userName: "account.", shoeSize: "account.size" } } },
          limits: { failures: 0 },
          colour: "red",
        },
      })
      .expect(422);
    expect(body.errors.map(({ field }: { field: string }) => field)).toEqual(
      expect.arrayContaining([
        "name",
        "settings.idColumn",
        "definition",
        "schedule",
        "timeZone",
        "mapping.user.attributes.userName",
        "mapping.user.attributes.shoeSize",
        "limits.failures",
      ]),
    );
    expect((await door.request("GET", "/connections?connector=csv").expect(200)).body.items).toEqual([]);
  });

  test("nobody reads files or variables of this server through a secret", async () => {
    const { door } = world;
    const file = path.join(path.dirname(world.file), "secret");
    writeFileSync(file, "of the server");
    for (const bindPassword of [{ file }, { env: "PATH" }]) {
      const { body } = await door.request("POST", "/connections", { body: { ...ldap({ bindPassword }), name: "thief" } }).expect(422);
      expect(body.errors).toContainEqual({ field: "settings.bindPassword", detail: expect.stringContaining("given itself") });
    }
  });

  test("an unreachable system is a finding of the check, not an error; the schedule says when it strikes next", async () => {
    const { door } = world;
    const { body } = await door.request("POST", "/connections/corp/check").expect(200);
    expect(body).toMatchObject({ ok: false, results: expect.arrayContaining([expect.objectContaining({ ok: false })]) });
    const change = { schedule: "0 5 * * *", timeZone: "Europe/Oslo" };
    const scheduled = await door.request("PATCH", "/connections/corp", { body: change, headers: anyVersion }).expect(200);
    expect(scheduled.body.nextRuns).toHaveLength(3);
    for (const at of scheduled.body.nextRuns as string[])
      expect(new Date(at).toLocaleTimeString("en-GB", { timeZone: "Europe/Oslo" })).toBe("05:00:00");
    const disabled = await door.request("POST", "/connections/corp/disable").expect(200);
    expect(disabled.body).toMatchObject({ enabled: false, nextRuns: [] });
    await door.request("POST", "/connections/corp/sync", { body: {} }).expect(409);
    await door.request("POST", "/connections/corp/enable").expect(200);
    const bare = await door.request("PATCH", "/connections/corp", { body: { schedule: null }, headers: anyVersion }).expect(200);
    expect(bare.body).toMatchObject({ enabled: true, schedule: null, nextRuns: [] });
  });

  test("a mapping is tried on ten records, and nothing is stored", async () => {
    const { door } = world;
    await door.request("POST", "/connections", { body: world.hr("trial") }).expect(201);
    const checked = await door.request("POST", "/connections/trial/check").expect(200);
    expect(checked.body.ok).toBe(true);
    const mapping = { user: { attributes: { userName: "account.login + '@lab.test'" }, scope: "account.login != 'p3'" } };
    const { body } = await door.request("POST", "/connections/trial/try-mapping", { body: { mapping } }).expect(200);
    const [{ samples }] = body.results;
    expect(samples).toHaveLength(10);
    expect(samples[0]).toEqual({ nativeId: "1000", outcome: "mapped", becomes: { userName: "p0@lab.test" } });
    expect(samples[3]).toEqual({ nativeId: "1003", outcome: "out of scope" });
    const wrong = { mapping: { user: { attributes: { userName: "1 +", nonsense: "account.x" } } } };
    const refused = await door.request("POST", "/connections/trial/try-mapping", { body: wrong }).expect(422);
    expect(refused.body.errors.map(({ field }: { field: string }) => field).sort()).toEqual([
      "mapping.user.attributes.nonsense",
      "mapping.user.attributes.userName",
    ]);
    const { rows } = await door.db.pool.query(
      "select mapping -> 'user' -> 'attributes' ->> 'userName' as name, (select count(*)::int from accounts) as accounts from connections where name = 'trial'",
    );
    expect(rows).toEqual([{ name: "account.login", accounts: 0 }]);
  });

  test("which files of this server are read is for the operator to say, not for a caller", async () => {
    const { door } = world;
    const file = "/etc/passwd";
    const hr = (name: string, settings: Record<string, unknown>) => world.hr(name, { settings: { idColumn: "number", ...settings } });
    const refused = await door.request("POST", "/connections", { body: hr("thief", { file }) }).expect(422);
    expect(refused.body.errors).toEqual([{ field: "settings.file", detail: expect.stringContaining("connections.folders") }]);
    await door.request("POST", "/connections", { body: hr("thief", { folder: { path: "/etc" } }) }).expect(422);
    await door.request("POST", "/connections", { body: ldap({ caFile: file }) }).expect(422);
    // What was set at the command line stays, and can be switched off and on; another file can't be chosen.
    await door.work((work) => addConnection(work, { keyRing, definition: hr("operators", { file }) }));
    const change = (settings: unknown) =>
      door.request("PATCH", "/connections/operators", { body: { settings }, headers: anyVersion }).then(({ status }) => status);
    await door.request("POST", "/connections/operators/disable").expect(200);
    await door.request("POST", "/connections/operators/enable").expect(200);
    expect(await change({ file, idColumn: "name" })).toBe(200);
    expect(await change({ file: "/etc/shadow", idColumn: "name" })).toBe(422);
    expect(await change({ upload: {}, idColumn: "name" })).toBe(200);
    expect(await change({ file, idColumn: "name" })).toBe(422);
  });

  test("a removal is previewed, held beyond the limits, and carried out by whoever names the number", async () => {
    const { door } = world;
    await door.request("POST", "/connections", { body: world.hr("leaving") }).expect(201);
    expect(await world.sync("leaving")).toMatchObject({ state: "done", plan: { user: { create: 20 } } });
    const preview = await door.request("DELETE", "/connections/leaving?dryRun=true", { headers: anyVersion }).expect(200);
    expect(preview.body).toMatchObject({ removed: false, leaving: 20, handedOver: 0 });
    await door.request("DELETE", "/connections/leaving").expect(412);
    const held = await door.request("DELETE", "/connections/leaving", { headers: anyVersion }).expect(503);
    expect(held.body).toMatchObject({ code: "held", field: "leaving" });
    await door.request("GET", "/connections/leaving").expect(200);
    await door.request("DELETE", "/connections/leaving?leaving=20", { headers: anyVersion }).expect(200);
    await door.request("GET", "/connections/leaving").expect(404);
    const { rows } = await door.db.pool.query("select count(*)::int as n from people where active");
    expect(rows).toEqual([{ n: 0 }]);
  });

  test.each([
    ["POST", "/connections", "text", 422],
    ["POST", "/connections", [], 422],
    ["POST", "/connections", { name: "trial", connector: "nothing" }, 422],
    ["POST", "/connections", { name: "trial", connector: "csv", settings: { file: nowhere, idColumn: "id" } }, 409],
    ["POST", "/connections", { name: "x", connector: "csv", settings: { file: nowhere, idColumn: "id" }, mapping: "none" }, 422],
    ["PATCH", "/connections/trial", { name: "other" }, 422],
    ["PATCH", "/connections/trial", { connector: "ldap" }, 422],
    ["PATCH", "/connections/trial", { precedence: -1 }, 422],
    ["PATCH", "/connections/trial", { colour: "red" }, 422],
    ["PATCH", "/connections/nobody", {}, 404],
    ["DELETE", "/connections/nobody", undefined, 404],
    ["DELETE", "/connections/trial?dryRun=perhaps", undefined, 422],
    ["DELETE", "/connections/trial?leaving=-1", undefined, 422],
    ["GET", "/connections/..%2Fetc", undefined, 422],
    ["GET", "/connections?state=great", undefined, 422],
    ["GET", "/connections?cursor=x", undefined, 422],
    ["POST", "/connections/nobody/check", undefined, 404],
    ["POST", "/connections/trial/try-mapping", {}, 422],
    ["POST", "/connections/trial/try-mapping", { mapping: [] }, 422],
    ["POST", "/connections/trial/sync", { mode: "quick" }, 422],
    ["POST", "/connections/trial/sync", { planOnly: "yes" }, 422],
    ["POST", "/connections/nobody/sync", {}, 404],
    ["POST", "/connections/nobody/resume", undefined, 404],
    ["POST", "/connections/nobody/enable", undefined, 404],
    ["GET", "/connections/nobody/quirks", undefined, 404],
  ])("wrong input: %s %s %j is answered with %d", async (method, at, body, status) => {
    await world.door.request(method, at, { body, headers: anyVersion }).expect(status);
  });
});
