import { readFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Dialect } from "../../../connectors/scim-inbound/config.ts";
import { openDoor, type Door } from "./door.ts";

/** Requests as IdPs really send them, and what each expects back; `source` says where each was seen. */
interface DialectCase {
  id: string;
  idp: string;
  title: string;
  setup: Step[];
  request: Step & { auth?: "none"; raw?: boolean };
  expect: Expectation & { then?: (Step & Expectation)[] };
}
interface Step {
  method: string;
  path: string;
  body?: unknown;
  save?: string;
}
interface Expectation {
  status: number[];
  json?: [string | string[], string, unknown?][];
}

const cases = JSON.parse(readFileSync(new URL("./dialects.json", import.meta.url), "utf8")) as DialectCase[];

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

/** One door for clients that nobody has described, and one for each profile. */
const doors = new Map<Dialect | "auto", Door>();
beforeAll(async () => {
  for (const dialect of ["auto", ...new Set(cases.map(({ idp }) => dialectOf(idp)))] as const) {
    const door = await openDoor();
    await door.db.pool.query("update connections set settings = jsonb_build_object('dialect', $1::text) where name = 'scim'", [dialect]);
    doors.set(dialect, door);
  }
});
afterAll(() => Promise.all([...doors.values()].map((door) => door.close())));

/** Fills {{r}} (random), {{R}} (the same in upper case) and {{name.path}} of what was saved. */
function filler() {
  const r = randomBytes(4).toString("hex");
  const saved: Record<string, unknown> = {};
  const fill = <T>(value: T): T =>
    JSON.parse(
      JSON.stringify(value).replace(/\{\{([^}]+)\}\}/g, (_, name: string) =>
        name === "r" ? r : name === "R" ? r.toUpperCase() : String(at(saved, name.split("."))),
      ),
    ) as T;
  return { fill, saved };
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (held, key) => (typeof held === "object" && held !== null ? (held as Record<string, unknown>)[key] : undefined),
    value,
  );
}

function meets(body: unknown, [path, check, wanted]: [string | string[], string, unknown?]): void {
  const value = at(body, Array.isArray(path) ? path : path.split("."));
  switch (check) {
    case "eq":
      return expect(value).toEqual(wanted);
    case "has":
      return expect(value).toContain(wanted);
    case "len":
      return expect(value).toHaveLength(wanted as number);
    case "absent":
      return expect(value).toBeUndefined();
    case "some":
      return expect(value).toContainEqual(expect.objectContaining(wanted as object));
    case "emptyOrAbsent":
      return expect(value ?? []).toHaveLength(0);
    case "number":
      return expect(typeof value).toBe("number");
    case "string":
      return expect(typeof value).toBe("string");
    case "gte":
      return expect(value).toBeGreaterThanOrEqual(wanted as number);
    case "in":
      return expect(wanted).toContainEqual(value ?? null);
    default:
      throw new Error(`unknown check ${check}`);
  }
}

function send(door: Door, step: Step & { auth?: string; raw?: boolean }) {
  const [path, query] = step.path.split(/\?(.*)/s);
  const url =
    query === undefined || step.raw
      ? step.path
      : `${path}?${query
          .split("&")
          .map((part) =>
            part
              .split(/=(.*)/s)
              .map((piece) => encodeURIComponent(piece ?? "").replaceAll("%2B", "+"))
              .slice(0, 2)
              .join("="),
          )
          .join("&")}`;
  return door.request(step.method, url, {
    ...(step.body === undefined ? {} : { body: step.body }),
    ...(step.auth === "none" ? { token: null } : {}),
  });
}

describe("M1: requests as IdPs send them", () => {
  const titled = cases.map((one) => [one.id, one.title, one] as const);
  test.each(titled)("M1 %s: %s", (_id, _title, one) => carriedOut(one, "auto"));
  test.each(titled)("B10 %s, by its profile: %s", (_id, _title, one) => carriedOut(one, dialectOf(one.idp)));
});

async function carriedOut(one: DialectCase, dialect: Dialect | "auto"): Promise<void> {
  const door = doors.get(dialect);
  if (!door) throw new Error(`there is no door for ${dialect}`);
  const call = (step: Parameters<typeof send>[1]) => send(door, step);
  const { fill, saved } = filler();
  for (const step of one.setup) {
    const answer = await call(fill(step));
    if (answer.status >= 300) throw new Error(`${step.method} ${step.path}: ${answer.text}`);
    if (step.save) saved[step.save] = answer.body;
  }
  const answer = await call(fill(one.request));
  if (!one.expect.status.includes(answer.status)) throw new Error(`${answer.status}: ${answer.text}`);
  for (const check of fill(one.expect.json ?? [])) meets(answer.body, check);
  for (const step of one.expect.then ?? []) {
    const after = await call(fill(step));
    expect(step.status).toContain(after.status);
    for (const check of fill(step.json ?? [])) meets(after.body, check);
  }
}
