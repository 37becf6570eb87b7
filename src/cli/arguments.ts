import { InvalidArgumentError } from "commander";
import { AppError } from "../errors.ts";

/** In decimal digits: Number() takes 0x10 and 1e3, too. */
const DIGITS = /^\d+$/;

/** An option's value as a whole number, at least 1. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!DIGITS.test(text) || !Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError("It must be a whole number, at least 1.");
  return value;
}

/** An option's value as a whole number, or nought. */
export function count(text: string): number {
  const value = Number(text);
  if (!DIGITS.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError("It must be a whole number, or 0.");
  return value;
}

/** An id that the command line shows as a number. Throws `invalid`, naming the argument. */
export function idNumber(text: string, argument: string): number {
  const value = Number(text);
  if (!DIGITS.test(text) || !Number.isSafeInteger(value) || value < 1)
    throw new AppError("invalid", `${argument}: "${text}" is not an id; ids are whole numbers.`, { field: argument });
  return value;
}

/** What something is called by, within the bounds that the API has. */
export function nameOnALine(text: string): string {
  if (/\p{Cc}/u.test(text) || text.length > 100)
    throw new InvalidArgumentError("It must be a name of at most 100 characters, on one line.");
  return text;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** An id that is a UUID. Throws `invalid`, naming the argument. */
export function uuidArgument(text: string, argument: string): string {
  if (!UUID.test(text)) throw new AppError("invalid", `${argument}: "${text}" is not an id; ids are UUIDs.`, { field: argument });
  return text.toLowerCase();
}
