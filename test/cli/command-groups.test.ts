import { expect, test } from "@jest/globals";
import { Command } from "commander";
import { COMMAND_GROUPS, loadCommands } from "../../src/cli/command-groups.ts";
import { createShell } from "../../src/cli/shell.ts";

const silent = { write: () => undefined, writeError: () => undefined, watched: false };
const shell = createShell({ environment: {}, terminal: silent, json: () => false, setExitCode: () => undefined });

/** The commands that a line has at hand in a group. */
async function atHand(group: (typeof COMMAND_GROUPS)[number], line: readonly string[]): Promise<string[]> {
  const command = new Command(group.name);
  for (const add of await loadCommands(group, line)) add(command, shell);
  return command.commands.map((each) => each.name());
}

test.each(COMMAND_GROUPS.map((group) => [group.name, group] as const))(
  "%s: each command goes by the word that loads it",
  async (name, group) => {
    const words = Object.keys(group.commands);
    expect(await atHand(group, [name, "--help"])).toEqual(words);
    for (const word of words) expect(await atHand(group, [name, word, "corp"])).toEqual([word]);
  },
);

test("a name that is another command's word stands in nobody's way", async () => {
  const connection = COMMAND_GROUPS.find(({ name }) => name === "connection");
  expect(connection && (await atHand(connection, ["connection", "show", "list"]))).toEqual(["list", "show"]);
});
