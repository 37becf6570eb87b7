import { isStorable } from "../../../connectors/kit/storable-text.ts";
import { AppError } from "../../errors.ts";

/** Deeper than anything that this API takes, and far from what a recursion can bear. */
const MOST_LEVELS = 64;

/** Refuses a JSON body that is nested too deep, before anything walks it. Throws `invalid` naming the field. */
export function refuseTooDeep(body: unknown): void {
  let level = [body].filter(isNested);
  for (let depth = 0; level.length > 0 && depth < MOST_LEVELS; depth += 1)
    level = level.flatMap((value) => Object.values(value)).filter(isNested);
  if (level.length === 0) return;
  for (const { value, at } of everything(body))
    if (typeof value === "object" && value !== null && at.length >= MOST_LEVELS)
      throw refused(at.slice(0, 3), `is nested deeper than ${MOST_LEVELS} levels`);
}

/** Refuses text that nobody can keep, which a schema may have let through. The body is not too deep. Throws `invalid` naming the field. */
export function refuseUnstorable(body: unknown): void {
  if (!holdsUnstorable(body)) return;
  for (const { value, at } of everything(body)) {
    if (!isStorable(at.at(-1) ?? "")) throw refused(at.slice(0, -1), "has a name with a character that can't be kept");
    if (typeof value === "string" && !isStorable(value))
      throw refused(at, "holds a character that can't be kept (U+0000, or half of a surrogate pair)");
  }
}

function isNested(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Buffer.isBuffer(value);
}

/** Hardly any body holds such text: places are worked out for the one that does. */
function holdsUnstorable(body: unknown): boolean {
  for (let level: unknown[] = [body]; level.length > 0; level = level.filter(isNested).flatMap(within))
    if (level.some((value) => typeof value === "string" && !isStorable(value))) return true;
  return false;
}

/** Names too. */
function within(value: object): unknown[] {
  return Array.isArray(value) ? value : Object.entries(value).flat();
}

/** Every value in a body with its place, without recursion. */
function* everything(body: unknown): Generator<{ value: unknown; at: readonly string[] }> {
  const left: { value: unknown; at: readonly string[] }[] = [{ value: body, at: [] }];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    yield next;
    const { value, at } = next;
    if (!isNested(value)) continue;
    for (const [key, each] of Object.entries(value)) left.push({ value: each, at: [...at, key] });
  }
}

function refused(at: readonly string[], message: string): AppError {
  const field = at.join(".") || "body";
  return new AppError("invalid", `${field}: ${message}.`, { field, problems: [{ field, message }] });
}
