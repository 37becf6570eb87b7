import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";

interface Row {
  section: string;
  /** Titles by file, below test/. */
  tests: { file: string; title: string }[];
  reasons: string[];
}

const rows = readRows(readFileSync("docs/scim-conformance.md", "utf8"));

function readRows(text: string): Row[] {
  const lines = text.split("\n").filter((line) => /^\| +\d/.test(line));
  return lines.map((line) => {
    const [, section = "", , , shown = ""] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
    const parts = shown.split("<br>").map((part) => part.replaceAll("\\|", "|"));
    return {
      section,
      tests: parts.flatMap((part) => {
        const [, file, title] = /^`([^`]+)`: (.+)$/.exec(part) ?? [];
        return file && title ? [{ file, title: title.replaceAll(/\\([_*<])/g, "$1") }] : [];
      }),
      reasons: parts.filter((part) => /^_.+_$/.test(part)),
    };
  });
}

/** Titles as they stand in the source, whatever the quotes. */
function hasTitle(file: string, title: string): boolean {
  const path = `test/${file}`;
  return existsSync(path) && ['"', "'", "`"].some((quote) => readFileSync(path, "utf8").includes(`${quote}${title}${quote}`));
}

describe("the table of conformance", () => {
  test("has rows of all three RFCs", () => {
    expect(rows.length).toBeGreaterThan(100);
  });

  test("leaves no row open: each has a test, or a reason", () => {
    expect(rows.filter(({ tests, reasons }) => tests.length + reasons.length === 0)).toEqual([]);
  });

  test("names tests that there are", () => {
    const unknown = rows.flatMap(({ section, tests }) =>
      tests.filter(({ file, title }) => !hasTitle(file, title)).map((each) => ({ section, ...each })),
    );
    expect(unknown).toEqual([]);
  });
});
