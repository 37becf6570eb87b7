import type { Problem } from "../../errors.ts";
import { isInBreachedFile } from "./breached-file.ts";
import { loadEstimator } from "./estimator.ts";
import type { PasswordSettings } from "./hash.ts";
import { hasDisallowedCharacters, opaqueString } from "./opaque-string.ts";
import { isSimilar } from "./similarity.ts";

/** More is nobody's password. Of what is longer nothing else is asked. */
export const LONGEST_PASSWORD = 128;

/** What a password may fail at. Pages have words for each in their languages. */
export type PasswordRule = "length" | "too_long" | "characters" | "classes" | "personal" | "guessable" | "breached" | "history";

/** How the rules read; `min` and the like are filled in from the settings. */
const SENTENCES: Readonly<Record<PasswordRule, (settings: PasswordSettings) => string>> = {
  length: ({ minLength }) => `needs at least ${minLength} characters`,
  too_long: () => `has more than ${LONGEST_PASSWORD} characters`,
  characters: () => "holds characters that can't be typed everywhere, such as tabs or line breaks",
  classes: ({ classes, passphraseLength }) =>
    `needs ${classes} of these: lower case, upper case, digits, others; or at least ${passphraseLength} characters`,
  personal: () => "holds a name, a login, an address or a number of this person",
  guessable: () => "is easy to guess: use more words or characters that don't belong together",
  breached: () => "is known to others: it stands in lists of passwords that were stolen",
  history: ({ history }) => `was used before: the last ${history} can't be used again`,
};

/** As problems of the field `password.RULE`, each a sentence. */
export function problemsOf(rules: readonly PasswordRule[], settings: PasswordSettings): Problem[] {
  return rules.map((rule) => ({ field: `password.${rule}`, message: SENTENCES[rule](settings) }));
}

/** How many kinds of characters there are: lower case, upper case, digits, all others. Letters without case are others. Pure. */
export function classesIn(password: string): number {
  return [/\p{Ll}/u, /\p{Lu}/u, /\p{Nd}/u, /[^\p{Ll}\p{Lu}\p{Nd}]/u].filter((kind) => kind.test(password)).length;
}

/** What a password alone, without any list, fails at. Characters are code points. Pure. */
export function plainlyBroken(password: string, { settings, about }: PolicyQuestion): PasswordRule[] {
  const length = Array.from(password).length;
  if (length > LONGEST_PASSWORD) return ["too_long"];
  const broken: [PasswordRule, boolean][] = [
    ["length", length < settings.minLength],
    ["characters", hasDisallowedCharacters(password)],
    ["classes", length < settings.passphraseLength && classesIn(password) < settings.classes],
    ["personal", isSimilar(password, about)],
  ];
  return broken.filter(([, is]) => is).map(([rule]) => rule);
}

export interface PolicyQuestion {
  settings: PasswordSettings;
  /** The person's names, logins, addresses and numbers. */
  about: readonly string[];
}

/**
 * All the rules that a password breaks, but for those used before (`setPassword` knows them). Throws `misconfigured` when the file of
 * known passwords can't be read: no password is set unchecked.
 */
export async function brokenRules(password: string, question: PolicyQuestion): Promise<PasswordRule[]> {
  if (password.length > 8 * LONGEST_PASSWORD) return ["too_long"];
  const text = opaqueString(password);
  const plainly = plainlyBroken(text, question);
  if (plainly.includes("too_long")) return plainly;
  const { settings, about } = question;
  const estimator = await loadEstimator();
  const guessable = estimator.score(text, about) < settings.minScore;
  const breached = await isKnownToOthers(text, settings);
  return [...plainly, ...(guessable ? (["guessable"] as const) : []), ...(breached ? (["breached"] as const) : [])];
}

/** Whether a password stands in the list that comes along, or in the operator's. Throws `misconfigured`. */
export async function isKnownToOthers(password: string, { breachedFile }: Pick<PasswordSettings, "breachedFile">): Promise<boolean> {
  const text = opaqueString(password);
  if ((await loadEstimator()).isCommon(text)) return true;
  return breachedFile !== undefined && isInBreachedFile(text, breachedFile);
}
