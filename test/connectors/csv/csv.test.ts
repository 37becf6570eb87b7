import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Completeness, Kind, Page, RecordProblem, SourceRecord } from "../../../connectors/contract.ts";
import { csvSettings } from "../../../connectors/csv/config.ts";
import { openCsv } from "../../../connectors/csv/client.ts";
import { csv } from "../../../connectors/csv/index.ts";
import { placeOf } from "../../../connectors/csv/place.ts";
import { pageReader } from "../../../connectors/csv/read.ts";
import { drain } from "../../contract/source.ts";
import { silentLog } from "../../helpers/database.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-csv-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function fileOf(text: string | Buffer): string {
  const file = path.join(folder, `feed-${++files}.csv`);
  writeFileSync(file, text);
  return file;
}

const PEOPLE = 'id,login,full name,groups,unit\n1,ada,"Lovelace, Ada",Staff; Engineers,Lab/Engines\n2,alan,Alan Turing,Staff,Lab\n';

function optionsFor(file: string, settings: object = {}) {
  return {
    settings: csvSettings.parse({ file, idColumn: "id", groupsColumn: "groups", unitColumn: "unit", unitSeparator: "/", ...settings }),
    log: silentLog,
    signal: new AbortController().signal,
    now: () => new Date(),
  };
}

async function readAll(
  file: string,
  { kind = "user" as Kind, ...settings }: { kind?: Kind } & Record<string, unknown> = {},
): Promise<{ records: SourceRecord[]; problems: RecordProblem[]; completeness: Completeness; pages: Page[] }> {
  const source = await csv.openSource?.(optionsFor(file, settings));
  if (!source) throw new Error("csv has a source");
  const pages: Page[] = [];
  try {
    const reading = source.readAll(kind);
    for (;;) {
      const { done, value } = await reading.next();
      if (done)
        return {
          records: pages.flatMap(({ records }) => records),
          problems: pages.flatMap(({ problems }) => problems ?? []),
          completeness: value,
          pages,
        };
      pages.push(value);
    }
  } finally {
    await source.close();
  }
}

