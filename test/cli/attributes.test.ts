import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { runCommandLine } from "../../src/cli/program.ts";
import { testDatabase, type TestDatabase } from "../helpers/database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

async function rollcall(...line: string[]): Promise<{ code: number; out: string; error: string }> {
  let out = "";
  let error = "";
  const code = await runCommandLine({
    arguments: line,
    environment: { DATABASE_URL: db.url },
    terminal: { write: (text) => void (out += text), writeError: (text) => void (error += text), watched: false },
    version: "0",
    startServer: () => Promise.reject(new Error("no server is started here")),
  });
  return { code, out, error };
}

describe("P2: attributes of the organisation's own, by command", () => {
  test("are added, listed and removed", async () => {
    expect(await rollcall("attribute", "add", "shirt", "--type", "choice", "--choices", "Small", "Large", "--required")).toMatchObject({
      code: 0,
    });
    const { out } = await rollcall("attribute", "list", "--json");
    expect(JSON.parse(out)).toEqual([
      expect.objectContaining({ key: "shirt", type: "choice", required: true, multiple: false, choices: ["Small", "Large"] }),
    ]);
    expect((await rollcall("attribute", "list")).out).toContain("Small, Large");
    expect((await rollcall("attribute", "remove", "Shirt")).code).toBe(0);
    expect(JSON.parse((await rollcall("attribute", "list", "--json")).out)).toEqual([]);
  });

  test("what can't be one is refused by name", async () => {
    const refused = await rollcall("attribute", "add", "1st", "--type", "string");
    expect([refused.code === 0, refused.error]).toEqual([false, expect.stringContaining("key")]);
    expect((await rollcall("attribute", "remove", "nothing")).code).not.toBe(0);
  });
});
