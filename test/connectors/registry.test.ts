import { readdirSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { connectors } from "../../connectors/registry.ts";

test("every connector folder is registered, and everything registered has its folder", () => {
  const folders = readdirSync(new URL("../../connectors", import.meta.url), { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && entry.name !== "kit",
  );
  expect(Object.keys(connectors).sort()).toEqual(folders.map((folder) => folder.name).sort());
});

test("a connector is registered under its own name, can do something, and refuses settings that it does not know", () => {
  for (const [name, connector] of Object.entries(connectors)) {
    expect(connector.name).toBe(name);
    expect(connector.title).not.toBe("");
    expect(connector.settings.safeParse({ noSuchSetting: true }).success).toBe(false);
    // Whoever keeps secrets says where they are sent.
    expect((connector.destinations ?? []).length > 0).toBe(connector.secretFields.length > 0);
  }
});
