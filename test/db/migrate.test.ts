import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import pg from "pg";
import { applyMigrations, migrationNames } from "../../src/db/apply-migrations.ts";
import { migrate } from "../../src/db/migrate.ts";
import { testDatabase, type TestDatabase } from "../helpers/database.ts";

/** Something of everything that the first version knew. */
const OLD_DATA = `
  insert into connections (name, connector) values ('old', 'ldap');
  insert into units (id, name, parent_id, path, created_at, modified_at)
    select md5('unit' || n)::uuid, 'Unit ' || n, case when n > 1 then md5('unit' || n - 1)::uuid end, null, now(), now() from generate_series(1, 3) n;
  insert into people (id, user_name, email, attributes, origin_id, created_at, modified_at)
    select md5('person' || n)::uuid, 'person-' || n, 'p' || n || '@example.com', jsonb_build_object('userName', 'person-' || n), 1, now(), now() from generate_series(1, 50) n;
  insert into accounts (connection_id, kind, native_id, reference, attributes, hash, mapping_version, mapped, situation, person_id, first_seen_at, changed_at)
    select 1, 'user', 'uid=' || n, 'uid=' || n, jsonb_build_object('userName', 'person-' || n), '', 1, '{}', 'linked', md5('person' || n)::uuid, now(), now() from generate_series(1, 50) n;
  insert into groups (id, display_name, created_at, modified_at) select md5('group')::uuid, 'Staff', now(), now();
  insert into memberships (group_id, person_id, connection_id, valid_from, recorded_from) select md5('group')::uuid, id, 1, now(), now() from people;
  insert into person_units (person_id, unit_id, connection_id, valid_from, recorded_from) select id, md5('unit3')::uuid, 1, now(), now() from people;
  insert into lifecycle_periods (person_id, state, reason, valid_from, recorded_from) select id, 'active', 'joined', now(), now() from people;
  insert into blocks (person_id, owner, connection_id, effect, reason, valid_from, recorded_from) select id, 'origin', 1, 'suspended', 'away', now(), now() from people limit 5;
  insert into roles (id, key, name, created_at, modified_at) values (md5('role')::uuid, 'reader', 'Reader', now(), now());
  insert into grants (grant_id, person_id, role_id, unit_id, source, granted_by, valid_from, recorded_from)
    select md5('grant' || id)::uuid, id, md5('role')::uuid, md5('unit2')::uuid, 'manual', 'system', now(), now() from people limit 20;
  insert into audit_events (at, name, actor, subject_type, subject_id, correlation_id, reason, data)
    select now(), 'person.joined', 'system', 'person', id::text, 'x', '', '{}' from people;
`;

