import type { Directory } from "./directory.ts";

/** A request before it is written down. */
export interface Sent {
  method: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  /** Below the SCIM base. */
  path: string;
  body?: unknown;
}

/** A server, filled with the directory. */
export interface Target {
  directory: Directory;
  /** Ids by the number of the person or group. */
  users: readonly string[];
  groups: readonly string[];
  /** A moment at which everybody had been loaded; `changed` people were changed after it. */
  since: string;
  changed: number;
  /** Asks once and wants a status of 2xx; JSON, or undefined for an empty answer. */
  ask(sent: Sent): Promise<unknown>;
}

/** One thing that is asked again and again. */
export interface Operation {
  key: string;
  title: string;
  /** Turns: an operation that undoes itself has two, timed apart. */
  turns: readonly string[];
  /** Concurrency at which it makes sense: changes of one group are made one after the other. */
  concurrency: readonly number[];
  /** Asked of no peer: it would take too long there to tell anything. */
  oursOnly?: boolean;
  /** Walks to where the requests begin; answers false where the server can't do it. */
  prepare?(target: Target): Promise<boolean>;
  /** The request with this number, from 0, without gaps; the turn is what is left when it is divided by their number. */
  request(target: Target, number: number): Sent;
  /** Throws when the answer is not what the directory says. `body` is undefined for an empty one. */
  check(target: Target, number: number, answer: { status: number; body: unknown }): void;
  /** Looks afterwards whether what was written with numbers below this one is there. */
  verify?(target: Target, asked: number): Promise<void>;
}

/** Everybody, in an order that has nothing to do with how they are stored. */
export function somebody({ directory }: Target, number: number): number {
  const people = directory.people - directory.batch;
  return (number * 48_271 + 11) % people;
}

/** Names the field that is wrong, so that a failed check explains itself. */
export function expectEqual(what: string, actual: unknown, wanted: unknown): void {
  if (actual !== wanted) throw new Error(`${what} is ${JSON.stringify(actual)?.slice(0, 300)}, not ${JSON.stringify(wanted)}.`);
}

export function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error(`The answer is no JSON object: ${JSON.stringify(value)?.slice(0, 300)}`);
  return value as Readonly<Record<string, unknown>>;
}
