import { InvalidArgumentError } from "commander";
import { AppError } from "../errors.ts";

/** An option's value as a whole number, at least 1. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("It must be a whole number, at least 1.");
  return value;
}

/** An option's value as a whole number, or nought. */
export function count(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError("It must be a whole number, or 0.");
  return value;
}

/** An id that the command line shows as a number. Throws `invalid`, naming the argument. */
export function idNumber(text: string, argument: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new AppError("invalid", `${argument}: "${text}" is not an id; ids are whole numbers.`, { field: argument });
  return value;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** An id that is a UUID. Throws `invalid`, naming the argument. */
export function uuidArgument(text: string, argument: string): string {
  if (!UUID.test(text)) throw new AppError("invalid", `${argument}: "${text}" is not an id; ids are UUIDs.`, { field: argument });
  return text.toLowerCase();
}
