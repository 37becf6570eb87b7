import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { OWN_PERMISSIONS } from "../../src/access/own-permissions.ts";
import { parseRoleFile } from "../../src/access/role-files.ts";
import { projectFolder } from "../../src/db/folder.ts";

test("the permissions that guard our own doors are those of the shipped file", () => {
  const { permissions } = parseRoleFile(readFileSync(path.join(projectFolder(), "config/roles/rollcall.yaml"), "utf8"), "rollcall.yaml");
  expect([...OWN_PERMISSIONS].sort()).toEqual(permissions.map(({ key }) => key).sort());
});
