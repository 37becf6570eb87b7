import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { projectFolder } from "../../src/db/folder.ts";
import { scratchFolder } from "../helpers/scratch-folder.ts";

interface Show {
  exitCode: number;
  /** Standard output, then standard error. */
  text: string;
}

/** The demo as a user runs it, at a small size, in a process of its own. */
function runDemo(folder: string, parameters: readonly string[]): Promise<Show> {
  const main = path.join(projectFolder(), "dist/demo/main.js");
  const environment = { ...process.env, ROLLCALL_DATA: folder, NODE_OPTIONS: "" };
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [main, "--once", "--people", "200", "--port", "0", ...parameters],
      { env: environment },
      (_, stdout, stderr) => {
        resolve({ exitCode: child.exitCode ?? -1, text: stdout + stderr });
      },
    );
  });
}

/** One way through the demo, from the directory to the application. */
function theShow(parameters: readonly string[]): void {
  const folder = scratchFolder("demo");
  let show: Show;

  beforeAll(async () => {
    show = await runDemo(folder, parameters);
  }, 300_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("ends well: everything came as it should", () => {
    expect(show.text).not.toContain("✗");
    expect(show.text).toContain("✓");
    expect(show).toMatchObject({ exitCode: 0 });
  });

  test("M1, M2, M4: who was deleted at the source is deactivated downstream, who was added has an account there", () => {
    expect(show.text).toMatch(/, deleted\n +before +active, .*\n +after +inactive/);
    expect(show.text).toMatch(/, added\n +before +no account\n +after +active/);
  });

  test("M3: a group becomes a role, and a move takes it along", () => {
    expect(show.text).toMatch(/, moved\n +before +active, (?!Security).*\n +after +active, Security, register-advanced-user/);
  });

  test("A5: a grant that ends is taken away downstream without anyone acting", () => {
    expect(show.text).toMatch(/, grant ended\n +before +active, .*register-user\n +after +inactive/);
  });

  test("nobody else's account was touched", () => {
    expect(show.text).toMatch(/✓ the other \d+ accounts were left alone/);
  });
}

describe("the demo, from a real LDAP directory", () => theShow([]));

describe("the demo where no slapd can be installed, from a CSV feed", () => theShow(["--csv"]));
