import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { csvSettings } from "../../../connectors/csv/config.ts";
import { csv } from "../../../connectors/csv/index.ts";
import { fits, newestOf } from "../../../connectors/csv/newest.ts";
import { drain } from "../../contract/source.ts";
import { silentLog } from "../../helpers/database.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-csv-reading-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function options(bytes: string | Buffer, settings: object) {
  const file = path.join(folder, "feed.csv");
  writeFileSync(file, bytes);
  return {
    settings: csvSettings.parse({ file, idColumn: "id", ...settings }),
    log: silentLog,
    signal: new AbortController().signal,
    now: () => new Date(),
  };
}

async function read(bytes: string | Buffer, settings: object = {}) {
  const source = await csv.openSource?.(options(bytes, settings));
  if (!source) throw new Error("csv has a source");
  try {
    return await drain(source.readAll("user"));
  } finally {
    await source.close();
  }
}

const utf16be = (text: string) => Buffer.from(text, "utf16le").swap16();

describe("how a file is written", () => {
  const text = "id,name\r\n1,Bjørn Łukasz 🙂\r\n";
  const western = "id,name\n1,Bjørn\n";
  test.each<[string, Buffer, object, string]>([
    ["UTF-8 with a mark", Buffer.from(`\ufeff${text}`), {}, "Bjørn Łukasz 🙂"],
    ["UTF-8 without", Buffer.from(text), {}, "Bjørn Łukasz 🙂"],
    ["UTF-16 little-endian with a mark", Buffer.from(`\ufeff${text}`, "utf16le"), {}, "Bjørn Łukasz 🙂"],
    ["UTF-16 big-endian with a mark", utf16be(`\ufeff${text}`), {}, "Bjørn Łukasz 🙂"],
    ["UTF-16 big-endian, said to be", utf16be(text), { encoding: "utf16be" }, "Bjørn Łukasz 🙂"],
    ["UTF-16 little-endian, said to be", Buffer.from(text, "utf16le"), { encoding: "utf16le" }, "Bjørn Łukasz 🙂"],
    ["windows-1252", Buffer.from(western, "latin1"), {}, "Bjørn"],
    ["windows-1252 with what latin1 lacks", Buffer.from([...Buffer.from("id,name\n1,"), 0x80, 0x8a, 0x9e, 0x0a]), {}, "€Šž"],
    ["latin1, said to be", Buffer.from(western, "latin1"), { encoding: "latin1" }, "Bjørn"],
  ])("%s is read", async (_, bytes, settings, name) => {
    expect((await read(bytes, settings)).records.map(({ attributes }) => attributes)).toEqual([{ id: "1", name }]);
  });

  test.each<[string, Buffer, object, RegExp]>([
    ["latin1 as UTF-8", Buffer.from("id,name\n1,Ada\n2,Bjørn\n", "latin1"), { encoding: "utf8" }, /line 3: this is not utf8/],
    [
      "windows-1252 as latin1",
      Buffer.from([...Buffer.from("id,name\n1,"), 0x8a, 0x0a]),
      { encoding: "latin1" },
      /line 2: this is not latin1/,
    ],
    ["an empty place of windows-1252", Buffer.from([...Buffer.from("id,name\n1,"), 0x81, 0x0a]), {}, /line 2: this is not windows-1252/],
    ["half UTF-8, half latin1", Buffer.concat([Buffer.from("id,n\n1,Łu\n"), Buffer.from("2,Bjørn\n", "latin1")]), {}, /not in line 3/],
    ["UTF-16 without a mark", Buffer.from("id,name\n1,Ada\n", "utf16le"), {}, /utf16le or utf16be/],
    ["UTF-16 as UTF-8", Buffer.from("id,name\n1,Ada\n", "utf16le"), { encoding: "utf8" }, /line 1: this is not utf8/],
    ["a mark that contradicts", Buffer.from("\ufeffid,name\n"), { encoding: "utf16le" }, /mark of utf8/],
    ["half a letter at the end", Buffer.from("id,name\n1,Łukasz Ł\n").subarray(0, -2), { encoding: "utf8" }, /line 2: it was cut off/],
    ["half a pair in UTF-16", Buffer.from("\ufeffid\n\ud83d1\n", "utf16le"), {}, /line 2: this is not utf16le/],
  ])("%s is refused with its line, rather than give wrong letters", async (_, bytes, settings, message) => {
    await expect(read(bytes, settings)).rejects.toMatchObject({ kind: "rejected", message: expect.stringMatching(message) });
  });

  test("letters that were lost before are a problem of that line", async () => {
    const { records, problems } = await read("id,name\n1,Bj\ufffdrn\n2,Ada\n");
    expect(records.map(({ nativeId }) => nativeId)).toEqual(["2"]);
    expect(problems).toMatchObject([{ nativeId: "1", code: "damaged", message: expect.stringContaining("Line 2: column 2 (name)") }]);
  });

  test.each([",", ";", "\t", "|"])("the delimiter %j is told from the header", async (delimiter) => {
    const bytes = `id${delimiter}"name, and; more"${delimiter}mail\n1${delimiter}Ada${delimiter}a@b.c\n`;
    expect((await read(bytes)).records[0]?.attributes).toEqual({ id: "1", "name, and; more": "Ada", mail: "a@b.c" });
  });

  test("a header that could be either is asked about", async () => {
    await expect(read("id,a;b\n1,2;3\n")).rejects.toMatchObject({ kind: "misconfigured", message: expect.stringContaining("`delimiter`") });
    expect((await read("id\n1\n")).records).toHaveLength(1);
  });
});

