import os from "node:os";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { insertPerson } from "../directory/fixtures.ts";
import { openCommandLine, type TestCommandLine } from "./command-line.ts";

let commandLine: TestCommandLine;
beforeAll(async () => {
  commandLine = await openCommandLine();
});
afterAll(() => commandLine?.close());

const rollcall = (line: string) => commandLine.rollcall(...line.split(" "));

test("the audit trail of a time is exported in each format, page after page, and that it was is in the trail", async () => {
  await commandLine.db.pool.query(
    `insert into audit_events (at, name, actor, correlation_id, data)
     select timestamptz '2026-03-01 00:00Z' + make_interval(mins => n), 'roles.loaded', 'system', 'c', jsonb_build_object('n', n)
     from generate_series(0, 4499) n`,
  );
  const march = "audit export --from 2026-03-01T00:10:00Z --to 2026-03-04";
  const { code, text } = await rollcall(march);
  const numbers = text
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { data: { n: number } }).data.n);
  expect([code, numbers]).toEqual([0, Array.from({ length: 3 * 1440 - 10 }, (_, index) => index + 10)]);
  const csv = (await rollcall(`${march} --format csv`)).text.split("\r\n");
  expect([csv[0], csv.length]).toEqual(["id,at,name,actor,subjectType,subjectId,correlationId,reason,data", numbers.length + 2]);
  expect((await rollcall(`${march} --format syslog`)).text).toMatch(/^<109>1 2026-03-01T00:10:00.000Z - rollcall - roles.loaded - /);
  const { rows } = await commandLine.db.pool.query(
    "select actor, data ->> 'format' as format from audit_events where name = 'audit.exported' order by id",
  );
  expect(rows).toEqual(["ndjson", "csv", "syslog"].map((format) => ({ actor: `cli:${os.userInfo().username}`, format })));
  for (const line of ["--from yesterday", "--to 2026-02-31T00:00", "--format pdf"])
    expect(await rollcall(`audit export ${line}`)).toMatchObject({ code: 2 });
});

test("what somebody's beginning and leaving still need is shown by step", async () => {
  const id = await insertPerson(commandLine.db.pool, { userName: "ada" });
  const shown = await rollcall("person steps ada");
  expect(shown).toMatchObject({ code: 0 });
  expect(shown.text).toMatch(
    /^ada, onboarding: done\n\nSTEP +TARGET +STATE +AT +NEXT TRY +DETAIL\narrival +\S+ +done .*\nunit +- +skipped /,
  );
  const leaving = JSON.parse((await rollcall("person steps ada --kind offboarding --json")).text) as object;
  expect(leaving).toEqual({ personId: id, kind: "offboarding", state: "none", steps: [] });
  expect((await rollcall("person steps nobody")).code).not.toBe(0);
  expect((await rollcall("person steps ada --kind promotion")).code).toBe(2);
});
