import type pg from "pg";

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
 * Runs reads of one form together: while one is on its way, those that come wait, and go as one statement when it is back, or
 * beside it when they are many or it takes long. Whoever asks at one moment goes together; nobody waits for company beyond it, and each sees the database as it is after he asked.
 * Under load one trip serves many, which is most of what a small read costs.
 */
export interface SharedReads {
  query<R extends object>(read: SharedRead): Promise<R[]>;
}

const TURNS = 2;
const MOST_TOGETHER = 32;
/** So many wait for a second turn: what a trip costs by itself is more than what a read does. */
const WORTH_ANOTHER = 16;
/** Nobody waits longer than this for one that is slow, while a turn is free. */
const PATIENCE_MS = 10;

interface Waiting {
  read: SharedRead;
  resolve(rows: object[]): void;
  reject(error: unknown): void;
}

interface Form {
  busy: number;
  waiting: Waiting[];
  /** Begins the turn of those whose requests came in at one moment. */
  soon?: NodeJS.Immediate | undefined;
  /** Ends the patience of those who wait. */
  patience?: NodeJS.Timeout | undefined;
}

export function createSharedReads(pool: Pick<pg.Pool, "query">): SharedReads {
  const forms = new Map<string, Form>();

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
        ...(name === undefined ? {} : { name: `many-${name}` }),
        text: manyTimes(text, values.length),
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

  const go = (key: string, form: Form): void => {
    clearImmediate(form.soon);
    clearTimeout(form.patience);
    form.soon = undefined;
    form.patience = undefined;
    const all = form.waiting.splice(0, MOST_TOGETHER);
    if (all.length === 0) {
      if (form.busy === 0) forms.delete(key);
      return;
    }
    form.busy += 1;
    void together(all).finally(() => {
      form.busy -= 1;
      go(key, form);
    });
  };

  return {
    query<R extends object>(read: SharedRead): Promise<R[]> {
      const form: Form = forms.get(read.text) ?? { busy: 0, waiting: [] };
      forms.set(read.text, form);
      return new Promise<object[]>((resolve, reject) => {
        form.waiting.push({ read, resolve, reject });
        if (form.busy === 0 && read.atOnce) go(read.text, form);
        else if (form.busy === 0) form.soon ??= setImmediate(go, read.text, form);
        else if (form.busy < TURNS && form.waiting.length >= WORTH_ANOTHER) go(read.text, form);
        else if (form.busy < TURNS) form.patience ??= setTimeout(go, PATIENCE_MS, read.text, form);
      }) as Promise<R[]>;
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
