import type { SignInMethod } from "../sessions/session.ts";

/** What decides where a sign-in goes next. */
export interface SignInFacts {
  purpose: "sign_in" | "step_up";
  first: SignInMethod | null;
  second: SignInMethod | null;
  /** The first method stands for both factors: a passkey that verified its user, or an identity provider that is trusted with it. */
  trusted: boolean;
  /** Whether the person has a second factor. */
  enrolled: boolean;
  /** Whether the person must have one: by role, by unit, or by name. */
  needed: boolean;
  /** Whether the password is temporary, or has been found to be known to others. */
  mustChange: boolean;
}

export type SignInStep = "first" | "second_factor" | "enrol" | "change_password" | "complete";

/**
 * The next step of a sign-in. A factor that somebody has is asked for whether or not it is required, and before a temporary
 * password may be changed: who found the password must not be able to make it theirs. Who is signed in and proves again that it is
 * them (`step_up`) does so with a second factor, or with the first where there is none. Pure.
 */
export function nextStep({ purpose, first, second, trusted, enrolled, needed, mustChange }: SignInFacts): SignInStep {
  if (purpose === "step_up") {
    if (second !== null || (first !== null && (trusted || !enrolled))) return "complete";
    return enrolled ? "second_factor" : "first";
  }
  if (first === null) return "first";
  if (!trusted && second === null) {
    if (enrolled) return "second_factor";
    if (needed) return "enrol";
  }
  return mustChange && first === "password" ? "change_password" : "complete";
}