describe("a header", () => {
  test("spaces, case and a mark do not matter to the columns that the settings name; others have names of their own", async () => {
    const { records } = await read("\ufeff EMPLOYEE  Number ,E-mail (work),Groups\n7,a@b.c,Staff\n", {
      idColumn: "Employee number",
      groupsColumn: "groups",
      columns: { "e-mail (work)": "mail", "Employee Number": "number" },
    });
    expect(records).toMatchObject([{ nativeId: "7", attributes: { number: "7", mail: "a@b.c", Groups: ["Staff"] } }]);
  });

  test.each<[string, string, object, RegExp]>([
    ["the same name twice", "id,login,mail,login\n", {}, /columns 2 and 4 are both called "login"/],
    ["an alias that is taken", "id,login,mail\n", { columns: { mail: "login" } }, /columns 2 and 3 are both called "login"/],
    ["two that are alike", "ID,Id,login\n", {}, /more than one column "id" \(`idColumn`\): 1, 2/],
    ["an alias for what is not there", "id\n", { columns: { mail: "m" } }, /no column "mail" \(`columns.mail`\); it has id/],
    ["too many columns", `id${",".repeat(1000)}\n`, {}, /1001 columns/],
  ])("is refused with %s", async (_, bytes, settings, message) => {
    await expect(read(bytes, settings)).rejects.toMatchObject({ kind: "misconfigured", message: expect.stringMatching(message) });
  });

  test("columns without a header are left out while nothing stands in them", async () => {
    const { records, problems } = await read("id,login,,\n1,ada,,\n2,alan,,shifted\n");
    expect(records.map(({ attributes }) => attributes)).toEqual([{ id: "1", login: "ada" }]);
    expect(problems).toMatchObject([{ nativeId: "2", code: "nameless", message: expect.stringContaining("Line 3: column 4") }]);
  });

  test("names that mean something to JavaScript are names like others", async () => {
    const { records } = await read("id,__proto__,constructor\n1,a;b,c\n", { groupsColumn: "__proto__" });
    expect(Object.entries(records[0]?.attributes ?? {})).toEqual([
      ["id", "1"],
      ["__proto__", ["a", "b"]],
      ["constructor", "c"],
    ]);
  });

  test("a file that ends in its header is none yet", async () => {
    await expect(read("id,log")).rejects.toMatchObject({ kind: "transient" });
  });
});

describe("what is bounded", () => {
  test("the size of the file", async () => {
    await expect(read("id\n1\n2\n", { maxBytes: 5 })).rejects.toMatchObject({
      kind: "rejected",
      message: expect.stringContaining("maxBytes"),
    });
  });

  test("the length of a line, before and behind the header", async () => {
    const long = "x".repeat(1_200_000);
    await expect(read(long)).rejects.toMatchObject({ kind: "rejected", message: expect.stringContaining("no CSV file") });
    await expect(read(`id,login\n1,"${long}\n`)).rejects.toMatchObject({ kind: "rejected" });
    await expect(read(`id,login\n1,${long}\n`)).rejects.toMatchObject({
      kind: "rejected",
      message: expect.stringContaining("1000000 letters"),
    });
  });

  test("the length of an id, which is cut off where it is named", async () => {
    const { problems } = await read(`id\n${"9".repeat(300)}\n`);
    expect(problems).toMatchObject([{ code: "bad_id", nativeId: "9".repeat(255) }]);
  });
});

