import { expect, test } from "@jest/globals";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { csvLine, exportedText, ndjsonLine, syslogLine } from "../../src/audit/export.ts";
import type { AuditLine } from "../../src/audit/tail.ts";

const text = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("=1+1", "+1", "-1", "@a", "\t=1", " =1", "'=1", 'a"b\r\nc', "'"));
const event: fc.Arbitrary<AuditLine> = fc.record({
  id: fc.nat(),
  at: fc.date({ min: new Date("2000-01-01"), max: new Date("2100-01-01"), noInvalidDate: true }),
  name: fc.constant("person.updated"),
  actor: text,
  subjectType: fc.option(text),
  subjectId: fc.option(text),
  correlationId: text,
  reason: fc.option(text),
  data: fc.dictionary(fc.string(), fc.string(), { maxKeys: 2 }),
});

test("W1: no cell of a CSV export is a formula, and every text can be read back", () => {
  fc.assert(
    fc.property(event, (each) => {
      const [cells = []]: string[][] = parse(csvLine(each), { relax_column_count: false });
      expect(cells).toHaveLength(9);
      for (const cell of cells) expect(cell).not.toMatch(/^[\s]*[=+\-@]/);
      const back = cells.map((cell) => cell.replace(/^'/, ""));
      expect(back.slice(3, 8)).toEqual([each.actor, each.subjectType ?? "", each.subjectId ?? "", each.correlationId, each.reason ?? ""]);
    }),
  );
});

test("W1: an event is one line of NDJSON and of syslog, whatever it says", () => {
  fc.assert(
    fc.property(event, (each) => {
      for (const line of [ndjsonLine(each), syslogLine(each)]) expect(line.indexOf("\n")).toBe(line.length - 1);
      expect(JSON.parse(ndjsonLine(each))).toMatchObject({ actor: each.actor, reason: each.reason });
    }),
  );
});

test("W1: an export holds one page at a time, and asks for the next only when it is read", async () => {
  const asked: number[] = [];
  const [sample] = fc.sample(event, 1);
  if (!sample) throw new Error("no sample");
  const nextPage = async (after: number) => {
    asked.push(after);
    return after < 3 ? [{ ...sample, id: after + 1 }] : [];
  };
  const pieces = exportedText({ format: "ndjson", nextPage });
  await pieces.next();
  expect(asked).toEqual([0]);
  for await (const piece of pieces) expect(piece).toContain('"id"');
  expect(asked).toEqual([0, 1, 2, 3]);
});
