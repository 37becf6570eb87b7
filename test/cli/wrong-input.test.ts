import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openCommandLine, type TestCommandLine } from "./command-line.ts";

let shell: TestCommandLine;
const folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-wrong-"));
const written = (name: string, text: string | Buffer) => {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
};
beforeAll(async () => {
  shell = await openCommandLine();
  const feed = "name: feed\nconnector: csv\nsettings: { file: /nowhere/people.csv, idColumn: number }\n";
  expect(await shell.rollcall("connection", "add", written("feed.yaml", feed))).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await shell.close();
  rmSync(folder, { recursive: true });
});

const refused = async (line: string, says: string) => {
  const { code, text } = await shell.rollcall(...line.split(" "));
  expect(text).toContain(says);
  expect(text).not.toMatch(/Unexpected: |\n {4}at /);
  expect(code).toBe(2);
};

test.each([
  ["plan list --connection fead", 'There is no connection "fead"; there are feed.'],
  ["account list --connection fead", 'There is no connection "fead"; there are feed.'],
  ["delivery list --connection fead", 'There is no connection "fead"; there are feed.'],
  ["delivery retry --connection fead", 'There is no connection "fead"; there are feed.'],
  ["connection resume fead", 'There is no connection "fead"; there are feed.'],
  ["connection key fead", 'There is no connection "fead"; there are feed.'],
  ["connection key feed", "The connection feed has no keys: it is of the connector csv, and only saml signs with some."],
  ["connection sync feed --full --remap", "--full reads everything, --remap reads nothing: choose one of them."],
  ["connection remove feed --leaving -1", "It must be a whole number, or 0."],
  ["role compare --module registry", "There is no module registry; there are dashboard, register, rollcall."],
  ["audit export --from 2027-02-01 --to 2027-01-01", "--to: 2027-01-01 is not after 2027-02-01, where --from begins."],
  ["token create --name a --scope api --expires 2027-02-30", '--expires: "2027-02-30" is neither a period'],
  ["person expire ada --at 2027-04-31 --reason end", '--at: "2027-04-31" is neither a period'],
  ["person expire ada --at 2027-02-29T18:00:00Z --reason end", '--at: "2027-02-29T18:00:00Z" is neither a period'],
  ["audit export --from 2027-02-30", '--from: "2027-02-30" is neither a day'],
  ["plan show 0x1", 'id: "0x1" is not an id; ids are whole numbers.'],
  ["plan approve 1e0", 'id: "1e0" is not an id; ids are whole numbers.'],
  ["plan show 1 --limit 0x10", "It must be a whole number, at least 1."],
  [`token create --name ${"n".repeat(101)} --scope api`, "It must be a name of at most 100 characters, on one line."],
  [`client create --name ${"n".repeat(101)} --connection feed`, "It must be a name of at most 100 characters, on one line."],
  ["token create --name a\u0007b --scope api", "It must be a name of at most 100 characters, on one line."],
  ["token create --name a --scope api --expires 99999999d", "--expires: 99999999d ends after the year 9999; name an earlier time."],
])("%s is refused, and says why", refused);

describe("files", () => {
  test.each(["connection add", "rule load"])("%s says what is the matter with the file", async (command) => {
    await refused(`${command} ${path.join(folder, "none.yaml")}`, "none.yaml can't be read: there is no such file.");
    await refused(`${command} ${folder}`, `${folder} can't be read: it is a folder.`);
  });

  test.each(["connection add", "rule load"])(
    "%s takes no file of another encoding: names would be others, and no rule would ever fit",
    async (command) => {
      const text = "rules:\n  - { name: Värd, group: Värdar, role: register-user, unit: HQ }\n";
      for (const encoding of ["latin1", "utf16le"] as const) {
        const file = written("other.yaml", Buffer.from(text, encoding));
        await refused(`${command} ${file}`, "other.yaml can't be read: it is not text in UTF-8.");
      }
    },
  );

  test("one that is not YAML is refused by lines and columns, without its contents: secrets stand there", async () => {
    for (const [value, says] of [
      ["| hunter2", "broken.yaml is not YAML.\n  line 3, column 19: Not a YAML token\n"],
      ["*hunter2", "broken.yaml is not YAML: Unresolved alias"],
      ["a: hunter2", "broken.yaml is not YAML.\n  line 3, column 17: "],
      [`a\n"hunter2"${'\nhunter2 "hunter2" x: : y'.repeat(50)}`, "broken.yaml is not YAML.\n  line "],
    ] as const) {
      const file = written("broken.yaml", `name: company\nsettings:\n  bindPassword: ${value}\n`);
      await refused(`connection add ${file}`, says);
      const { text } = await shell.rollcall("connection", "add", file);
      expect(text).not.toContain("hunter2");
      expect(text.split("\n").length).toBeLessThan(15);
    }
  });

  test("a file of rules that is not YAML is told in a sentence that ends", async () => {
    await refused(`rule load ${written("prose.yaml", "# Rules\n\nWho gets\nwhat: where\n")}`, "at line 3, column 1.\n");
  });

  test("an empty one, or one with a list, is no connection", async () => {
    for (const text of ["", "- a\n- b\n", "connector\n"])
      await refused(
        `connection add ${written("empty.yaml", text)}`,
        "empty.yaml holds no connection: it must have name:, connector: and settings:",
      );
  });

  test("the rule of a file that can't be saved is named, and none of the others is saved", async () => {
    const rules = ["Some", "Others"].map(
      (name, index) => `  - { name: ${name}, group: G, role: ${index ? "no-such" : "register-user"}, unit: HQ }`,
    );
    await refused(
      `rule load ${written("rules.yaml", `rules:\n${rules.join("\n")}\n`)}`,
      'Rule "Others": There is no role with the key no-such.',
    );
    expect(await shell.rollcall("rule", "list")).toMatchObject({ text: expect.stringContaining("There are no rules yet.") });
  });
});

test("with --json what the parser refuses is JSON, too; help stays help", async () => {
  for (const [line, message] of [
    [["nosuch", "--json"], "unknown command 'nosuch'"],
    [["--json", "token", "create"], "required option '--name <name>' not specified"],
    [
      ["--json", "plan", "list", "--limit", "x"],
      "option '--limit <count>' argument 'x' is invalid. It must be a whole number, at least 1.",
    ],
  ] as const) {
    const { code, text } = await shell.rollcall(...line);
    expect(JSON.parse(text)).toEqual({ error: { code: "invalid", message: expect.stringContaining(message) } });
    expect(code).toBe(2);
  }
  expect(await shell.rollcall("--json", "token")).toMatchObject({ code: 2, text: expect.stringMatching(/^Usage: rollcall token/) });
  expect(await shell.rollcall("--json", "token", "--help")).toMatchObject({
    code: 0,
    text: expect.stringMatching(/^Usage: rollcall token/),
  });
});

test("a list that is empty for what was asked says that, and not that there is nothing at all", async () => {
  expect((await shell.rollcall("plan", "list", "--state", "applied")).text).toBe("There is no plan that is applied.\n");
  expect((await shell.rollcall("delivery", "list", "--state", "dead")).text).toBe("No delivery is dead.\n");
  expect((await shell.rollcall("audit", "tail", "--event", "person.")).text).toBe("There are no such events.\n");
});
