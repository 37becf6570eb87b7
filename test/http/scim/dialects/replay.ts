import { randomBytes } from "node:crypto";
import { expect } from "@jest/globals";
import type { Door } from "../door.ts";
import { ENTERPRISE, GROUP, USER } from "./client.ts";

/** A request as an identity provider really sends it, and what it needs to hear; `source` says where it was seen. */
export interface DialectCase {
  id: string;
  idp: string;
  title: string;
  /** What is there before: a request, `person u` or `group g u w` (a group with those members). */
  setup: (Step | string)[];
  request: Step & { auth?: "none" };
  expect: Expectation & { then?: (Step & Expectation)[] };
  source: string;
  /** Understood of a client whose profile was chosen, and of nobody else. */
  profileOnly?: boolean;
}
interface Step {
  method: string;
  path: string;
  body?: unknown;
  /** The body as it goes over the wire, where its letters matter. */
  text?: string;
  headers?: Record<string, string>;
  save?: string;
  /** The query goes out as it is written, not encoded. */
  raw?: boolean;
}
interface Expectation {
  status: number[];
  /** Of the answer's headers, by a pattern. */
  headers?: Record<string, string>;
  json?: [string | string[], string, unknown?][];
}

/** Whose requests they are. */
export interface Sender {
  door: Door;
  token: string;
}

/** Carries one case out against a door. Throws with the answer when it is another than the provider needs. */
export async function replay(one: DialectCase, sender: Sender): Promise<void> {
  const { fill, saved } = filler();
  for (const given of one.setup) {
    const step = fill(typeof given === "string" ? ready(given) : given);
    const answer = await send(sender, step);
    if (answer.status >= 300) throw new Error(`${step.method} ${step.path}: ${answer.text}`);
    if (step.save) saved[step.save] = answer.body;
  }
  met(await send(sender, fill(one.request)), fill(one.expect));
  for (const step of one.expect.then ?? []) met(await send(sender, fill(step)), fill(step));
}

/** Whoever a case needs to be there, without a word about how. */
function ready(given: string): Step {
  const [kind, name = "", ...members] = given.split(" ");
  if (kind === "group")
    return {
      method: "POST",
      path: "/Groups",
      save: name,
      body: { schemas: [GROUP], displayName: `${name} {{r}}`, members: members.map((member) => ({ value: `{{${member}.id}}` })) },
    };
  return {
    method: "POST",
    path: "/Users",
    save: name,
    body: {
      schemas: [USER, ENTERPRISE],
      userName: `${name}{{r}}@example.com`,
      externalId: `${name}-{{r}}`,
      name: { givenName: "Before", familyName: "Before" },
      displayName: "Before",
      title: "Before",
      emails: [{ value: `${name}{{r}}@example.com`, type: "work", primary: true }],
      active: true,
      [ENTERPRISE]: { department: "Before", employeeNumber: `${name}{{r}}` },
    },
  };
}

/** Fills {{r}} (random), {{R}} (the same in upper case), {{name.path}} of what was saved, and {{NAME.path}} of it in upper case. */
function filler() {
  const r = randomBytes(4).toString("hex");
  const saved: Record<string, unknown> = {};
  const named = (name: string): string => {
    if (name === "r") return r;
    if (name === "R") return r.toUpperCase();
    const [first = "", ...path] = name.split(".");
    const held = String(at(saved, [first.toLowerCase(), ...path]));
    return first === first.toLowerCase() ? held : held.toUpperCase();
  };
  const fill = <T>(value: T): T =>
    JSON.parse(JSON.stringify(value).replace(/\{\{([^}]+)\}\}/g, (_, name: string) => JSON.stringify(named(name)).slice(1, -1))) as T;
  return { fill, saved };
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (held, key) => (typeof held === "object" && held !== null ? (held as Record<string, unknown>)[key] : undefined),
    value,
  );
}

function met(answer: Awaited<ReturnType<typeof send>>, { status, headers = {}, json = [] }: Expectation): void {
  if (!status.includes(answer.status)) throw new Error(`${answer.status} instead of ${status.join(" or ")}: ${answer.text}`);
  for (const [name, pattern] of Object.entries(headers)) expect(answer.headers[name.toLowerCase()]).toMatch(new RegExp(pattern));
  for (const check of json) meets(answer.body, check);
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

function send({ door, token }: Sender, step: Step & { auth?: string }) {
  const call = door.request(step.method, step.raw ? step.path : encoded(step.path), {
    ...(step.body === undefined ? {} : { body: step.body }),
    token: step.auth === "none" ? null : token,
    ...(step.headers ? { headers: step.headers } : {}),
  });
  return step.text === undefined ? call : call.send(step.text);
}

/** Encodes what follows the question mark, keeping the plus signs that stand for spaces. */
function encoded(given: string): string {
  const [path, query] = given.split(/\?(.*)/s);
  if (query === undefined) return given;
  const piece = (text = "") => encodeURIComponent(text).replaceAll("%2B", "+");
  const pairs = query.split("&").map((pair) => pair.split(/=(.*)/s).slice(0, 2).map(piece).join("="));
  return `${path}?${pairs.join("&")}`;
}
