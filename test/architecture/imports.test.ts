import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { projectFolder } from "../../src/db/folder.ts";

function check(folder: string): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(projectFolder(), "scripts/check-imports.mjs"), folder], {
    encoding: "utf8",
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  return { status, output: stdout + stderr };
}

describe("imports point one way", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-imports-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  let houses = 0;
  function house(files: Record<string, string>): string {
    const root = path.join(folder, String(++houses));
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
      writeFileSync(path.join(root, name), text);
    }
    return root;
  }

  test("in this project", () => {
    expect(check(projectFolder())).toEqual({ status: 0, output: "Imports point one way.\n" });
  });

  test.each([
    ["upwards", "src/db/pool.ts", 'import { run } from "../sync/run.ts";', "imports point downwards"],
    [
      "upwards over several lines",
      "src/access/grants.ts",
      'import {\n  run,\n} from "../provision/deliver.ts";',
      "imports point downwards",
    ],
    ["upwards by re-export", "src/audit/record.ts", 'export { run } from "../access/roles.ts";', "imports point downwards"],
    [
      "upwards when asked for later",
      "src/directory/people.ts",
      'const run = await import("../http/scim/router.ts");',
      "imports point downwards",
    ],
    ["beside", "src/sync/run.ts", 'import { deliver } from "../provision/deliver.ts";', "rooms of one floor"],
    ["from door to door", "src/http/scim/users.ts", 'import { people } from "../api/people.ts";', "doors never import each other"],
    ["main", "src/cli/start.ts", 'import { main } from "../main.ts";', "imported by nothing"],
    ["a connector's inside", "src/sync/pull.ts", 'import { read } from "../../connectors/ldap/read.ts";', "only the contract is known"],
    [
      "the registry from elsewhere",
      "src/sync/pull.ts",
      'import { connectors } from "../../connectors/registry.ts";',
      "only the contract is known",
    ],
    ["src from a connector", "connectors/ldap/read.ts", 'import type { Context } from "../../src/context.ts";', "never imports src/"],
    ["a connector from another", "connectors/ldap/read.ts", 'import { http } from "../scim/client.ts";', "don't import each other"],
    ["tests", "src/db/pool.ts", 'import { fake } from "../../test/helpers/fake.ts";', "knows nothing of tests"],
    ["what has no floor", "src/helpers/things.ts", 'import { run } from "../db/pool.ts";', "has no floor"],
  ])("a violation is caught: %s", (_, file, text, complaint) => {
    const { status, output } = check(house({ [file]: text }));
    expect({ status, output }).toEqual({ status: 1, output: expect.stringContaining(complaint) });
    expect(output).toContain(file);
  });

  test.each([
    ["downwards", "src/sync/run.ts", 'import { pool } from "../db/pool.ts";'],
    ["types from above", "src/db/pool.ts", 'import type { Run } from "../sync/run.ts";'],
    ["the registry from src/connections", "src/connections/open.ts", 'import { connectors } from "../../connectors/registry.ts";'],
    ["the kit from a connector", "connectors/ldap/read.ts", 'import { retry } from "../kit/retry.ts";'],
  ])("no violation: %s", (_, file, text) => {
    expect(check(house({ [file]: text })).status).toBe(0);
  });
});