describe("a CSV file", () => {
  test("is parsed once for people, units and groups, which are the same as when each is read alone", async () => {
    const options = optionsFor(fileOf(`${PEOPLE}3,bad line\n`));
    const file = await openCsv(placeOf(options), options);
    let parses = 0;
    const counted = {
      ...file,
      rows() {
        parses += 1;
        return file.rows();
      },
    };
    const reading = { file: counted, settings: options.settings };
    const readOnce = pageReader(reading);
    await drain(readOnce("user"));
    const together = { units: await drain(readOnce("unit")), groups: await drain(readOnce("group")) };
    expect(parses).toBe(1);
    expect(together).toEqual({ units: await drain(pageReader(reading)("unit")), groups: await drain(pageReader(reading)("group")) });
    expect(together.units.records).toHaveLength(2);
    expect(await drain(readOnce("group"))).toEqual(together.groups);
    expect(parses).toBe(4);
    await file.close();
  });

  test("M2: gives people by their id column, and groups and units by theirs", async () => {
    const file = fileOf(`${PEOPLE}END,2\n`);
    const people = await readAll(file, { trailer: "END" });
    expect(people.records.map(({ nativeId, attributes }) => ({ nativeId, attributes }))).toEqual([
      {
        nativeId: "1",
        attributes: { id: "1", login: "ada", "full name": "Lovelace, Ada", groups: ["Staff", "Engineers"], unit: "Lab/Engines" },
      },
      { nativeId: "2", attributes: { id: "2", login: "alan", "full name": "Alan Turing", groups: ["Staff"], unit: "Lab" } },
    ]);
    const groups = await readAll(file, { kind: "group", trailer: "END" });
    expect(groups.records.map(({ nativeId, members }) => [nativeId, members])).toEqual([
      ["Staff", { set: ["1", "2"] }],
      ["Engineers", { set: ["1"] }],
    ]);
    const units = await readAll(file, { kind: "unit", trailer: "END" });
    expect(units.records.map(({ nativeId, parent, attributes }) => [nativeId, parent, attributes["name"]])).toEqual([
      ["Lab", undefined, "Lab"],
      ["Lab/Engines", "Lab", "Engines"],
    ]);
    for (const { completeness } of [people, groups, units]) expect(completeness.finalCursor).toBe(true);
  });

  test.each([
    ["nothing proves it", {}, "", false],
    ["the trailer counts right", { trailer: "END" }, "END,2\n", true],
    ["the trailer counts wrong", { trailer: "END" }, "END,3\n", false],
    ["the trailer is missing", { trailer: "END" }, "", false],
    ["a line follows the trailer", { trailer: "END" }, "END,2\n3,eve,Eve,,\n", false],
    ["the expected count is there", { expectedCount: 2 }, "", true],
    ["the expected count is not there", { expectedCount: 3 }, "", false],
  ])("invariant 1: complete only when the file proves it: %s", async (_, settings, end, proven) => {
    const { completeness } = await readAll(fileOf(PEOPLE + end), settings);
    expect(completeness.finalCursor).toBe(proven);
  });

  test("invariant 1: a file cut short at any byte never proves itself whole", async () => {
    const whole = `${PEOPLE}END,2`;
    for (let length = whole.indexOf("\n") + 1; length < whole.length; length += 3) {
      const file = fileOf(whole.slice(0, length));
      const outcome = await readAll(file, { trailer: "END" }).then(
        ({ completeness }) => completeness.finalCursor,
        (error: Error) => error.name,
      );
      expect([false, "Fault"]).toContain(outcome);
    }
  });

  test("invariant 4: a bad line is named and stops no other; it takes nobody out of a group", async () => {
    const file = fileOf("id,login,groups\n1,ada,Staff\n,nobody,Staff\n3,too,many,cells\n1,again,Staff\n5,eve,Staff\n");
    const settings = { unitColumn: undefined };
    const { records, problems } = await readAll(file, settings);
    expect(records.map(({ nativeId }) => nativeId)).toEqual(["1", "5"]);
    expect(problems.map(({ nativeId, code, message }) => [nativeId, code, message.split(":")[0]])).toEqual([
      ["line 3", "no_id", "Line 3"],
      ["3", "columns", "Line 4"],
      ["1", "duplicate", "Line 5"],
    ]);
    const groups = await readAll(file, { ...settings, kind: "group" });
    expect(groups.records.map(({ members }) => members)).toEqual([{ add: ["1", "5"], remove: [] }]);
  });

  test("a large file streams in pages", async () => {
    const lines = Array.from({ length: 1201 }, (_, index) => `${index},p${index},,`).join("\n");
    const { pages, completeness } = await readAll(fileOf(`id,login,groups,unit\n${lines}\n`), { expectedCount: 1201 });
    expect(pages.map(({ records }) => records.length)).toEqual([500, 500, 201]);
    expect(completeness).toEqual({ finalCursor: true, count: 1201 });
  });

  test.each([
    ["utf16le", Buffer.from("\ufeffid,login\n1,Łukasz\n", "utf16le"), "Łukasz"],
    ["utf8", Buffer.from("\ufeffid,login\n1,Łukasz\n"), "Łukasz"],
    ["latin1", Buffer.from("id,login\n1,Bjørn\n", "latin1"), "Bjørn"],
  ])("is read in %s", async (encoding, bytes, login) => {
    const { records } = await readAll(fileOf(bytes), { encoding, groupsColumn: undefined, unitColumn: undefined });
    expect(records[0]?.attributes["login"]).toBe(login);
  });

  test("readOne asks the file as it stands now, and knows nobody gone from one that proves nothing", async () => {
    const file = fileOf(`${PEOPLE}END,2\n`);
    const open = (settings: object) => csv.openSource?.(optionsFor(file, settings));
    const source = await open({ trailer: "END" });
    expect(await source?.readOne("user", "9")).toBe("gone");
    writeFileSync(file, `${PEOPLE}9,new,New,Staff,Lab\nEND,3\n`);
    expect(await source?.readOne("user", "9")).toMatchObject({ nativeId: "9" });
    expect(await source?.readOne("group", "Engineers")).toMatchObject({ members: { set: ["1"] } });
    await source?.close();
    const unproven = await open({});
    await expect(unproven?.readOne("user", "77")).rejects.toMatchObject({ name: "Fault", kind: "transient" });
    await unproven?.close();
  });

  test("a file written to while it is read is no whole file", async () => {
    const file = fileOf(PEOPLE + Array.from({ length: 20_000 }, (_, index) => `${index + 10},p${index},,,`).join("\n"));
    const source = await csv.openSource?.(optionsFor(file));
    if (!source) throw new Error("csv has a source");
    const reading = source.readAll("user");
    await reading.next();
    appendFileSync(file, "\n99999,late,,,\n");
    await expect(async () => {
      for (;;) if ((await reading.next()).done) return;
    }).rejects.toMatchObject({ kind: "transient", message: expect.stringContaining("written to while it was read") });
    await source.close();
  });

  test.each([
    ["there is no file", { file: "/nowhere/feed.csv" }, "misconfigured", /There is no file \/nowhere\/feed.csv/],
    ["it is a folder", { file: os.tmpdir() }, "misconfigured", /is not a file/],
    ["it lacks a column", { idColumn: "number" }, "misconfigured", /no column "number" \(`idColumn`\); it has id, login/],
  ])("says what to do when %s", async (_, settings, kind, message) => {
    await expect(readAll(fileOf(PEOPLE), settings)).rejects.toMatchObject({ kind, message: expect.stringMatching(message) });
  });

  test("an unclosed quotation mark is a fault with its line", async () => {
    await expect(readAll(fileOf('id,login,groups,unit\n1,"ada,,\n2,alan,,\n'))).rejects.toMatchObject({
      kind: "rejected",
      message: expect.stringMatching(/from line \d+ on/),
    });
  });

  test("check says whether the file proves itself whole", async () => {
    const findings = await csv.check?.(optionsFor(fileOf(`${PEOPLE}END,5\n`), { trailer: "END" }));
    expect(findings?.map(({ name, ok }) => [name, ok])).toEqual([
      ["file", true],
      ["completeness", false],
    ]);
  });
});
