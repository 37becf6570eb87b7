import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { inTransaction } from "../../src/db/database.ts";
import { linkAccount, listAccounts } from "../../src/sync/accounts.ts";
import { put, remove, world } from "../helpers/memory-source.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { group, person, syncWorld, testConnection, testKeyRing } from "../helpers/sync.ts";

let db: TestDatabase;
const ctx = testContext();
beforeEach(async () => {
  db = await testDatabase();
});
afterEach(() => db.drop());

const people = async () =>
  (await db.pool.query("select user_name, state, attributes->>'title' as title from people order by user_name")).rows;
const disputed = () => listAccounts(db.pool, { situation: "disputed" });

describe("M2: situations", () => {
  test("unlinked: a second origin joins the person that its key finds, and the stronger one masters each attribute", async () => {
    await testConnection(db, ctx, {
      name: "hr",
      precedence: 10,
      mapping: { user: { attributes: { userName: "account.uid", title: "account.title", employeeNumber: "account.number" } } },
    });
    await testConnection(db, ctx, { name: "corp", precedence: 20, mapping: { match: ["employeeNumber", "userName"] } });
    const hr = world([person("ada", { title: "Professor", number: "7" })]);
    const corp = world([person("ada.l", { title: "Engineer", number: "7" })]);
    await syncWorld(db, ctx, { world: hr, connection: "hr" });
    expect(await syncWorld(db, ctx, { world: corp })).toMatchObject({ plan: { user: { link: 1 } } });
    expect(await people()).toEqual([{ user_name: "ada", state: "active", title: "Professor" }]);
    remove(hr, "user", "id-ada");
    put(hr, person("zoe"));
    await syncWorld(db, ctx, { world: hr, connection: "hr" });
    expect(await people()).toEqual([
      { user_name: "ada.l", state: "active", title: "Engineer" },
      { user_name: "zoe", state: "active", title: null },
    ]);
  });

  test("P5: who is not active at the source is suspended, or deactivated where the mapping says so, and is back when they are", async () => {
    for (const [name, disabled, state] of [
      ["mild", "suspend", "suspended"],
      ["strict", "deactivate", "deactivated"],
    ] as const) {
      await testConnection(db, ctx, { name, mapping: { situations: { disabled } } });
      const source = world([person(name, { active: false }), person(`${name}-second`)]);
      const stateOf = async () => (await people()).find((each) => each.user_name === name)?.state;
      await syncWorld(db, ctx, { world: source, connection: name });
      expect(await stateOf()).toBe(state);
      put(source, person(name));
      await syncWorld(db, ctx, { world: source, connection: name });
      expect(await stateOf()).toBe("active");
      put(source, person(name, { active: false }));
      await syncWorld(db, ctx, { world: source, connection: name });
      await syncWorld(db, ctx, { world: source, connection: name });
      expect(await stateOf()).toBe(state);
    }
  });

  test("disputed: two candidates wait for a human, whose choice survives later runs", async () => {
    await testConnection(db, ctx, { name: "hr", mapping: { match: ["userName"] } });
    await testConnection(db, ctx, { name: "corp", mapping: { match: ["employeeNumber", "emails"] } });
    await syncWorld(db, ctx, {
      connection: "hr",
      world: world([person("ada", { number: "7", mail: "ada@lab.test" }), person("eva", { number: "8", mail: "eva@lab.test" })]),
    });
    const corp = world([person("a.l", { number: "7", mail: "eva@lab.test" }), group("staff", ["uid=a.l"])]);
    expect(await syncWorld(db, ctx, { world: corp })).toMatchObject({ plan: { user: { dispute: 1 } } });
    const [account] = await disputed();
    expect(account).toMatchObject({ nativeId: "id-a.l", candidates: [{ userName: "ada" }, { userName: "eva" }] });
    expect(await syncWorld(db, ctx, { world: corp })).toMatchObject({ state: "done" });

    put(corp, person("a.l", { number: "7", mail: "a.l@lab.test" }));
    const eva = (account?.candidates ?? []).find(({ userName }) => userName === "eva")?.id ?? "";
    await inTransaction(db, ctx, (work) => linkAccount(work, { keyRing: testKeyRing, accountId: account?.id ?? 0, person: eva }));
    expect(await disputed()).toEqual([]);
    await syncWorld(db, ctx, { world: corp });
    const { rows } = await db.pool.query(
      "select p.user_name, a.linked_by, (select count(*)::int from memberships m where m.person_id = p.id and m.recorded_to is null) as memberships from accounts a join people p on p.id = a.person_id where a.native_id = 'id-a.l'",
    );
    expect(rows).toEqual([{ user_name: "eva", linked_by: "human", memberships: 1 }]);
  });

  test("disputed: the human may say that it is somebody new", async () => {
    await testConnection(db, ctx, { name: "hr" });
    await testConnection(db, ctx, { name: "corp", mapping: { match: ["employeeNumber"], situations: { unlinked: "dispute" } } });
    await syncWorld(db, ctx, { connection: "hr", world: world([person("ada", { number: "7" })]) });
    const corp = world([person("ada2", { number: "7" })]);
    await syncWorld(db, ctx, { world: corp });
    const [account] = await disputed();
    await inTransaction(db, ctx, (work) => linkAccount(work, { keyRing: testKeyRing, accountId: account?.id ?? 0, person: "new" }));
    expect((await people()).map((row) => row.user_name)).toEqual(["ada", "ada2"]);
    expect(await syncWorld(db, ctx, { world: corp })).toMatchObject({ plan: {} });
  });

  test("deleted: nobody is brought back, and nobody made, by an account that its system lists no more", async () => {
    await testConnection(db, ctx);
    await testConnection(db, ctx, { name: "other", mapping: { situations: { unmatched: "ignore" } } });
    const corp = world([person("ada"), person("bob"), person("eva")]);
    await syncWorld(db, ctx, { world: corp });
    const other = world([person("guest"), person("ada")]);
    await syncWorld(db, ctx, { connection: "other", world: other });
    for (const name of ["bob", "eva"]) remove(corp, "user", `id-${name}`);
    await syncWorld(db, ctx, { world: corp });
    remove(other, "user", "id-guest");
    await syncWorld(db, ctx, { connection: "other", world: other });
    const gone = (await listAccounts(db.pool)).filter(({ nativeId }) => nativeId !== "id-ada");
    const { rows } = await db.pool.query<{ id: string; name: string }>("select id, user_name as name from people");
    const before = await people();
    for (const { id: accountId } of gone)
      for (const to of ["new", ...rows.map(({ id }) => id)])
        await expect(
          inTransaction(db, ctx, (work) => linkAccount(work, { keyRing: testKeyRing, accountId, person: to })),
        ).rejects.toMatchObject({ code: "conflict", message: expect.stringContaining("lists it no more") });
    expect(gone.map(({ nativeId }) => nativeId).sort()).toEqual(["id-bob", "id-eva", "id-guest"]);
    expect(await people()).toEqual(before);
  });

  test("outside the scope: nobody is made of such an account, and nobody leaves for being given one", async () => {
    const user = { scope: "account.uid != 'guest'", attributes: { userName: "account.uid" } };
    await testConnection(db, ctx, { mapping: { user } });
    await testConnection(db, ctx, { name: "hr" });
    await syncWorld(db, ctx, { world: world([person("ada"), person("guest", { title: "Guest" })]) });
    await syncWorld(db, ctx, { connection: "hr", world: world([person("bob")]) });
    const before = await people();
    expect(before.map(({ user_name: name, state }) => [name, state])).toEqual([
      ["ada", "active"],
      ["bob", "active"],
    ]);
    const accountId = (await listAccounts(db.pool)).find(({ nativeId }) => nativeId === "id-guest")?.id ?? 0;
    const { rows } = await db.pool.query<{ id: string }>("select id from people");
    for (const to of ["new", ...rows.map(({ id }) => id)])
      await expect(
        inTransaction(db, ctx, (work) => linkAccount(work, { keyRing: testKeyRing, accountId, person: to })),
      ).rejects.toMatchObject({
        code: "conflict",
        message: expect.stringContaining("outside the scope"),
      });
    expect(await people()).toEqual(before);
  });

  test("unmatched: ignored where the mapping makes nobody; deleted: suspended or left alone as the mapping says", async () => {
    await testConnection(db, ctx, { name: "hr", mapping: { situations: { deleted: "suspend" } } });
    await testConnection(db, ctx, { name: "corp", mapping: { situations: { unmatched: "ignore" } } });
    expect(await syncWorld(db, ctx, { world: world([person("ada")]) })).toMatchObject({ plan: { user: { ignore: 1 } } });
    expect(await people()).toEqual([]);
    const hr = world([person("ada"), person("bob")]);
    await syncWorld(db, ctx, { connection: "hr", world: hr });
    expect(await syncWorld(db, ctx, { world: world([person("ada")]) })).toMatchObject({ plan: { user: { link: 1 } } });
    remove(hr, "user", "id-bob");
    await syncWorld(db, ctx, { connection: "hr", world: hr });
    expect(await people()).toMatchObject([
      { user_name: "ada", state: "active" },
      { user_name: "bob", state: "suspended" },
    ]);
  });

  test("a scope leaves people out, and lets them go when they fall out of it", async () => {
    await testConnection(db, ctx, { mapping: { user: { scope: "account.cn != 'robot'", attributes: { userName: "account.uid" } } } });
    const source = world([person("ada"), person("r2", { cn: "robot" })]);
    await syncWorld(db, ctx, { world: source });
    expect(await people()).toMatchObject([{ user_name: "ada" }]);
    put(source, person("ada", { cn: "robot" }));
    expect(await syncWorld(db, ctx, { world: source })).toMatchObject({ plan: { user: { delete: 1 } } });
    expect(await people()).toMatchObject([{ user_name: "ada", state: "deactivated" }]);
  });

  test("who falls out of the scope and comes back is the same person, however many runs there were in between", async () => {
    await testConnection(db, ctx, { mapping: { user: { scope: "account.cn != 'robot'", attributes: { userName: "account.uid" } } } });
    const source = world([person("ada"), person("eva")]);
    await syncWorld(db, ctx, { world: source });
    const idOf = async (userName: string) =>
      (await db.pool.query("select id from people where user_name = $1 and state = 'active'", [userName])).rows;
    const before = await idOf("ada");
    put(source, person("ada", { cn: "robot" }));
    await syncWorld(db, ctx, { world: source });
    await syncWorld(db, ctx, { world: source });
    put(source, person("ada", { cn: "robot", sn: "other" }));
    await syncWorld(db, ctx, { world: source });
    put(source, { ...person("married"), nativeId: "id-ada" });
    await syncWorld(db, ctx, { world: source });
    expect(await idOf("married")).toEqual(before);
    expect(await people()).toHaveLength(2);
  });

  test("a scope that was narrowed by mistake and is widened again brings everybody back, without reading the source", async () => {
    await testConnection(db, ctx);
    const source = world([person("ada"), person("eva", { cn: "robot" }), group("staff", ["uid=ada", "uid=eva"])]);
    await syncWorld(db, ctx, { world: source });
    const { rows: before } = await db.pool.query("select id, user_name from people order by id");
    const remapped = async (scope: string) => {
      await db.pool.query(
        "update connections set mapping_version = mapping_version + 1, mapping = jsonb_set(mapping, '{user,scope}', to_jsonb($1::text))",
        [scope],
      );
      return syncWorld(db, ctx, { world: world(), mode: "remap" });
    };
    expect(await remapped("account.cn != 'robot'")).toMatchObject({ plan: { user: { delete: 1 } } });
    expect(await people()).toMatchObject([{ state: "active" }, { user_name: "eva", state: "deactivated" }]);
    expect(await remapped("true")).toMatchObject({ plan: { user: { link: 1 } } });
    expect(await people()).toMatchObject([{ state: "active" }, { state: "active" }]);
    expect((await db.pool.query("select id, user_name from people order by id")).rows).toEqual(before);
    const { rows: members } = await db.pool.query("select from memberships where recorded_to is null and valid_to is null");
    expect(members).toHaveLength(2);
  });

  test("who is deleted at the source while outside the scope does not come in when the scope is widened", async () => {
    await testConnection(db, ctx, { mapping: { user: { scope: "account.cn != 'robot'", attributes: { userName: "account.uid" } } } });
    const source = world([person("ada"), person("eva", { cn: "robot" })]);
    await syncWorld(db, ctx, { world: source });
    put(source, { ...person("eva"), attributes: {}, deleted: true });
    await syncWorld(db, ctx, { world: source });
    await db.pool.query(
      "update connections set mapping_version = mapping_version + 1, mapping = jsonb_set(mapping, '{user,scope}', '\"true\"')",
    );
    await syncWorld(db, ctx, { world: world(), mode: "remap" });
    expect(await people()).toMatchObject([{ user_name: "ada" }]);
  });

  test("M3: who left and comes back without a manager has none", async () => {
    await testConnection(db, ctx);
    const manager = async () =>
      (await db.pool.query("select m.user_name from people p left join people m on m.id = p.manager_id where p.user_name = 'ada'")).rows;
    const source = world([person("eva"), person("ada", { manager: "uid=eva" })]);
    await syncWorld(db, ctx, { world: source });
    expect(await manager()).toEqual([{ user_name: "eva" }]);
    remove(source, "user", "id-ada");
    await syncWorld(db, ctx, { world: source });
    put(source, person("ada"));
    await syncWorld(db, ctx, { world: source });
    expect(await manager()).toEqual([{ user_name: null }]);
  });

  test("invariant 4: bad records are named by the source's id with their reason, and stop nobody else", async () => {
    await testConnection(db, ctx);
    const source = world([
      person("ada"),
      { kind: "user", nativeId: "nameless", attributes: { cn: "No uid" } },
      person("bad", { active: "perhaps" }),
      person("nul", { title: "a\0b" }),
      person("half", { title: "a\ud83d" }),
      person("hidden", { ["a\udc00"]: "b" }),
      person("path", { title: "C:\\u0000 and \\ud83d", room: "\u{1f600}" }),
      { ...person("ada"), nativeId: "id-zz", reference: "x" },
    ]);
    const summary = await syncWorld(db, ctx, { world: source });
    expect(summary.applied).toEqual({ applied: 2, refused: 0, failed: 0 });
    const { rows } = await db.pool.query("select native_id, code, message from run_problems order by native_id");
    expect(rows).toMatchObject([
      { native_id: "id-bad", code: "invalid", message: expect.stringContaining("expected true or false") },
      { native_id: "id-half", code: "invalid", message: expect.stringContaining("surrogate") },
      { native_id: "id-hidden", code: "invalid", message: expect.stringContaining("surrogate") },
      { native_id: "id-nul", code: "invalid", message: expect.stringContaining("NUL") },
      { native_id: "id-zz", code: "conflict", message: expect.stringContaining("claims its userName") },
      { native_id: "nameless", code: "invalid", message: expect.stringContaining("userName") },
    ]);
  });

  test("P1: who claims a taken e-mail address is taken in without it, and named", async () => {
    await testConnection(db, ctx);
    const source = world([person("ada", { mail: "desk@lab.test" }), person("bob", { mail: "Desk@lab.test" })]);
    await syncWorld(db, ctx, { world: source });
    put(source, person("cyd", { mail: "desk@lab.test" }));
    await syncWorld(db, ctx, { world: source });
    const { rows } = await db.pool.query(
      "select user_name, email, attributes->'emails'->0->>'value' as profile from people order by user_name",
    );
    expect(rows).toEqual([
      { user_name: "ada", email: "desk@lab.test", profile: "desk@lab.test" },
      { user_name: "bob", email: null, profile: "Desk@lab.test" },
      { user_name: "cyd", email: null, profile: "desk@lab.test" },
    ]);
    expect((await db.pool.query("select native_id, code from run_problems order by native_id")).rows).toEqual([
      { native_id: "id-bob", code: "email_taken" },
      { native_id: "id-cyd", code: "email_taken" },
    ]);
    expect(await syncWorld(db, ctx, { world: source })).toMatchObject({ plan: {} });
  });

  test("a changed mapping remaps stored accounts without reading the source", async () => {
    await testConnection(db, ctx);
    await syncWorld(db, ctx, { world: world([person("ada", { title: "Engineer" })]) });
    await db.pool.query(
      "update connections set mapping_version = mapping_version + 1, mapping = jsonb_set(mapping, '{user,attributes,title}', '\"account.title + \\\" (corp)\\\"\"')",
    );
    const never = world();
    expect(await syncWorld(db, ctx, { world: never, mode: "remap" })).toMatchObject({ mode: "remap", plan: { user: { update: 1 } } });
    expect(await people()).toMatchObject([{ title: "Engineer (corp)" }]);
  });

  test("M2: whoever a changed mapping names as the manager leads, and nobody else is touched", async () => {
    await testConnection(db, ctx);
    const source = world([
      person("ada"),
      person("bob"),
      person("cyd", { manager: "uid=ada", mentor: "uid=bob" }),
      person("dee", { manager: "uid=ada" }),
    ]);
    await syncWorld(db, ctx, { world: source });
    const led = async () => {
      const { rows } = await db.pool.query<{ name: string; manager: string | null; version: number }>(
        "select p.user_name::text as name, m.user_name::text as manager, p.version from people p left join people m on m.id = p.manager_id order by 1",
      );
      return rows.map(({ name, manager, version }) => `${name} ${manager ?? "nobody"} ${version}`);
    };
    const remap = async (manager: string | undefined, { before = "select" } = {}) => {
      await db.pool.query(before);
      await db.pool.query(
        "update connections set mapping_version = mapping_version + 1, mapping = case when $1::text is null then mapping #- '{user,attributes,manager}' else jsonb_set(mapping, '{user,attributes,manager}', to_jsonb($1::text)) end",
        [manager ?? null],
      );
      expect(await syncWorld(db, ctx, { world: world(), mode: "remap" })).toMatchObject({ state: "done" });
      return led();
    };
    const first = ["ada nobody 1", "bob nobody 1", "cyd ada 1", "dee ada 1"];
    expect(await led()).toEqual(first);
    expect(await remap("account.manager")).toEqual(first);
    expect(await remap("has(account.mentor) ? account.mentor : account.manager")).toEqual([...first.slice(0, 2), "cyd bob 2", "dee ada 1"]);
    expect(await remap(undefined)).toEqual([...first.slice(0, 2), "cyd nobody 3", "dee nobody 2"]);
    // Of accounts that were taken in before it was kept.
    const before = "update accounts set mapped = mapped - 'manager'";
    expect((await remap("account.manager", { before })).slice(2)).toEqual(["cyd ada 4", "dee ada 3"]);
  });

  test("M4: no echo: what we wrote back ourselves is not the origin's decision", async () => {
    await testConnection(db, ctx);
    const source = world([person("ada", { active: true })]);
    await syncWorld(db, ctx, { world: source });
    await db.pool.query("update accounts set written_back = '{\"active\": false}'");
    put(source, person("ada", { active: false }));
    await syncWorld(db, ctx, { world: source });
    expect(await people()).toMatchObject([{ state: "active" }]);
    expect((await db.pool.query("select from blocks")).rowCount).toBe(0);
  });

  test("members whom only another origin lists wait, and the run says what to do; they join once this one reads them, too", async () => {
    await testConnection(db, ctx, { name: "hr", mapping: { user: { attributes: { userName: "account.uid" } } } });
    await testConnection(db, ctx);
    await syncWorld(db, ctx, { world: world([person("ada"), person("bob")]), connection: "hr" });
    const corp = world([group("staff", ["uid=ada", "uid=bob"]), group("leads", ["uid=ada"])]);
    const { notes, runId } = await syncWorld(db, ctx, { world: corp });
    expect(notes).toEqual([
      expect.stringMatching(/^groups: 2 of the members that 2 groups name are none of the people and groups that corp reads/),
    ]);
    expect((await db.pool.query("select counts->'notes' as notes from runs where id = $1", [runId])).rows).toEqual([{ notes }]);
    expect((await db.pool.query("select from memberships")).rowCount).toBe(0);
    for (const uid of ["ada", "bob"]) put(corp, person(uid));
    expect(await syncWorld(db, ctx, { world: corp })).toMatchObject({ plan: { user: { link: 2 } }, notes: [] });
    expect((await db.pool.query("select from memberships")).rowCount).toBe(3);
  });
});