test("what is refused quotes nothing of the people in it", async () => {
  await expect(read('id,login\n1,secret"person\n')).rejects.toMatchObject({
    kind: "rejected",
    message: expect.not.stringContaining("secret"),
  });
});

describe("the end of a file", () => {
  test("invariant 1: a last line without a line break is not taken, unless the settings say that it may be", async () => {
    const torn = "id,title\n1,Engineer\n2,Engi";
    const { records, problems } = await read(torn, { expectedCount: 2 });
    expect(records.map(({ nativeId }) => nativeId)).toEqual(["1"]);
    expect(problems).toMatchObject([{ nativeId: "2", code: "torn" }]);
    expect((await read(torn, { lastLineBreak: "optional" })).records).toHaveLength(2);
    expect((await read("id\n1\nEND,1", { trailer: "END" })).end.finalCursor).toBe(true);
  });

  test.each([
    ["cut in its last line's id", "id,login\n1001,ada\n10", { expectedCount: 2 }],
    ["without an id in a line", "id,login\n1001,ada\n,ben\nEND,2\n", { trailer: "END" }],
    ["with an id that is too long", `id,login\n1001,ada\n${"1".repeat(256)},ben\nEND,2\n`, { trailer: "END" }],
    ["with an id whose letters were lost", "id,login\n1001,ada\n10\ufffd2,ben\nEND,2\n", { trailer: "END" }],
    ["with a delimiter in a name before the id", "name,id\nAda,1001\nMoe, Ben,1002\nEND,2\n", { trailer: "END" }],
  ])("invariant 1: a file %s does not say who is missing, whatever it counts", async (_, text, settings) => {
    const { records, problems, end } = await read(text, settings);
    expect(records).toHaveLength(1);
    expect(problems).toHaveLength(1);
    expect(end.finalCursor).toBe(false);
  });

  test("a bad line that says whose it is leaves the proof whole", async () => {
    const { problems, end } = await read("id,login\n1001,ada\n1002,ben,moe\n1003,c\ufffd\nEND,3\n", { trailer: "END" });
    expect(problems.map(({ nativeId }) => nativeId)).toEqual(["1002", "1003"]);
    expect(end.finalCursor).toBe(true);
  });

  test("invariant 1: cut at any byte, a file gives only people of the whole one, and never proves itself", async () => {
    const person = fc.record({
      title: fc.string({ unit: "grapheme", maxLength: 8 }).map((title) => title.replaceAll(/[\0\u0080-\u009f\ufffd]/g, "")),
      quoted: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(person, { minLength: 1, maxLength: 6 }), fc.nat(), async (people, where) => {
        const cell = ({ title, quoted }: { title: string; quoted: boolean }) =>
          quoted || /[",;|\t\r\n]/.test(title) ? `"${title.replaceAll('"', '""')}"` : title;
        const lines = people.map((each, index) => `${index},${cell(each)},x`);
        const whole = Buffer.from(["id,title,last", ...lines, `END,${people.length},`, ""].join("\n"));
        const known = new Map((await read(whole, { trailer: "END" })).records.map((record) => [record.nativeId, record.attributes]));
        expect(known.size).toBe(people.length);
        const end = whole.length - `END,${people.length},\n`.length;
        const outcome = await read(whole.subarray(0, where % end), { trailer: "END" }).catch((error: Error) => error);
        if (outcome instanceof Error) return expect(outcome.name).toBe("Fault");
        expect(outcome.end.finalCursor).toBe(false);
        for (const { nativeId, attributes } of outcome.records) expect(attributes).toEqual(known.get(nativeId));
      }),
      { numRuns: 150 },
    );
  });

  test("any bytes whatever end in people or in a Fault", async () => {
    const settings = fc.record({
      encoding: fc.constantFrom("auto", "utf8", "utf16le", "utf16be", "latin1", "windows-1252"),
      delimiter: fc.constantFrom("auto", ",", ";", "\t"),
      trailer: fc.constantFrom(undefined, "END"),
      groupsColumn: fc.constantFrom(undefined, "g"),
      lastLineBreak: fc.constantFrom("required", "optional"),
    });
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom("id", "g", ",", ";", '"', "\n", "\r\n", "\r", "END", "1", "\ufeff", "\0", "é", "🙂", '""')
        .map((text) => Buffer.from(text)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 30 }), fc.boolean(), settings, async (pieces, headed, chosen) => {
        const bytes = Buffer.concat([...(headed ? [Buffer.from("id,g\n")] : []), ...pieces]);
        const outcome = await read(bytes, chosen).catch((error: Error) => error);
        if (outcome instanceof Error) return expect(outcome.name).toBe("Fault");
        for (const { nativeId } of outcome.records) expect(nativeId).not.toBe("");
      }),
      { numRuns: 400 },
    );
  });
});

