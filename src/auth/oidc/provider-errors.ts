import { AppError } from "../../errors.ts";

/** Runs what asks a provider. What it throws becomes `unavailable` or, where the provider's answer is not to be believed, `forbidden`. */
export async function askingProvider<T>(issuer: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError("unavailable", `The OpenID provider ${issuer} does not answer as it should: ${reasonOf(cause)}.`, {
      retryAfter: 30,
      cause,
    });
  }
}

/** A sign-in whose answer is not to be believed. The sentence is for the log and the trail; people see a neutral one. */
export function notBelieved(issuer: string, reason: string, cause?: unknown): AppError {
  return new AppError("forbidden", `What came from the OpenID provider ${issuer} is not to be believed: ${reason}.`, {
    field: "oidc",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What a library says went wrong: its sentence and its code, never the values that it saw, which hold tokens. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "for an unknown reason";
  const { code, error: said } = error as { code?: unknown; error?: unknown };
  const detail = [code, said].filter((each) => typeof each === "string").join(", ");
  return detail === "" ? error.message : `${error.message} (${detail})`;
}
