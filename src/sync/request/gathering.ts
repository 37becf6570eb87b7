import { isRolledBack } from "./contention.ts";

/** Writes an item together with others of its form that are ready at the same moment; its own outcome, once all is committed. */
export type Gathering<Item, Outcome> = (item: Item) => Promise<Outcome>;

export interface GatheringOptions<Item, Outcome> {
  /** Items of one form are written by the same statement. */
  formOf(item: Item): string;
  /** What an item changes: two that change the same don't meet in a statement. */
  subjectOf(item: Item): string;
  /** Writes all of these, in one transaction; their outcomes, in their order. Throws when nothing was written. */
  together(items: readonly Item[]): Promise<readonly Outcome[]>;
  /** Most statements of one form at a time; 2 when absent. */
  turns?: number;
  /** Most items of one statement. */
  most?: number;
}

const TURNS = 2;
const MOST = 32;
/** So many wait for a second turn: what a statement costs by itself is more than what an item does. */
const WORTH_ANOTHER = 16;
/** Nobody waits longer than this for a statement that is held up, while a turn is free. */
const PATIENCE_MS = 10;

interface Waiting<Item, Outcome> {
  item: Item;
  subject: string;
  resolve(outcome: Outcome): void;
  reject(error: unknown): void;
}

interface Form<Item, Outcome> {
  busy: number;
  /** What is being changed. */
  subjects: Set<string>;
  waiting: Waiting<Item, Outcome>[];
  /** Begins the turn of those that are ready at one moment. */
  soon?: NodeJS.Immediate | undefined;
  /** Ends the patience of those that wait. */
  patience?: NodeJS.Timeout | undefined;
}

/**
 * Items that are ready at one moment go together. While a statement of a form is on its way, those that come wait, and go as one when it
 * is through, or beside it when they are many or it takes long. Nobody waits for company beyond that. When all of them fail because of one, each goes by
 * itself. A connection that is lost while they are written leaves open whether they were: then all of them fail, and none is written twice.
 */
export function createGathering<Item, Outcome>(options: GatheringOptions<Item, Outcome>): Gathering<Item, Outcome> {
  const { formOf, subjectOf, together, turns = TURNS, most = MOST } = options;
  const forms = new Map<string, Form<Item, Outcome>>();

  const write = async (all: readonly Waiting<Item, Outcome>[]): Promise<void> => {
    try {
      const outcomes = await together(all.map(({ item }) => item));
      all.forEach(({ resolve }, at) => resolve(outcomes[at] as Outcome));
    } catch (error) {
      if (all.length > 1 && isRolledBack(error)) await Promise.all(all.map((one) => write([one])));
      else for (const { reject } of all) reject(error);
    }
  };

  const go = (key: string, form: Form<Item, Outcome>): void => {
    clearImmediate(form.soon);
    clearTimeout(form.patience);
    form.soon = undefined;
    form.patience = undefined;
    const all = taken(form, most);
    if (all.length === 0) return;
    form.busy += 1;
    for (const { subject } of all) form.subjects.add(subject);
    void write(all).finally(() => {
      form.busy -= 1;
      for (const { subject } of all) form.subjects.delete(subject);
      if (form.waiting.length === 0 && form.busy === 0) forms.delete(key);
      else if (form.busy === 0) go(key, form);
      else goBeside(key, form);
    });
  };

  const goBeside = (key: string, form: Form<Item, Outcome>): void => {
    if (form.waiting.length === 0 || form.busy >= turns) return;
    if (form.waiting.length >= WORTH_ANOTHER) go(key, form);
    else form.patience ??= setTimeout(go, PATIENCE_MS, key, form);
  };

  return (item) => {
    const key = formOf(item);
    const form = forms.get(key) ?? { busy: 0, subjects: new Set<string>(), waiting: [] };
    forms.set(key, form);
    return new Promise<Outcome>((resolve, reject) => {
      form.waiting.push({ item, subject: subjectOf(item), resolve, reject });
      if (form.busy === 0) form.soon ??= setImmediate(go, key, form);
      else goBeside(key, form);
    });
  };
}

/** Those that go next, first come first; who changes what is being changed stays for later. */
function taken<Item, Outcome>(form: Form<Item, Outcome>, most: number): Waiting<Item, Outcome>[] {
  const subjects = new Set(form.subjects);
  const next: Waiting<Item, Outcome>[] = [];
  form.waiting = form.waiting.filter((one) => {
    if (next.length === most || subjects.has(one.subject)) return true;
    subjects.add(one.subject);
    next.push(one);
    return false;
  });
  return next;
}
