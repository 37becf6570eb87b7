import type pg from "pg";
import { createTurns } from "./turns.ts";

/** A statement that only reads; every `$n` in it carries a cast (`$1::uuid`), and its values are plain. */
export interface SharedRead {
  name?: string | undefined;
  text: string;
  values: readonly PlainValue[];
  /** Goes at once where none of its form is on its way: those who come at the same moment share its answer already. */
  atOnce?: true;
}

export type PlainValue = string | number | boolean | Buffer | null;

export function arePlain(values: readonly unknown[]): values is readonly PlainValue[] {
  return values.every((value) => value === null || typeof value !== "object" || Buffer.isBuffer(value));
}

/**
 * Runs reads of one form together, by turns: who asks at one moment goes as one statement, and each sees the database as it is after he
 * asked.
 */
export interface SharedReads {
  query<R extends object>(read: SharedRead): Promise<R[]>;
}

interface Waiting {
  read: SharedRead;
  resolve(rows: object[]): void;
  reject(error: unknown): void;
}

export function createSharedReads(pool: Pick<pg.Pool, "query">): SharedReads {
  // By names, of which there are few.
  const made = new Map<string, string>();
  const manyOf = (name: string, { text, values }: SharedRead): string => {
    const known = made.get(name) ?? manyTimes(text, values.length);
    made.set(name, known);
    return known;
  };

  const alone = async ({ read, resolve, reject }: Waiting): Promise<void> => {
    const { name, text, values } = read;
    try {
      resolve((await pool.query<object>({ text, values: [...values], ...(name === undefined ? {} : { name }) })).rows);
    } catch (error) {
      reject(error);
    }
  };

  const together = async (all: readonly Waiting[]): Promise<void> => {
    const [first] = all;
    if (!first) return;
    if (all.length === 1) return alone(first);
    const { name, text, values } = first.read;
    let rows: (object & { at: number })[];
    try {
      ({ rows } = await pool.query<object & { at: number }>({
        ...(name === undefined ? { text: manyTimes(text, values.length) } : { name: `many-${name}`, text: manyOf(name, first.read) }),
        values: values.map((_, index) => all.map(({ read }) => textOf(read.values[index] ?? null))),
      }));
    } catch {
      // One of them may be to blame: each is answered, or refused, for itself.
      await Promise.all(all.map(alone));
      return;
    }
    const answers: object[][] = all.map(() => []);
    for (const { at, ...row } of rows) answers[at - 1]?.push(row);
    all.forEach(({ resolve }, index) => resolve(answers[index] ?? []));
  };

  const turns = createTurns<Waiting>({ serve: together });
  return {
    query<R extends object>(read: SharedRead): Promise<R[]> {
      return new Promise<object[]>((resolve, reject) => turns.add(read.text, { read, resolve, reject }, read)) as Promise<R[]>;
    },
  };
}

/** The statement for each row of given values, with the row's number as `at`; its own order stands within each. */
function manyTimes(text: string, count: number): string {
  const names = Array.from({ length: count }, (_, index) => `v${index + 1}`);
  const arrays = names.map((_, index) => `$${index + 1}::text[]`);
  const one = text.replace(/\$(\d+)/g, (_, number: string) => `given.v${number}`);
  return `select given.at, one.* from unnest(${arrays.join(", ")}) with ordinality as given (${[...names, "at"].join(", ")}) cross join lateral (${one}) one`;
}

function textOf(value: PlainValue): string | null {
  if (value === null) return null;
  return Buffer.isBuffer(value) ? `\\x${value.toString("hex")}` : String(value);
}
