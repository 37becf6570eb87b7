/** A whole number out of an option's text. Throws a sentence that names the option. */
export function wholeNumber(name: string, text: string | undefined, { least = 1 } = {}): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least)
    throw new Error(`--${name} must be a whole number ${least === 1 ? "above 0" : `of at least ${least}`}.`);
  return value;
}

/** A duration out of --seconds: parts of a second, too, where only the way there matters. Throws a sentence that names the option. */
export function someSeconds(text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) throw new Error("--seconds must be a number above 0.");
  return value;
}

/** What `read` makes of the options. Of a mistake in them it tells, with the usage; then the exit code is 2, and there is nothing to do. */
export function optionsOrUsage<T>(read: () => T, usage: string): T | undefined {
  try {
    return read();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}\n`);
    process.exitCode = 2;
    return undefined;
  }
}
