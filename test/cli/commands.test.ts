import { spawn, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { runCommandLine } from "../../src/cli/program.ts";
import { projectFolder } from "../../src/db/folder.ts";
import { testDatabase, type TestDatabase } from "../helpers/database.ts";

const SCRIPT = path.join(projectFolder(), "dist/src/main.js");

interface Answer {
  code: number | null;
  out: string;
  error: string;
}

describe("the command line", () => {
  let db: TestDatabase;
  let folder: string;
  let feed: string;
  beforeAll(async () => {
    db = await testDatabase();
    folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-cli-"));
    feed = path.join(folder, "people.csv");
  });
  afterAll(async () => {
    await db.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  const environment = (more: Record<string, string> = {}) => ({
    PATH: process.env["PATH"],
    HOME: folder,
    DATABASE_URL: db.url,
    ROLLCALL_DATA: folder,
    ...more,
  });
  /** In this process, which is quicker than a child for each. */
  async function rollcall(line: string, more: Record<string, string> = {}): Promise<Answer> {
    let out = "";
    let error = "";
    const terminal = { write: (text: string) => void (out += text), writeError: (text: string) => void (error += text), watched: false };
    const code = await runCommandLine({
      arguments: line.split(" "),
      environment: environment(more),
      terminal,
      version: "1.2.3",
      startServer: () => Promise.reject(new Error("not here")),
    });
    return { code, out, error };
  }
  /** As an operator runs it. */
  function spawned(line: string, { input, ...more }: { input?: string } & Record<string, string> = {}): Answer {
    const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, ...line.split(" ")], {
      encoding: "utf8",
      input,
      env: environment(more),
      cwd: folder,
    });
    return { code: status, out: stdout, error: stderr };
  }
  async function json(line: string): Promise<unknown> {
    const { code, out, error } = await rollcall(`${line} --json`);
    expect({ line, error, code }).toEqual({ line, error: expect.any(String), code: 0 });
    return JSON.parse(out);
  }
  function writeFeed(people: readonly string[]): void {
    writeFileSync(feed, ["id,login,mail,groups", ...people, `END,${people.length}`, ""].join("\n"));
  }
  const person = (index: number) => `${index},p${index},p${index}@example.com,Staff`;
  const definition = {
    name: "hr",
    connector: "csv",
    settings: { file: "", idColumn: "id", groupsColumn: "groups", trailer: "END" },
    mapping: {
      user: { attributes: { userName: "account.login", "emails.work": "account.mail", employeeNumber: "account.id" } },
      group: { attributes: { displayName: "account.name" } },
    },
  };

  test("an answer that finds no room is said to be lost, in words", () => {
    // Every write to it fails as on a full disk.
    const full = openSync("/dev/full", "w");
    try {
      const { status, stderr } = spawnSync(process.execPath, [SCRIPT, "role", "list"], {
        encoding: "utf8",
        env: environment(),
        stdio: ["ignore", full, "pipe"],
      });
      expect(stderr).toMatch(/^The answer can't be written: ENOSPC[^\n]*\n$/);
      expect(status).toBe(1);
    } finally {
      closeSync(full);
    }
  });

  test("usage: help is no error, a wrong word is 2, and says what there is", async () => {
    expect(await rollcall("--help")).toMatchObject({ code: 0, out: expect.stringContaining("connection") });
    expect(spawned("--version")).toEqual({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), error: "" });
    expect(await rollcall("conection list")).toMatchObject({ code: 2, out: "", error: expect.stringContaining("unknown command") });
    expect(await rollcall("token create --name x")).toMatchObject({ code: 2, error: expect.stringContaining("--scope") });
  });

  test("empty states say what to do next", async () => {
    expect((await rollcall("connection list")).out).toContain("rollcall connection add FILE");
    expect((await rollcall("plan list")).out).toContain("rollcall connection sync NAME");
    expect((await rollcall("rule list")).out).toContain("rollcall rule load FILE");
    expect(await json("connection list")).toEqual([]);
  });

  test("G5: token create prints the token and nothing else, and only its hash is kept", async () => {
    const { code, out, error } = spawned("token create --name okta --scope scim --expires 90d");
    expect({ code, error }).toEqual({ code: 0, error: "" });
    expect(out).toMatch(/^rc_scim_\S+\n$/);
    const { rows } = await db.pool.query("select t::text as text, name, scope, expires_at > created_at as expires from tokens t");
    expect(rows).toEqual([{ text: expect.not.stringContaining(out.trim()), name: "okta", scope: "scim", expires: true }]);
    expect(await rollcall("token create --name x --scope api --expires yesterday")).toMatchObject({
      code: 2,
      out: "",
      error: expect.stringContaining('--expires: "yesterday"'),
    });
    expect(await rollcall("token create --name x --scope scim --connection nowhere")).toMatchObject({
      code: 2,
      error: expect.stringContaining('no connection "nowhere"'),
    });
  });

  test("a bad definition is refused with every problem, as text and as JSON, and nothing is kept", async () => {
    const file = path.join(folder, "bad.yaml");
    writeFileSync(file, "name: bad\nconnector: csv\nsettings: { file: /x }\nmapping: { user: { attributes: { userName: 'account.' } } }\n");
    const { code, error } = await rollcall(`connection add ${file}`);
    expect(code).toBe(2);
    expect(error).toMatch(/settings\.idColumn: /);
    expect(error).toMatch(/mapping\.user\.attributes\.userName: at position \d+/);
    const document = JSON.parse((await rollcall(`connection add ${file} --json`)).error) as {
      error: { code: string; problems: { field: string }[] };
    };
    expect(document.error).toMatchObject({
      code: "invalid",
      problems: expect.arrayContaining([expect.objectContaining({ field: "settings.idColumn" })]),
    });
    writeFileSync(file, "name: bad\nconnector: [csv\n");
    expect(await rollcall(`connection add ${file}`)).toMatchObject({
      code: 2,
      error: expect.stringMatching(/is not YAML\.\n {2}line \d+, column \d+/),
    });
    expect(await rollcall("connection add /nowhere.yaml")).toMatchObject({
      code: 2,
      error: expect.stringContaining("/nowhere.yaml can't be read"),
    });
    expect(await json("connection list")).not.toEqual(expect.arrayContaining([expect.objectContaining({ name: "bad" })]));
  });

  test("B1: add, check, plan, show, approve, and a leaver that a guard holds", async () => {
    writeFeed(Array.from({ length: 20 }, (_, index) => person(index)));
    const input = JSON.stringify({ ...definition, settings: { ...definition.settings, file: feed } });
    expect(spawned("connection add -", { input })).toMatchObject({
      code: 0,
      out: expect.stringContaining("Next: rollcall connection check hr"),
    });
    expect(spawned("connection add -", { input })).toMatchObject({ code: 2, error: expect.stringContaining("--replace") });
    expect(await json("connection check hr")).toEqual(
      expect.arrayContaining([
        { name: "file", ok: true, message: expect.stringContaining("20 people") },
        expect.objectContaining({ name: "mapping.user", kind: "user", ok: true, message: "10 of the first 10 are in scope" }),
      ]),
    );
    const looked = await rollcall("connection check hr");
    expect(looked.out.match(/becomes \{.*"userName":"p\d"/g)).toHaveLength(10);

    const planned = spawned("connection sync hr --plan-only --json");
    expect(planned.code).toBe(3);
    const { planId } = JSON.parse(planned.out) as { planId: number };
    const recording = path.join(folder, "run.jsonl");
    expect((await rollcall(`connection sync hr --plan-only --record ${recording}`)).code).toBe(3);
    expect(await rollcall(`connection sync hr --plan-only --record ${recording}`)).toMatchObject({
      code: 2,
      error: expect.stringContaining("is there already"),
    });
    expect(await rollcall(`connection replay ${recording}`)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/As recorded, it came to the plan [0-9a-f]{64}[\s\S]*Nothing was changed/),
    });
    expect(await rollcall("connection replay /nowhere.jsonl")).toMatchObject({ code: 2, error: expect.stringContaining("can't be read") });
    expect(await json("plan list --state held")).toMatchObject([
      { id: planId, connection: "hr", counts: { user: { create: 20 }, group: { create: 1 } } },
    ]);
    expect(await rollcall("person show p3")).toMatchObject({ code: 2, error: expect.stringContaining("no person") });
    expect((await rollcall(`plan show ${planId}`)).out).toMatch(/create +user +p3/);
    expect(await json(`plan approve ${planId}`)).toMatchObject({ plan: planId, state: "applied", applied: 21, failed: 0 });
    expect(await rollcall(`plan approve ${planId}`)).toMatchObject({ code: 2, error: expect.stringContaining("is applied, not held") });
    expect((await rollcall("person show p3@example.com")).out).toMatch(/p3[\s\S]*Groups\n.*\n {2}Staff +itself/);
    expect(await json("account list --kind user --limit 3")).toHaveLength(3);

    writeFeed(Array.from({ length: 6 }, (_, index) => person(index)));
    const held = await rollcall("connection sync hr");
    expect(held).toMatchObject({ code: 3, out: expect.stringMatching(/Held: .*\n[\s\S]*Next: rollcall plan show \d+/) });
    const [waiting] = (await json("plan list --state held")) as { id: number }[];
    expect(await rollcall(`plan reject ${waiting?.id}`)).toMatchObject({ code: 0, out: expect.stringContaining("nothing was changed") });
    expect(await json("person show p19")).toMatchObject({ person: { active: true } });
  });

  test("exit codes tell what a script should do", async () => {
    writeFileSync(feed, 'id,login,mail,groups\n1,"p1,,\n');
    expect(await rollcall("connection sync hr")).toMatchObject({ code: 1, error: expect.stringContaining("is not CSV from line") });
    expect((await rollcall("connection check hr")).code).toBe(1);
    expect(await rollcall("plan show 999999")).toMatchObject({ code: 2, error: expect.stringContaining("There is no plan 999999") });
    expect(await rollcall("plan show first")).toMatchObject({ code: 2, error: expect.stringContaining('"first" is not an id') });
    expect(await rollcall("migrate", { DATABASE_URL: "postgresql://u:hunter2@127.0.0.1:1/x" })).toMatchObject({
      code: 4,
      error: expect.stringMatching(/127\.0\.0\.1:1\/x does not answer/),
    });
    expect((await rollcall("migrate", { DATABASE_URL: "postgresql://u:hunter2@127.0.0.1:1/x" })).error).not.toContain("hunter2");
    expect(spawned("migrate", { PORT: "eighty", LOG_LEVEL: "loud" })).toMatchObject({
      code: 2,
      error: expect.stringMatching(/PORT: [\s\S]*LOG_LEVEL: /),
    });
  });

  test("a database that can only be read at the moment: 4, as for one that does not answer", async () => {
    const name = new URL(db.url).pathname.slice(1);
    await db.pool.query(`alter database ${name} set default_transaction_read_only = on`);
    try {
      expect(await rollcall("token create --name later --scope api --expires 1d")).toMatchObject({
        code: 4,
        error: expect.stringContaining("The database can only be read at the moment"),
      });
    } finally {
      await db.pool.query(`alter database ${name} reset default_transaction_read_only`);
    }
  });

  test("a run that is under way elsewhere makes the second one wait its turn: 4", async () => {
    writeFeed([person(1)]);
    const { rows } = await db.pool.query<{ id: number }>("select id from connections where name = 'hr'");
    const client = await db.pool.connect();
    try {
      // The lock of a run, as src/sync/lock.ts takes it.
      await client.query("select pg_advisory_lock(7305002, $1)", [rows[0]?.id]);
      expect(await rollcall("connection sync hr")).toMatchObject({ code: 4, error: expect.stringContaining("in progress") });
    } finally {
      await client.query("select pg_advisory_unlock_all()");
      client.release();
    }
  });

  test("A3: roles side by side; rules from a file", async () => {
    expect(await json("role list")).toEqual(expect.arrayContaining([expect.objectContaining({ key: "register-admin" })]));
    expect((await rollcall("role compare register-user register-admin --differences")).out).toMatch(
      /PERMISSION +register-admin +register-user\n/,
    );
    expect(await rollcall("role compare nobody")).toMatchObject({ code: 2, error: expect.stringContaining("There is no role nobody") });
    const file = path.join(folder, "rules.yaml");
    writeFileSync(file, "rules:\n  - { name: Staff may look, group: Staff, role: register-only-viewer, unit: HQ }\n");
    expect(await json(`rule load ${file}`)).toEqual({ created: 1, updated: 0, unchanged: 0 });
    expect(await json(`rule load ${file}`)).toEqual({ created: 0, updated: 0, unchanged: 1 });
    expect((await rollcall("rule list")).out).toMatch(/Staff may look +group Staff +register-only-viewer +HQ/);
    writeFileSync(file, "rules:\n  - { name: Later, group: Staff, role: register-only-viewer, unit: NOT-YET }\n");
    expect(await rollcall(`rule load ${file}`)).toMatchObject({
      code: 0,
      error: expect.stringContaining(`"Later" gives nothing yet: no unit has the code NOT-YET.`),
    });
    writeFileSync(file, "rules:\n  - { name: Bad, condition: 'person.shoe', role: register-user, unit: HQ }\n");
    expect(await rollcall(`rule load ${file}`)).toMatchObject({ code: 2, error: expect.stringMatching(/condition: at position \d+/) });
  });

  test("deliveries: an empty list, and nothing is retried by accident", async () => {
    expect(await rollcall("delivery list")).toMatchObject({ code: 0, out: "Everything is delivered.\n" });
    expect(await rollcall("delivery retry")).toMatchObject({ code: 2, error: expect.stringContaining("--all") });
    expect(await json("delivery retry --all")).toEqual({ retried: 0 });
  });

  test("W1: audit tail shows what was done and by whom; --json is a line an event", async () => {
    const lines = (await rollcall("audit tail -n 500 --json")).out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { name: string; actor: string });
    expect(new Set(lines.map(({ name }) => name))).toEqual(
      expect.objectContaining(new Set(["token.created", "connection.created", "plan.held", "plan.approved", "plan.rejected"])),
    );
    expect(lines.find(({ name }) => name === "plan.approved")?.actor).toBe(`cli:${os.userInfo().username}`);
    expect((await rollcall("audit tail --event plan.rejected")).out).toMatch(/plan\.rejected plan \d+ {2}by cli:/);
  });

  test("the key rotates, and the connection still opens", async () => {
    expect(await json("key rotate")).toMatchObject({ olderKeyDropped: true });
    expect((await rollcall("connection check hr")).code).toBe(0);
  });

  test("start serves until SIGTERM, then ends with 0; a taken port is told", async () => {
    const child = spawn(process.execPath, [SCRIPT, "start"], { env: environment({ PORT: "0" }), stdio: ["ignore", "ignore", "pipe"] });
    let log = "";
    const url = await new Promise<string>((resolve, reject) => {
      child.stderr.on("data", (chunk: Buffer) => {
        log += chunk.toString();
        const found = /"url":"([^"]+)"/.exec(log)?.[1];
        if (found) resolve(found);
      });
      child.once("exit", () => reject(new Error(log)));
    });
    const ready = await fetch(`${url}/readyz`);
    expect(ready.status).toBe(200);
    // Longer than a proxy in front keeps it: whoever closes first must be the one that asks.
    expect(ready.headers.get("keep-alive")).toBe("timeout=75");
    expect(spawned("start", { PORT: new URL(url).port })).toMatchObject({
      code: 4,
      error: expect.stringContaining(`Port ${new URL(url).port} of 127.0.0.1 is taken`),
    });
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
    expect(log).toContain('"msg":"stopped"');
  });
});
