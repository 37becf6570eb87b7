import { describe, expect, test } from "@jest/globals";
import { createOutput, eventText, type Terminal } from "../../src/cli/output.ts";

/** A name that clears the line it stands on, makes up another one, and turns the order of what follows. */
const HOSTILE = "Staff\u001b[2K\rdelete\n\u009b31mBoard\u202eyes\u2069\u0007";
const SHOWN = "Staff\\u001b[2K\\u000ddelete\\u000a\\u009b31mBoard\\u202eyes\\u2069\\u0007";

function written(json: boolean) {
  const texts: string[] = [];
  const terminal: Terminal = { write: (text) => void texts.push(text), writeError: (text) => void texts.push(text), watched: false };
  return { out: createOutput(terminal, { json }), text: () => texts.splice(0).join("") };
}

describe("what commands print", () => {
  test("names and answers of other systems are shown, and steer no terminal", () => {
    const { out, text } = written(false);
    out.table([{ name: HOSTILE }], { columns: [{ title: "NAME", value: ({ name }) => name }], empty: "none" });
    expect(text()).toBe(`NAME\n${SHOWN}\n`);
    const at = new Date("2027-01-01T00:00:00Z");
    const event = {
      ...{ id: 1, at, name: "run.failed", actor: "system", correlationId: "1" },
      subjectType: null,
      subjectId: null,
      reason: HOSTILE,
      data: {},
    };
    out.line(eventText(event));
    expect(text()).toBe(`2027-01-01 00:00:00Z  run.failed  by system  (${SHOWN})\n`);
    // A text may have lines of its own: that of a message, or a certificate.
    out.result(null, ["two\nlines", "\u001b]0;title\u0007"]);
    out.note("\u001b[2J");
    expect(text()).toBe("two\nlines\n\\u001b]0;title\\u0007\n\\u001b[2J\n");
  });

  test("columns stand under each other, however wide letters are", () => {
    const names = ["Ada", "李雷", "ｱﾀ", "Zoë".normalize("NFD"), "👩‍👩‍👧", "한 ✈️", "مرحبا"];
    const { out, text } = written(false);
    out.table(
      names.map((name) => ({ name })),
      {
        columns: [
          { title: "NAME", value: ({ name }) => name },
          { title: "N", value: ({ name }) => name, align: "right" },
          { title: "Z", value: () => "z" },
        ],
        empty: "none",
      },
    );
    expect(text()).toBe(
      [
        "NAME       N  Z",
        "Ada      Ada  z",
        "李雷    李雷  z",
        "ｱﾀ        ｱﾀ  z",
        "Zoë      Zoë  z",
        "👩‍👩‍👧        👩‍👩‍👧  z",
        "한 ✈️  한 ✈️  z",
        "مرحبا  مرحبا  z",
        "",
      ]
        .join("\n")
        .replaceAll("Zoë", "Zoë".normalize("NFD")),
    );
  });

  test("as JSON they are the same values still, and steer nothing either", () => {
    const { out, text } = written(true);
    out.result({ name: HOSTILE, plain: "Ada مرحبا 👩‍👩‍👧" }, "");
    const printed = text();
    expect(JSON.parse(printed)).toEqual({ name: HOSTILE, plain: "Ada مرحبا 👩‍👩‍👧" });
    expect(printed.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
  });
});