describe("migrate", () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await testDatabase();
  });
  afterAll(() => db.drop());

  test("a migrated database needs nothing more, whoever asks at once", async () => {
    expect(await Promise.all([migrate(db.url), migrate(db.url), migrate(db.url)])).toEqual([[], [], []]);
  });

  test("one process migrates one database after another", async () => {
    for (const name of ["first", "second"].map((each) => `${new URL(db.url).pathname.slice(1)}_${each}`)) {
      await db.pool.query(`create database ${name}`);
      try {
        const url = new URL(db.url);
        url.pathname = name;
        expect(await migrate(url.href)).not.toEqual([]);
      } finally {
        await db.pool.query(`drop database ${name} with (force)`);
      }
    }
  });

  /** A database of its own beside the tests' one, without any table. */
  async function withEmptyDatabase(name: string, use: (url: string) => Promise<void>): Promise<void> {
    const url = new URL(db.url);
    url.pathname = `${url.pathname}_${name}`;
    await db.pool.query(`create database ${url.pathname.slice(1)}`);
    try {
      await use(url.href);
    } finally {
      await db.pool.query(`drop database ${url.pathname.slice(1)} with (force)`);
    }
  }

  async function connected<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return await use(client);
    } finally {
      await client.end();
    }
  }

  const noted = (url: string) =>
    connected(url, async (client) => (await client.query("select migration_name, checksum from _prisma_migrations order by 1")).rows);

  test("SIGKILL in the middle: the next start goes on, and every migration is applied once", async () => {
    const { rows: whole } = await db.pool.query("select migration_name, checksum from _prisma_migrations order by 1");
    for (const milliseconds of [5, 60, 150, 300, 600])
      await withEmptyDatabase(`killed_${milliseconds}`, async (url) => {
        const child = spawn(process.execPath, [path.join(import.meta.dirname, "../helpers/migrate-child.mjs"), url], {
          stdio: ["ignore", "pipe", "inherit"],
        });
        await once(child.stdout, "data");
        await sleep(milliseconds);
        const exited = child.exitCode === null ? once(child, "exit") : undefined;
        child.kill("SIGKILL");
        await exited;
        await migrate(url);
        expect(await noted(url)).toEqual(whole);
      });
  });

  test("what a version before left begun is applied; what it left half done is named", async () => {
    await withEmptyDatabase("begun", async (url) => {
      const [first = "", second = "", third = ""] = migrationNames();
      await connected(url, async (client) => {
        await applyMigrations(client, { names: [first, second] });
        await client.query("insert into _prisma_migrations (id, checksum, migration_name) values ('begun', '', $1)", [third]);
        await client.query("update _prisma_migrations set finished_at = null, applied_steps_count = 0 where migration_name = $1", [first]);
      });
      await expect(migrate(url)).rejects.toMatchObject({ code: "misconfigured", message: expect.stringContaining(first) });
      await connected(url, (client) =>
        client.query("update _prisma_migrations set finished_at = now(), applied_steps_count = 1 where migration_name = $1", [first]),
      );
      expect(await migrate(url)).toEqual(migrationNames().slice(2));
      expect(await migrate(url)).toEqual([]);
      expect((await noted(url)).map((row) => row.migration_name)).toEqual(migrationNames());
    });
  });

  test("a database of the first version is brought up to date with what stands in it", async () => {
    await withEmptyDatabase("of_old", async (url) => {
      const [first = "", ...later] = migrationNames();
      await connected(url, async (client) => {
        await applyMigrations(client, { names: [first] });
        await client.query(OLD_DATA);
        await applyMigrations(client, { names: later });
        const { rows } = await client.query(
          `select (select count(*)::int from people) as people, (select count(*)::int from accounts where scim_user_name like 'person-%') as accounts,
             (select count(*)::int from memberships where recorded_to is null) as memberships, (select count(*)::int from units) as units`,
        );
        expect(rows).toEqual([{ people: 50, accounts: 50, memberships: 50, units: 3 }]);
      });
    });
  });

  test("one that fails is named, and leaves nothing behind", async () => {
    await withEmptyDatabase("failing", async (url) => {
      await connected(url, (client) => client.query("create table accounts (id int)"));
      const [first = ""] = migrationNames();
      await expect(migrate(url)).rejects.toMatchObject({ message: expect.stringContaining(`${first} failed`), code: "42P07" });
      expect(await noted(url)).toEqual([]);
      await connected(url, (client) => client.query("drop table accounts"));
      expect(await migrate(url)).toEqual(migrationNames());
    });
  });

  test("one that waits for a table lets others in between", async () => {
    await withEmptyDatabase("waiting", async (url) => {
      const names = migrationNames();
      const changing = names.findIndex((name) => name.endsWith("accounts_updated_in_place"));
      await connected(url, (client) => applyMigrations(client, { names: names.slice(0, changing) }));
      await connected(url, async (reader) => {
        await reader.query("begin");
        await reader.query("select from accounts");
        const waiting = new EventEmitter();
        const told = once(waiting, "waits");
        const migrated = migrate(url, { onWaiting: ({ migration }) => void waiting.emit("waits", migration) });
        expect(await told).toEqual([names[changing]]);
        await connected(url, (other) => other.query("select from accounts"));
        await reader.query("commit");
        expect(await migrated).toEqual(names.slice(changing));
      });
    });
  });

  test("Prisma and raw SQL share the pool", async () => {
    await db.pool.query("insert into units (id, name, created_at, modified_at) values (gen_random_uuid(), 'Head office', now(), now())");
    expect(await db.prisma.unit.findMany({ select: { name: true } })).toEqual([{ name: "Head office" }]);
  });
});
