/** Which statements deserve a name. */
export interface StatementNames {
  /** The statement's name, or undefined for one that has come too seldom, or too late. */
  nameOf(text: string): string | undefined;
}

/** Each named statement is kept by every connection of the pool, a plan of some ten thousand bytes. */
const MOST_NAMES = 150;
const MOST_REMEMBERED = 2000;
const NAMED_FROM = 3;
/** A longer one is a client's long list of conditions: its plan is large, and it hardly comes again. */
const LONGEST_NAMED = 20_000;

/** Names the statements that clients really repeat: a client that makes up ever new filters must not fill the server's memory. */
export function createStatementNames(): StatementNames {
  const named = new Map<string, string>();
  let seen = new Map<string, number>();
  return {
    nameOf(text) {
      if (text.length > LONGEST_NAMED) return undefined;
      const known = named.get(text);
      if (known !== undefined || named.size >= MOST_NAMES) return known;
      const times = (seen.get(text) ?? 0) + 1;
      if (times < NAMED_FROM) {
        if (seen.size >= MOST_REMEMBERED) seen = new Map();
        seen.set(text, times);
        return undefined;
      }
      seen.delete(text);
      const name = `shape-${named.size}`;
      named.set(text, name);
      return name;
    },
  };
}
