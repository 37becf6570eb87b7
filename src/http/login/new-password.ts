import { LONGEST_PASSWORD } from "../../auth/passwords/policy.ts";
import { AppError } from "../../errors.ts";
import { z } from "zod";
import { html, type Html } from "./html.ts";
import { field } from "./page.ts";
import type { Visit } from "./visit.ts";

/** Bounded above what any policy allows, so that what is too long is told with all other problems. */
const typed = z.string().min(1).max(1024);

/** A password of one's own choice, typed twice. */
export const newPasswordForm = z.object({ password: typed, again: typed });

export type NewPasswordForm = z.output<typeof newPasswordForm>;

/** Throws `invalid` when the two differ. */
export function requireSame({ password, again }: NewPasswordForm): void {
  if (password === again) return;
  throw new AppError("invalid", "The two passwords are not the same.", {
    field: "password",
    problems: [{ field: "password.again", message: "is not the same twice" }],
  });
}

/** What is wrong with a password, as sentences in the reader's language; undefined for another error. */
export function problemsWith(error: unknown, { say, options }: Visit): string[] | undefined {
  if (!(error instanceof AppError) || error.code !== "invalid" || error.field !== "password") return undefined;
  const { minLength, classes, passphraseLength, history } = options.settings.password;
  const values = { least: minLength, most: LONGEST_PASSWORD, classes, passphrase: passphraseLength, history };
  return error.problems.map(({ field: name }) => say(`pages.${name}`, values));
}

/** The two fields, with what is asked of a password, and what is wrong with the one that was typed. */
export function newPasswordFields({ say, options }: Visit, { problems = [] }: { problems?: readonly string[] } = {}): Html {
  const { minLength, classes, passphraseLength } = options.settings.password;
  const hint = [
    say("pages.password.hint", { least: minLength }),
    ...(classes > 1 ? [say("pages.password.hint_classes", { classes, passphrase: passphraseLength })] : []),
  ].join(" ");
  return html`${field({ name: "password", label: say("pages.password.new"), type: "password", autocomplete: "new-password", hint, problems })}
  ${field({ name: "again", label: say("pages.password.repeat"), type: "password", autocomplete: "new-password" })}`;
}
