import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { migrate } from "../../src/db/migrate.ts";
import { unsuitable } from "../../src/db/suitable.ts";
import { testDatabase, type TestDatabase } from "../helpers/database.ts";
import { startPooler } from "../helpers/pooler.ts";

let db: TestDatabase;
let name: string;

beforeAll(async () => {
  db = await testDatabase();
  name = new URL(db.url).pathname.slice(1);
});
afterAll(() => db?.drop());

const refusal = (message: RegExp) =>
  expect.objectContaining({ code: "misconfigured", field: "DATABASE_URL", message: expect.stringMatching(message) });

describe("a database on which Rollcall would fail oddly later is refused at once", () => {
  test("tables that would be made and looked for in another schema", async () => {
    await db.pool.query("create schema aside");
    await db.pool.query(`alter database ${name} set search_path = aside, public`);
    await expect(migrate(db.url)).rejects.toEqual(refusal(/works in the schema aside \(search_path: aside, public\)/));
    await db.pool.query(`alter database ${name} set search_path = nowhere`);
    await expect(migrate(db.url)).rejects.toEqual(refusal(/works in no schema that there is/));
    await db.pool.query(`alter database ${name} set search_path = public, aside`);
    await expect(migrate(db.url)).resolves.toEqual([]);
    await db.pool.query(`alter database ${name} reset search_path`);
  });

  test("a schema in the URL, which the driver would not heed", async () => {
    await expect(migrate(`${db.url}?schema=aside`)).rejects.toEqual(refusal(/names the schema aside/));
    await expect(migrate(`${db.url}?schema=public`)).resolves.toEqual([]);
  });

  test("extensions in another schema, which searches and comparisons of units would not find", async () => {
    await db.pool.query("alter extension unaccent set schema aside");
    await expect(migrate(db.url)).rejects.toEqual(refusal(/unaccent \(aside\)\. Move each/));
    await db.pool.query("alter extension unaccent set schema public");
    await expect(migrate(db.url)).resolves.toEqual([]);
  });

  test("an encoding without most letters", async () => {
    await db.pool.query(
      `create database ${name}_latin encoding 'LATIN1' locale_provider libc lc_collate 'C' lc_ctype 'C' template template0`,
    );
    try {
      await expect(migrate(db.url.replace(name, `${name}_latin`))).rejects.toEqual(refusal(/is encoded in LATIN1/));
    } finally {
      await db.pool.query(`drop database ${name}_latin with (force)`);
    }
  });

  test("letters that are not those of protocols: in Turkish I is the capital of another letter than i", async () => {
    await db.pool.query(`create database ${name}_turkish locale_provider icu icu_locale 'tr-TR' template template0`);
    try {
      await expect(migrate(db.url.replace(name, `${name}_turkish`))).rejects.toEqual(refusal(/the letters I and i are not one/));
    } finally {
      await db.pool.query(`drop database ${name}_turkish with (force)`);
    }
  });

  test("an older PostgreSQL; who lives with its letters already is not locked out for them", () => {
    const found = {
      version: 140_012,
      release: "14.12",
      encoding: "UTF8",
      folds: true,
      fresh: true,
      schema: "public",
      path: "public",
      elsewhere: [],
    };
    expect(unsuitable(found, null)).toBe("DATABASE_URL leads to PostgreSQL 14.12: Rollcall needs 15 or later.");
    expect(unsuitable({ ...found, version: 150_000 }, null)).toBeUndefined();
    expect(unsuitable({ ...found, version: 150_000, encoding: "LATIN1", folds: false, fresh: false }, null)).toBeUndefined();
  });

  test("a pooler that gives each transaction another session; one that keeps them is no obstacle", async () => {
    for (const [lends, outcome] of [
      ["a transaction", refusal(/pooler that gives each transaction another session/)],
      ["a session", []],
    ] as const) {
      const pooler = await startPooler(db.url, { lends });
      try {
        expect(await migrate(pooler.url).catch((error: unknown) => error)).toEqual(outcome);
      } finally {
        await pooler.close();
      }
    }
  });
});
