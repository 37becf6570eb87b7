import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, test } from "@jest/globals";
import type { Dialect } from "../../../connectors/scim-inbound/config.ts";
import { clientOf } from "./dialects/client.ts";
import { replay, type DialectCase, type Sender } from "./dialects/replay.ts";
import { openDoor, type Door } from "./door.ts";

const read = (path: string) => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")) as DialectCase[];

const cases = [
  ...read("./dialects.json"),
  ...readdirSync(new URL("./dialects/requests", import.meta.url)).flatMap((file) => read(`./dialects/requests/${file}`)),
];

/** Whose profile each client's administrator would choose. */
const DIALECTS: readonly (readonly [RegExp, Dialect])[] = [
  [/^Entra/, "entra"],
  [/^Okta/, "okta"],
  [/^Google/, "google"],
  [/^OneLogin/, "onelogin"],
  [/^JumpCloud/, "jumpcloud"],
  [/^Ping/, "ping"],
  [/^SAP/, "sap"],
];
const dialectOf = (idp: string) => DIALECTS.find(([pattern]) => pattern.test(idp))?.[1] ?? "generic";

/** Of clients that nobody has described, and of one for each profile. */
const tokens = new Map<Dialect | "auto", string>();
let door: Door;
beforeAll(async () => {
  door = await openDoor();
  for (const dialect of ["auto", ...DIALECTS.map(([, name]) => name)] as const)
    tokens.set(dialect, (await clientOf(door, { name: dialect, settings: { dialect } })).token);
});
afterAll(() => door.close());

describe("M1: requests as IdPs send them", () => {
  const titled = (chosen: readonly DialectCase[]) => chosen.map((one) => [one.id, one.title, one] as const);
  test.each(titled(cases.filter(({ profileOnly }) => !profileOnly)))("M1 %s: %s", (_id, _title, one) => replay(one, as("auto")));
  test.each(titled(cases.filter((one) => dialectOf(one.idp) !== "generic" && bends(one))))(
    "B10 %s, by its profile: %s",
    (_id, _title, one) => replay(one, as(dialectOf(one.idp))),
  );
});

/** Whether a profile has a say in it: bodies and filters are bent, nothing else. */
function bends({ setup, request: { body, path } }: DialectCase): boolean {
  return body !== undefined || path.includes("filter=") || setup.some((step) => typeof step !== "string" && step.method === "PATCH");
}

function as(dialect: Dialect | "auto"): Sender {
  const token = tokens.get(dialect);
  if (!token) throw new Error(`there is no client of the profile ${dialect}`);
  return { door, token };
}
