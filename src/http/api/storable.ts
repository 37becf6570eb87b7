import { AppError } from "../../errors.ts";

/** Deeper than anything that this API takes, and far from what a recursion can bear. */
const MOST_LEVELS = 64;
/** U+0000, and half of a surrogate pair: PostgreSQL has no word for them. */
const UNSTORABLE = /[\p{Cs}\0]/u;

/** Refuses a JSON body that is nested too deep or holds text that nobody can keep, before anything walks it. Throws `invalid` naming the field. */
export function refuseUnstorable(body: unknown): void {
  const left: { value: unknown; at: readonly string[] }[] = [{ value: body, at: [] }];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { value, at } = next;
    if (typeof value === "string") {
      if (UNSTORABLE.test(value)) throw refused(at, "holds a character that can't be kept (U+0000, or half of a surrogate pair)");
    } else if (typeof value === "object" && value !== null && !Buffer.isBuffer(value)) {
      if (at.length >= MOST_LEVELS) throw refused(at.slice(0, 3), `is nested deeper than ${MOST_LEVELS} levels`);
      for (const [key, each] of Object.entries(value)) {
        if (UNSTORABLE.test(key)) throw refused(at, "has a name with a character that can't be kept");
        left.push({ value: each, at: [...at, key] });
      }
    }
  }
}

function refused(at: readonly string[], message: string): AppError {
  const field = at.join(".") || "body";
  return new AppError("invalid", `${field}: ${message}.`, { field, problems: [{ field, message }] });
}
