/** Items of one form, served together by turns. */
export interface Turns<Item> {
  /** Takes an item in. `atOnce`: it goes now where none of its form is on its way, without those who come at the same moment. */
  add(form: string, item: Item, options?: { atOnce?: boolean | undefined }): void;
}

export interface TurnsOptions<Item> {
  /** Serves these, and settles what each waits for. Must not throw. */
  serve(items: readonly Item[]): Promise<void>;
  /** Two of one subject are not served at one time. */
  subjectOf?: (item: Item) => string;
  /** Most turns of one form at a time; 2 when absent. */
  turns?: number | undefined;
  /** Most items of one turn; 32 when absent. */
  most?: number | undefined;
}

const TURNS = 2;
const MOST = 32;
/** So many wait for a second turn: what a trip costs by itself is more than what an item does. */
const WORTH_ANOTHER = 16;
/** Fewer are not kept apart: what a trip costs by itself would be more than they do. */
const WORTH_A_TURN = 8;
/** Nobody waits longer than this for a turn that is held up, while another is free. */
const PATIENCE_MS = 10;

interface Form<Item> {
  busy: number;
  /** Items that are being served. */
  underway: number;
  /** Of those who are being served. */
  subjects: Set<string>;
  waiting: Item[];
  /** Begins the turn of those who are ready at one moment. */
  soon?: NodeJS.Immediate | undefined;
  /** Ends the patience of those who wait. */
  patience?: NodeJS.Timeout | undefined;
}

/**
 * Items that are ready at one moment go together. While a turn of their form is on its way, those that come wait, and go as one when it is
 * through, or beside it when they are many or it takes long. Nobody waits for company beyond that. Under load one trip serves many,
 * which is most of what a small one costs; but no more than half of those who are around, so that the others are answered, and ask again,
 * meanwhile: all of them at once would keep the database and the process waiting for each other in turn.
 */
export function createTurns<Item>({ serve, subjectOf, turns = TURNS, most = MOST }: TurnsOptions<Item>): Turns<Item> {
  const forms = new Map<string, Form<Item>>();

  /** `through`: so many have just been served, and are likely to come again. */
  const go = (key: string, form: Form<Item>, through = 0): void => {
    clearImmediate(form.soon);
    clearTimeout(form.patience);
    form.soon = undefined;
    form.patience = undefined;
    const around = through + form.underway + form.waiting.length;
    const half = Math.min(most, Math.max(WORTH_A_TURN, Math.ceil(around / 2)));
    const items = subjectOf ? takeApart(form, { most: half, subjectOf }) : form.waiting.splice(0, half);
    if (items.length === 0) return;
    form.busy += 1;
    form.underway += items.length;
    void serve(items).finally(() => {
      form.busy -= 1;
      form.underway -= items.length;
      if (subjectOf) for (const item of items) form.subjects.delete(subjectOf(item));
      if (form.waiting.length === 0 && form.busy === 0) forms.delete(key);
      else if (form.busy === 0) go(key, form, items.length);
      else goBeside(key, form);
    });
  };

  const goBeside = (key: string, form: Form<Item>): void => {
    if (form.waiting.length === 0 || form.busy >= turns) return;
    if (form.waiting.length >= WORTH_ANOTHER) go(key, form);
    else form.patience ??= setTimeout(() => go(key, form), PATIENCE_MS);
  };

  return {
    add(key, item, { atOnce } = {}) {
      const form = forms.get(key) ?? { busy: 0, underway: 0, subjects: new Set<string>(), waiting: [] };
      forms.set(key, form);
      form.waiting.push(item);
      if (form.busy > 0) goBeside(key, form);
      else if (atOnce) go(key, form);
      else form.soon ??= setImmediate(() => go(key, form));
    },
  };
}

/** Those that go next, first come first; who is of a subject that is being served stays for later. */
function takeApart<Item>(form: Form<Item>, { most, subjectOf }: { most: number; subjectOf: (item: Item) => string }): Item[] {
  const next: Item[] = [];
  form.waiting = form.waiting.filter((item) => {
    const subject = subjectOf(item);
    if (next.length === most || form.subjects.has(subject)) return true;
    form.subjects.add(subject);
    next.push(item);
    return false;
  });
  return next;
}
