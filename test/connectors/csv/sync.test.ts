import { randomBytes } from "node:crypto";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { addConnection } from "../../../src/connections/store.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { sealingKey, type KeyRing } from "../../../src/db/envelope.ts";
import { runSync } from "../../../src/sync/run.ts";
import { testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";
import { startRelay, startSshServer, type Relay, type SshServer } from "../../helpers/ssh-server.ts";

const PEOPLE = 60;
const keyRing: KeyRing = { current: sealingKey(randomBytes(32)), older: [] };
let db: TestDatabase;
let server: SshServer;
let relay: Relay;
let folder: string;

beforeAll(async () => {
  db = await testDatabase();
  server = await startSshServer();
  relay = await startRelay(server.port);
  folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-csv-sync-"));
  for (const name of ["local", "remote"]) {
    write(name, feed(PEOPLE));
    await inTransaction(db, testContext(), (work) => addConnection(work, { definition: definition(name), keyRing }));
    await sync(name);
  }
});
afterAll(async () => {
  await relay?.close();
  await server?.stop();
  await db?.drop();
  rmSync(folder, { recursive: true, force: true });
});

const fileOf = (name: string) => path.join(folder, `${name}.csv`);
const feed = (people: number, title = "Engineer") =>
  ["id,login,title,teams", ...Array.from({ length: people }, (_, index) => `${index},p${index},${title},Staff`), `END,${people}`, ""].join(
    "\n",
  );

/** As an HR system should: beside its place, then renamed. */
function write(name: string, text: string | Buffer): void {
  writeFileSync(`${fileOf(name)}.new`, text);
  renameSync(`${fileOf(name)}.new`, fileOf(name));
}

function definition(name: string) {
  const { user, privateKey, fingerprint: hostKey } = server;
  const sftp = { host: "127.0.0.1", port: relay.port, user, privateKey, hostKey, path: fileOf(name), timeoutSeconds: 10 };
  return {
    name,
    connector: "csv",
    settings: { ...(name === "remote" ? { sftp } : { file: fileOf(name) }), idColumn: "id", groupsColumn: "teams", trailer: "END" },
    mapping: {
      user: { attributes: { userName: `"${name}-" + account.login`, title: "account.title" } },
      group: { attributes: { displayName: "account.name" } },
    },
    // No guard stands before a wrong decision here.
    limits: { disable: { share: 1, count: 1000 }, delete: { share: 1, count: 1000 }, shrink: 1, failures: 100 },
  };
}

function sync(name: string) {
  return runSync(testContext(), { db, keyRing, connection: name, mode: "full", trigger: "cli" });
}

/** Everything that a feed decides about its people and their groups. */
async function state(name: string): Promise<unknown> {
  const { rows } = await db.pool.query(
    `select a.native_id, a.gone_at is null as there, p.active, p.attributes->>'title' as title,
       (select count(*)::int from memberships m where m.person_id = p.id and m.recorded_to is null and m.valid_to is null) as groups
     from accounts a join connections c on c.id = a.connection_id join people p on p.id = a.person_id
     where c.name = $1 and a.kind = 'user' order by a.native_id::int`,
    [name],
  );
  return rows;
}

test("invariant 1: whatever is cut off a file, a sync takes nobody away, out of a group, or on with half a value", async () => {
  const before = await state("local");
  expect(before).toHaveLength(PEOPLE);
  const whole = Buffer.from(feed(PEOPLE));
  const lengths = [0, 3, 21, 22, 30, ...Array.from({ length: 12 }, (_, index) => Math.floor((whole.length * (index + 1)) / 13) + index)];
  for (const length of [...lengths, whole.length - 8, whole.length - 4]) {
    write("local", whole.subarray(0, length));
    await sync("local").catch((error: Error) => expect({ length, name: error.name }).toEqual({ length, name: "Fault" }));
    await db.pool.query("update connections set state = 'ready'");
    expect({ length, state: await state("local") }).toEqual({ length, state: before });
  }
  write("local", feed(PEOPLE - 1));
  await sync("local");
  expect(await state("local")).toMatchObject([
    ...Array.from({ length: PEOPLE - 1 }, () => ({ there: true, active: true })),
    { there: false, active: false },
  ]);
});

test("invariant 1: a connection that breaks, and a file that changes on its way, take nobody away", async () => {
  const before = await state("remote");
  for (const after of [0, 1000, 3000, 4000]) {
    relay.mishap = { after, happens: "cut" };
    await expect(sync("remote")).rejects.toMatchObject({ name: "Fault", kind: "transient" });
  }
  relay.mishap = { after: 3500, happens: () => write("remote", feed(1)) };
  await sync("remote").catch((error: unknown) => expect(error).toMatchObject({ name: "Fault", kind: "transient" }));
  write("remote", feed(PEOPLE));
  relay.mishap = undefined;
  await sync("remote");
  expect(await state("remote")).toEqual(before);
});
