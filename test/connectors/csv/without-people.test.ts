import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { csvSettings } from "../../../connectors/csv/config.ts";
import { encode } from "../../../connectors/csv/encode.ts";
import type { Encoding } from "../../../connectors/csv/encoding.ts";
import { csv } from "../../../connectors/csv/index.ts";
import type { UploadedFile } from "../../../connectors/contract.ts";
import { drain } from "../../contract/source.ts";
import { silentLog } from "../../helpers/database.ts";

const signal = new AbortController().signal;
const ENCODINGS: readonly Encoding[] = ["utf8", "utf16le", "utf16be", "latin1", "windows-1252"];
/** Letters that every encoding has, or windows-1252 and Unicode alone. */
const cell = (encoding: Encoding) =>
  fc.string({
    unit: fc.constantFrom("a", "é", ",", ";", '"', "\n", "\r", " ", ...(encoding === "latin1" ? [] : ["€", "Š"])),
    maxLength: 6,
  });

function handedIn(content: Buffer): UploadedFile {
  return {
    name: "handed-in.csv",
    bytes: content.length,
    receivedAt: new Date(0),
    async *chunks() {
      yield content;
    },
  };
}

async function readAll(file: UploadedFile, settings: object) {
  const options = {
    settings: csvSettings.parse({ idColumn: "id", upload: {}, ...settings }),
    log: silentLog,
    signal,
    now: () => new Date(),
  };
  const source = await csv.openSource?.({ ...options, uploads: { last: async () => file } });
  if (!source) throw new Error("csv has a source");
  try {
    return await drain(source.readAll("user"));
  } finally {
    await source.close();
  }
}

async function without(file: UploadedFile, { settings, nativeIds }: { settings: object; nativeIds: string[] }): Promise<UploadedFile> {
  const chunks: Buffer[] = [];
  const parsed = csvSettings.parse({ idColumn: "id", upload: {}, ...settings });
  for await (const chunk of csv.uploadWithout?.({ settings: parsed, file, nativeIds: new Set(nativeIds), signal }) ?? [])
    chunks.push(chunk);
  return handedIn(Buffer.concat(chunks));
}

const quoted = (...cells: string[]) => cells.map((each) => `"${each.replaceAll('"', '""')}"`).join(",");

test.each(ENCODINGS)(
  "what is left of a file in %s says the same of everybody else, proves itself whole, and names nobody who was taken out",
  async (encoding) => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(cell(encoding), fc.boolean()), { minLength: 1, maxLength: 8 }), async (people) => {
        const lines = people.map(([note], index) => quoted(`n${index}`, note));
        const text = [quoted("id", "no;te"), ...lines, `END,${people.length}`, ""].join("\n");
        const file = handedIn(encode(text, { encoding, first: true }));
        const settings = { trailer: "END", encoding };
        const nativeIds = people.flatMap(([, leaves], index) => (leaves ? [`n${index}`] : []));
        const before = await readAll(file, settings);
        const after = await readAll(await without(file, { settings, nativeIds }), settings);
        expect(after.records).toEqual(before.records.filter(({ nativeId }) => !nativeIds.includes(nativeId)));
        expect(after.end).toEqual({ finalCursor: true, count: people.length - nativeIds.length });
      }),
      { numRuns: 30 },
    );
  },
);

test("how the file is written, and what is wrong with it, stays as it was", async () => {
  const file = handedIn(Buffer.from('id;name\r\n1;"A;da"\r\n2;Alan\r\n2;Alan again\r\n3;Zoë'));
  const left = await without(file, { settings: {}, nativeIds: ["1"] });
  const { records, problems, end } = await readAll(left, {});
  expect(records.map(({ nativeId }) => nativeId)).toEqual(["2"]);
  expect(problems.map(({ code }) => code)).toEqual(["duplicate", "torn"]);
  expect(end.finalCursor).toBe(false);
  const none = await readAll(await without(file, { settings: {}, nativeIds: ["1", "2", "3"] }), {});
  expect(none.records).toEqual([]);
});
