import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { isInBreachedFile } from "../../../src/auth/passwords/breached-file.ts";
import { opaqueString } from "../../../src/auth/passwords/opaque-string.ts";
import { brokenRules, classesIn, LONGEST_PASSWORD, plainlyBroken } from "../../../src/auth/passwords/policy.ts";
import { isSimilar } from "../../../src/auth/passwords/similarity.ts";
import { signInSettings } from "../../../src/sign-in-settings.ts";

const folder = mkdtempSync(path.join(tmpdir(), "breached-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const usual = signInSettings.parse({}).password;
const ada = ["ada.lovelace", "Ada Lovelace", "ada@engines.example", "E-20417"];
const good = "Kiwi7-verglas.Tundra";

test("G2: all that is wrong with a password is said at once, by name", async () => {
  const broken = (password: string, about: readonly string[] = ada) => brokenRules(password, { settings: usual, about });
  expect(await broken(good)).toEqual([]);
  expect(await broken("four quiet otters juggle")).toEqual([]);
  expect(await broken("qwerty")).toEqual(["length", "classes", "guessable", "breached"]);
  expect(await broken("Lovelace")).toEqual(expect.arrayContaining(["length", "classes", "personal", "guessable"]));
  expect(await broken("tab\tinside A1")).toContain("characters");
  expect(await broken("a".repeat(LONGEST_PASSWORD + 1))).toEqual(["too_long"]);
  expect(await broken("Aa1!".repeat(1_000_000))).toEqual(["too_long"]);
});

test("length counts characters, not what they take to store", () => {
  const question = { settings: { ...usual, classes: 1 }, about: [] };
  expect(plainlyBroken("🦊".repeat(11), question)).toEqual(["length"]);
  expect(plainlyBroken("🦊".repeat(12), question)).toEqual([]);
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (password) => {
      const length = Array.from(password).length;
      const broken = plainlyBroken(password, question);
      expect(broken.includes("length")).toBe(length < usual.minLength);
      expect(broken.includes("too_long")).toBe(length > LONGEST_PASSWORD);
    }),
  );
});

test("classes: any character is of exactly one, and a passphrase needs none", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 1 }), (one) => expect(classesIn(one)).toBe(1)));
  fc.assert(
    fc.property(fc.string({ minLength: usual.passphraseLength, maxLength: 60 }), (long) =>
      expect(plainlyBroken(long, { settings: usual, about: [] })).not.toContain("classes"),
    ),
  );
});

const word = fc.stringMatching(/^[a-zåäöé]{4,10}$/);

test("whatever disguise a person's own word wears in a password, it is found", () => {
  const disguises: ((word: string) => string)[] = [
    (text) => text.toUpperCase(),
    (text) => Array.from(text).toReversed().join(""),
    (text) => text.replaceAll("a", "4").replaceAll("e", "3").replaceAll("o", "0").replaceAll("s", "$"),
    (text) => text.replaceAll("i", "1").replaceAll("t", "7"),
    (text) => text.replaceAll("l", "1").replaceAll("b", "8"),
    (text) => Array.from(text).join("-"),
    (text) => text.normalize("NFD"),
  ];
  fc.assert(
    fc.property(
      word,
      fc.constantFrom(...disguises),
      fc.string({ maxLength: 8 }),
      fc.string({ maxLength: 8 }),
      (own, disguise, before, after) => {
        // What is put around it may be read together with it, but never instead of it.
        expect(isSimilar(`${before} ${disguise(own)} ${after}`, [`x ${own}`])).toBe(true);
      },
    ),
  );
});

test("what shares nothing with the person is not taken for theirs, nor is what is too short to tell", () => {
  expect(isSimilar(good, ada)).toBe(false);
  expect(isSimilar("a marmalade adagio", ["Ada"])).toBe(false);
  fc.assert(
    fc.property(fc.stringMatching(/^[a-f]{4,12}$/), fc.stringMatching(/^[m-rw-z]{4,20}$/), (own, password) =>
      expect(isSimilar(password, [own])).toBe(false),
    ),
  );
});

test("how a password was typed does not matter: spaces and composed letters are one (RFC 8265)", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 30 }), (text) => {
      expect(opaqueString(text.normalize("NFD"))).toBe(opaqueString(text.normalize("NFC")));
      expect(opaqueString(opaqueString(text))).toBe(opaqueString(text));
    }),
  );
  expect(opaqueString("a\u00a0b\u3000c")).toBe("a b c");
});

const sha1 = (text: string) => createHash("sha1").update(text).digest("hex").toUpperCase();

test("a password in the operator's file is found wherever it stands there, and no other is", async () => {
  const file = path.join(folder, "hashes.txt");
  const lists = fc.record({
    known: fc.uniqueArray(fc.string({ maxLength: 12 }), { minLength: 1, maxLength: 60 }),
    others: fc.array(fc.string({ maxLength: 12 }), { maxLength: 10 }),
    digits: fc.integer({ min: 14, max: 40 }),
    count: fc.boolean(),
    ending: fc.constantFrom("\n", "\r\n"),
    last: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(lists, async ({ known, others, digits, count, ending, last }) => {
      const lines = known
        .map((each) => sha1(each).slice(0, digits))
        .toSorted()
        .map((hash, index) => (count ? `${hash}:${index ** 4 + 1}` : hash));
      writeFileSync(file, lines.join(ending) + (last ? ending : ""));
      for (const each of known) expect(await isInBreachedFile(each, file)).toBe(true);
      for (const each of others) expect(await isInBreachedFile(each, file)).toBe(known.includes(each));
    }),
    { numRuns: 40 },
  );
});

test("no password is set unchecked: a file that is missing or of another kind is said", async () => {
  const other = path.join(folder, "other.txt");
  writeFileSync(other, "password\n123456\n");
  const fault = { code: "misconfigured", field: "signIn.password.breachedFile" };
  await expect(isInBreachedFile("x", path.join(folder, "missing"))).rejects.toMatchObject(fault);
  await expect(isInBreachedFile("x", other)).rejects.toMatchObject(fault);
  await expect(brokenRules(good, { settings: { ...usual, breachedFile: other }, about: [] })).rejects.toMatchObject(fault);
  writeFileSync(other, "");
  expect(await isInBreachedFile("x", other)).toBe(false);
});
