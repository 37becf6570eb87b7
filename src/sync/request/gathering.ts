import { createTurns } from "../../db/turns.ts";
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
  /** Most items of one statement; 32 when absent. */
  most?: number;
}

interface Waiting<Item, Outcome> {
  item: Item;
  resolve(outcome: Outcome): void;
  reject(error: unknown): void;
}

/**
 * Items that are ready at one moment go together, and those that come meanwhile by turns. When all of them fail because of one, each goes
 * by itself. A connection that is lost while they are written leaves open whether they were: then all of them fail, and none is written twice.
 */
export function createGathering<Item, Outcome>(options: GatheringOptions<Item, Outcome>): Gathering<Item, Outcome> {
  const { formOf, subjectOf, together, turns, most } = options;

  const write = async (all: readonly Waiting<Item, Outcome>[]): Promise<void> => {
    try {
      const outcomes = await together(all.map(({ item }) => item));
      all.forEach(({ resolve }, at) => resolve(outcomes[at] as Outcome));
    } catch (error) {
      if (all.length > 1 && isRolledBack(error)) await Promise.all(all.map((one) => write([one])));
      else for (const { reject } of all) reject(error);
    }
  };

  const writes = createTurns<Waiting<Item, Outcome>>({ serve: write, subjectOf: ({ item }) => subjectOf(item), turns, most });
  return (item) => new Promise((resolve, reject) => writes.add(formOf(item), { item, resolve, reject }));
}
