import { loadLanguages, type Languages, type Translate } from "../../notify/languages.ts";

/** A text by its whole key: `say("pages.sign_in.title")`. Plain text: the page escapes it. */
export type Say = Translate;

/** The pages' texts in the reader's language. */
export interface PageTexts {
  /** For `<html lang>`. */
  language: string;
  say: Say;
}

export interface Texts {
  languages: Languages;
  /** In the person's language where that is known, else in the one that the browser asks for (Accept-Language, RFC 9110 section 12.5.4). */
  forRequest(accepted: string | undefined, preferred?: string | null): PageTexts;
}

/** Most languages of a header that are looked at. */
const MOST_WANTED = 20;

/** The pages' texts; `fallback` is the organisation's language. Throws `misconfigured` when a file can't be read. */
export function createTexts({
  fallback,
  languages = loadLanguages({ fallback }),
}: { fallback?: string; languages?: Languages } = {}): Texts {
  return {
    languages,
    forRequest(accepted, preferred) {
      const language = languages.choose([preferred, ...wantedLanguages(accepted)]);
      return { language, say: languages.translate(language) };
    },
  };
}

/** Languages of an Accept-Language header, the most wanted first; those with weight 0 are left out. */
export function wantedLanguages(header: string | undefined): string[] {
  return (header ?? "")
    .slice(0, 1000)
    .split(",")
    .slice(0, MOST_WANTED)
    .map((range) => {
      const [tag = "", ...parameters] = range.split(";").map((part) => part.trim());
      const weight = parameters.find((part) => /^q=/i.test(part))?.slice(2);
      return { tag, weight: weight === undefined ? 1 : Number(weight) };
    })
    .filter(({ tag, weight }) => /^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$/.test(tag) && weight > 0)
    .sort((left, right) => right.weight - left.weight)
    .map(({ tag }) => tag);
}
