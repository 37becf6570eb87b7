/** More would cost seconds of a processor: how hard the beginning is to guess counts for the whole. */
const CONSIDERED = 32;
/** Ways of reading digits as letters that are tried. */
const SUBSTITUTIONS = 8;

export interface Estimator {
  /** zxcvbn's score, 0 (fewer than a thousand guesses) to 4 (more than 10^10). `about`: words that a guesser tries first. */
  score(password: string, about: readonly string[]): number;
  /** Whether it is one of the most common passwords, in whatever case. */
  isCommon(password: string): boolean;
}

let loaded: Promise<Estimator> | undefined;

/** Dictionaries of common passwords, names and words: read when the first password is set, then kept, for they never change. */
export function loadEstimator(): Promise<Estimator> {
  return (loaded ??= readDictionaries());
}

async function readDictionaries(): Promise<Estimator> {
  const [{ ZxcvbnFactory }, common, english] = await Promise.all([
    import("@zxcvbn-ts/core"),
    import("@zxcvbn-ts/language-common"),
    import("@zxcvbn-ts/language-en"),
  ]);
  const zxcvbn = new ZxcvbnFactory({
    dictionary: { ...common.dictionary, ...english.dictionary },
    graphs: common.adjacencyGraphs,
    maxLength: CONSIDERED,
    l33tMaxSubstitutions: SUBSTITUTIONS,
  });
  const passwords = new Set(common.dictionary["passwords-common"].map((each) => String(each).toLowerCase()));
  return {
    score: (password, about) => zxcvbn.check(password, [...about]).score,
    isCommon: (password) => passwords.has(password.toLowerCase()),
  };
}
