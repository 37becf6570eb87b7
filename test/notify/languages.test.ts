import path from "node:path";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { projectFolder } from "../../src/db/folder.ts";
import { NOTICE_NAMES, NOTICES, OPTIONAL_NOTICES, type NoticeName } from "../../src/directory/notice-catalogue.ts";
import { loadLanguages, readLanguages, type LanguageFile } from "../../src/notify/languages.ts";
import { renderNotice, textKeyOf } from "../../src/notify/render.ts";
import { wantedLanguages } from "../../src/http/login/texts.ts";

const folder = path.join(projectFolder(), "config/languages");
const files = readLanguages(folder);
const languages = loadLanguages();
const others = [...files.keys()].filter((tag) => tag !== "en");

/** Keys with their texts; the forms of a plural, which differ between languages, are one. */
function textsOf(file: LanguageFile, prefix = ""): Map<string, string> {
  return new Map(
    Object.entries(file).flatMap(([key, value]) =>
      typeof value === "string"
        ? [[`${prefix}${key}`.replace(/_(zero|one|two|few|many|other)$/, ""), value] as const]
        : [...textsOf(value, `${prefix}${key}.`)],
    ),
  );
}
const placeholders = (text: string | undefined) => [...new Set(text?.match(/\{\{.*?\}\}/g) ?? [])].sort();
const source = textsOf(files.get("en") ?? {});

test("G1: there are texts in English, Finnish, German, French and Spanish to begin with", () => {
  expect(languages.tags).toEqual(expect.arrayContaining(["de", "en", "es", "fi", "fr"]));
  expect(languages.tags.map((tag) => languages.nameOf(tag))).toEqual(
    expect.arrayContaining(["Deutsch", "English", "Español", "Suomi", "Français"]),
  );
});

test.each(others)("%s has all the texts, none beside them, each with the same placeholders", (tag) => {
  const texts = textsOf(files.get(tag) ?? {});
  expect([...texts.keys()].sort()).toEqual([...source.keys()].sort());
  const differing = [...source].filter(([key, text]) => placeholders(text).join() !== placeholders(texts.get(key)).join());
  expect(differing.map(([key]) => key)).toEqual([]);
  expect([...texts].filter(([, text]) => text.trim() === "")).toEqual([]);
});

test("every notice has its texts, every optional one a name", () => {
  for (const notice of NOTICE_NAMES)
    for (const part of ["subject", "text", "sms"]) expect(source.has(`notices.${textKeyOf(notice)}.${part}`)).toBe(true);
  for (const notice of OPTIONAL_NOTICES) expect(source.has(`notices.names.${textKeyOf(notice)}`)).toBe(true);
});

test("the wanted language is looked up as RFC 4647 says, then the organisation's counts, then English", () => {
  const finnish = loadLanguages({ fallback: "fi" });
  expect(languages.choose(["de-CH-1996"])).toBe("de");
  expect(languages.choose(["sv", "FR_ca"])).toBe("fr");
  expect(finnish.choose(["sv", null, undefined, "", "-", "x"])).toBe("fi");
  expect(finnish.translate("xx")("notices.account")).toBe("Katso tiliäni");
  expect(() => loadLanguages({ fallback: "sv" })).toThrow(/no texts in sv/);
  expect(wantedLanguages("da, en-GB;q=0.8, fi;q=0.9, *;q=0.1, sv;q=0")).toEqual(["da", "fi", "en-GB"]);
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (header) =>
      languages.tags.includes(languages.choose(wantedLanguages(header))),
    ),
  );
});

const values: Record<string, string | number> = {
  link: "https://rollcall.example.com/login/link#token",
  code: "481516",
  until: "2026-06-01T10:00:00Z",
  at: "2026-06-01T10:00:00Z",
  left: 3,
};
const hostile = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.constantFrom("$t(notices.account)", "{{link}}", "<b>", "\r\nBcc: a@b", "&amp;", "]]>"),
);

test("whatever stands in a notice, every language says it whole, and it is never markup, a line of a header, or another text", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...NOTICE_NAMES),
      fc.constantFrom(...languages.tags),
      hostile,
      hostile,
      (notice: NoticeName, language, word, name) => {
        const keys = Object.keys(NOTICES[notice].data.shape);
        const data = Object.fromEntries(keys.map((key) => [key, values[key] ?? word]));
        const { subject, text, html, short } = renderNotice({
          notice,
          data,
          languages,
          language,
          organisation: word,
          baseUrl: "https://rollcall.example.com",
          person: { name, timeZone: word },
        });
        expect(subject).not.toMatch(/[\r\n]/);
        expect(short).not.toMatch(/[\r\n]/);
        for (const secret of [data["link"], data["code"]])
          if (secret !== undefined) expect([text, html, short].every((part) => part.includes(String(secret)))).toBe(true);
        const tags = html.match(/<[^>]*>/g) ?? [];
        expect(tags.every((tag) => /^<(!doctype html|\/?(html|head|meta|title|body|main|h1|p|a)\b)/.test(tag))).toBe(true);
        const links = [...html.matchAll(/href="([^"]*)"/g)].map(([, href]) => href ?? "");
        expect(links.every((href) => href.startsWith("https://rollcall.example.com/"))).toBe(true);
        if (!/\{/.test(word + name)) for (const part of [subject, text, short]) expect(part).not.toMatch(/\{\{|\}\}/);
      },
    ),
    { numRuns: 300 },
  );
});