describe("asking for one", () => {
  test("reads a file through once for all who are asked for, and again when there is another", async () => {
    const opened = options("id,login\n1,ada\n3,torn,cells\nEND,2\n", { trailer: "END" });
    const source = await csv.openSource?.(opened);
    if (!source) throw new Error("csv has a source");
    expect(await source.readOne("user", "1")).toMatchObject({ attributes: { login: "ada" } });
    expect(await source.readOne("user", "9")).toBe("gone");
    await expect(source.readOne("user", "3")).rejects.toMatchObject({ kind: "rejected", message: expect.stringContaining("Line 3") });
    // Read through already: what it says by now would be seen only by reading it again.
    writeFileSync(opened.settings.file ?? "", "id,login\n9,new\nEND,1\n");
    expect(await source.readOne("user", "9")).toMatchObject({ nativeId: "9" });
    expect(await source.readOne("user", "1")).toBe("gone");
    await source.close();
  });

  test("nobody is gone from a file in which an id stands on two lines; of that one the earlier counts", async () => {
    const source = await csv.openSource?.(options("id,login\n1,ada\n1,twice\nEND,2\n", { trailer: "END" }));
    if (!source) throw new Error("csv has a source");
    expect(await source.readOne("user", "1")).toMatchObject({ attributes: { login: "ada" } });
    await expect(source.readOne("user", "9")).rejects.toMatchObject({ kind: "transient", message: expect.stringContaining("whole") });
    await source.close();
  });

  test("ten thousand questions read the file once", async () => {
    const opened = options(`id\n${Array.from({ length: 20_000 }, (_, index) => `${index}\n`).join("")}END,20000\n`, { trailer: "END" });
    let aborted = 0;
    const signal = new Proxy(opened.signal, {
      get: (target, key) => {
        // Asked before each chunk and each line that is read.
        if (key === "throwIfAborted") aborted += 1;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const source = await csv.openSource?.({ ...opened, signal });
    if (!source) throw new Error("csv has a source");
    await source.readOne("user", "nobody");
    const once = aborted;
    for (let asked = 0; asked < 10_000; asked++) await source.readOne("user", `nobody-${asked}`);
    expect(once).toBeGreaterThan(20_000);
    expect(aborted).toBe(once);
    await source.close();
  });
});

describe("a folder into which files are dropped", () => {
  test("a file that is still being written is not taken", async () => {
    const drop = mkdtempSync(path.join(folder, "drop-"));
    const file = path.join(drop, "people.csv");
    writeFileSync(file, "id\n1\n");
    const settings = csvSettings.parse({ folder: { path: drop, settleSeconds: 0.5 }, idColumn: "id" });
    const open = () => csv.openSource?.({ settings, log: silentLog, signal: new AbortController().signal, now: () => new Date() });
    const opening = open();
    const writing = setInterval(() => writeFileSync(file, `id\n1\n${"2\n".repeat(Math.ceil(Math.random() * 1000))}`), 50);
    try {
      await expect(opening).rejects.toMatchObject({ kind: "transient", message: expect.stringContaining("is being written") });
    } finally {
      clearInterval(writing);
    }
    utimesSync(file, 1_700_000_000, 1_700_000_000);
    const source = await open();
    await source?.close();
    expect(source?.kinds).toEqual(["user"]);
  });

  test("the newest that fits is chosen; drafts and links never", () => {
    expect(["people-1.csv", ".people-2.csv", "people.txt", "people-?.csv"].map((name) => fits(name, "people-*.csv"))).toEqual([
      true,
      false,
      false,
      true,
    ]);
    expect(fits("abc", "a?c") && fits("abc", "*") && fits("", "") && fits("aab", "*ab") && !fits("abc", "a?") && !fits("abc", "ab")).toBe(
      true,
    );
    expect(fits("a".repeat(200), `${"*a".repeat(99)}b`)).toBe(false);
    const at = (name: string, changedAt: number) => ({ name, changedAt, size: 1 });
    expect(newestOf([at("b", 1), at("a", 2), at("c", 2), at("d", 0)])?.name).toBe("c");
    expect(newestOf([])).toBeUndefined();
  });
});
