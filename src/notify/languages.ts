import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import i18next from "i18next";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { projectFolder } from "../db/folder.ts";
import { AppError, messageOf } from "../errors.ts";

/** A text by its key, its placeholders filled in; the result is plain text, never HTML. */
export type Translate = (key: string, values?: Readonly<Record<string, string | number>>) => string;

/** The languages that there are texts in: a file each in config/languages. */
export interface Languages {
  /** Tags, in alphabetical order: `de`, `en`. */
  readonly tags: readonly string[];
  /** What a language calls itself. */
  nameOf(tag: string): string;
  /** The first wanted language that there is, by lookup (RFC 4647 section 3.4): `de-CH` finds `de`; else the organisation's own. */
  choose(wanted: readonly (string | null | undefined)[]): string;
  /** Texts of one language; what it lacks is taken from the organisation's own, then from English. */
  translate(tag: string): Translate;
  /** Whether any of them has this text. */
  has(key: string): boolean;
}

export interface LanguagesOptions {
  /** The organisation's own language; `en` when absent. */
  fallback?: string | undefined;
  /** The project's config/languages when absent. */
  folder?: string;
}

/** A file: texts by key, nested; `language` is what it calls itself. */
export interface LanguageFile {
  readonly [key: string]: string | LanguageFile;
}

const SOURCE_LANGUAGE = "en";
const TAG = /^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/;

const file: z.ZodType<LanguageFile> = z.record(z.string().regex(/^[a-z][a-z0-9_]*$/), z.union([z.string(), z.lazy(() => file)]));

/** The project's own, by whoever asks first: messages and pages both speak them, and parsing them takes a tenth of a second. */
let projectLanguages: ReadonlyMap<string, LanguageFile> | undefined;

/**
 * All languages; a process reads the project's own files once. Throws `misconfigured` naming the file that can't be read, and for an
 * organisation's language without a file.
 */
export function loadLanguages({ fallback = SOURCE_LANGUAGE, folder }: LanguagesOptions = {}): Languages {
  const files =
    folder === undefined ? (projectLanguages ??= readLanguages(path.join(projectFolder(), "config/languages"))) : readLanguages(folder);
  const tags = [...files.keys()].sort();
  if (!files.has(fallback))
    throw new AppError("misconfigured", `There are no texts in ${fallback}: config/languages has ${tags.join(", ")}.`, {
      field: "signIn.notify.language",
    });
  const texts = i18next.createInstance();
  void texts.init({
    initAsync: false,
    lng: fallback,
    fallbackLng: [fallback, SOURCE_LANGUAGE],
    resources: Object.fromEntries([...files].map(([tag, translation]) => [tag, { translation }])),
    // Plain text goes out; whoever makes HTML of it escapes all of it once.
    interpolation: { escapeValue: false, skipOnVariables: true },
    returnNull: false,
    showSupportNotice: false,
  });
  return {
    tags,
    nameOf: (tag) => String(files.get(tag)?.["language"] ?? tag),
    choose: (wanted) => wanted.map((tag) => lookup(tags, tag)).find((tag) => tag !== undefined) ?? fallback,
    translate(tag) {
      const fixed = texts.getFixedT(tag);
      // A language's own parts (`pt` for `pt-BR`) are looked through before the fallbacks.
      return (key, values = {}) => fixed(key, { ...values });
    },
    has: (key) => texts.exists(key),
  };
}

/** The files as they stand, by language tag. */
export function readLanguages(folder: string): Map<string, LanguageFile> {
  const names = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
  return new Map(
    names.map((name) => {
      const tag = name.slice(0, -".yaml".length);
      try {
        if (!TAG.test(tag)) throw new Error("the name of the file must be a language tag: fi.yaml, pt-BR.yaml");
        return [tag, file.parse(parseYaml(readFileSync(path.join(folder, name), "utf8")))];
      } catch (cause) {
        throw new AppError("misconfigured", `config/languages/${name}: ${messageOf(cause)}`, { cause });
      }
    }),
  );
}

/** RFC 4647 section 3.4: the tag itself, then without its last parts, whatever its case. */
function lookup(tags: readonly string[], wanted: string | null | undefined): string | undefined {
  for (let range = (wanted ?? "").toLowerCase().replaceAll("_", "-"); range !== ""; range = range.replace(/(^|-)[^-]*$/, "")) {
    const found = tags.find((tag) => tag.toLowerCase() === range);
    if (found !== undefined) return found;
  }
  return undefined;
}
