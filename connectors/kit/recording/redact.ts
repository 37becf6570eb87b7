import { createHash } from "node:crypto";
import { isDate } from "node:util/types";
import type { WireAnswer, WireRequest } from "../../contract.ts";
import { isSecretName, REDACTED } from "../secret-names.ts";

/** Takes credentials out of what is written into a recording: the same input always becomes the same output. */
export interface Redactor {
  /** Plain data. */
  value(value: unknown): unknown;
  request(request: WireRequest): WireRequest;
  answer(answer: WireAnswer): WireAnswer;
}

/** Shorter ones are found as a whole value only: as a part of a text they would be part of everything. */
const SHORTEST = 4;
const DEEPEST = 64;
/** Headers that a connector may go by; all others are left out. */
const HEADERS = /^(content-type|date|etag|last-modified|link|location|retry-after|server-timing|x-rate-?limit-.*|ratelimit.*|x-ms-.*)$/;
const TOKEN_NAMES: ReadonlySet<string> = new Set(["access_token", "refresh_token", "id_token"]);

/** `secrets`: values that must not be written, wherever they turn up; settings as they are (texts, or JSON that holds keys). */
export function createRedactor(secrets: readonly unknown[]): Redactor {
  const known = new Set(secrets.flatMap((secret) => secretTexts(secret)));
  let pattern = patternOf(known);

  const text = (given: string): string => (known.has(given) ? REDACTED : pattern ? given.replace(pattern, REDACTED) : given);

  const value = (given: unknown, depth = 0): unknown => {
    if (typeof given === "string") return text(given);
    if (typeof given !== "object" || given === null || isDate(given)) return given;
    if (depth > DEEPEST) return REDACTED;
    if (Array.isArray(given)) return given.map((each) => value(each, depth + 1));
    return Object.fromEntries(
      Object.entries(given).map(([name, each]) => [text(name), isSecretName(name) && !isEmpty(each) ? REDACTED : value(each, depth + 1)]),
    );
  };

  const body = (given: string): string => {
    const parsed = parsedJson(given);
    if (parsed === undefined) return text(given.replace(LOOSE_PAIR, (_, before: string) => `${before}${REDACTED}`));
    for (const token of tokensIn(parsed)) learn(token);
    return JSON.stringify(value(parsed));
  };

  /** A token that the system gave us is a secret wherever else it appears. */
  const learn = (token: string) => {
    if (token.length < SHORTEST || token === REDACTED || known.has(token)) return;
    known.add(token);
    pattern = patternOf(known);
  };

  return {
    value,
    request: ({ method, url, body: sent }) => ({
      method,
      url: text(withoutNamedSecrets(url)),
      ...(sent === undefined ? {} : { body: parsedJson(sent) === undefined ? text(form(sent)) : body(sent) }),
    }),
    answer: ({ status, headers, text: said }) => ({
      status,
      headers: Object.fromEntries(
        Object.entries(headers).flatMap(([name, each]) =>
          each !== undefined && HEADERS.test(name) ? [[name, Array.isArray(each) ? each.map(text) : text(each)]] : [],
        ),
      ),
      text: body(said),
    }),
  };
}

/** The longest first, so that no part of one is left. */
function patternOf(secrets: ReadonlySet<string>): RegExp | undefined {
  const long = [...secrets].filter(({ length }) => length >= SHORTEST).sort((a, b) => b.length - a.length);
  return long.length === 0 ? undefined : new RegExp(long.map((each) => each.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")).join("|"), "g");
}

/** What a request is found by when it is made again. */
export function requestKey({ method, url, body = "" }: WireRequest): string {
  return `${method} ${url} ${createHash("sha256").update(body).digest("hex").slice(0, 16)}`;
}

/** The text itself, its forms in URLs and JSON, and the keys inside where the secret is a JSON document of its own. */
function secretTexts(secret: unknown): string[] {
  if (typeof secret !== "string") return typeof secret === "object" && secret !== null ? namedSecrets(secret) : [];
  if (secret === "") return [];
  const document = parsedJson(secret);
  const inner = typeof document === "object" && document !== null ? namedSecrets(document) : [];
  return [
    ...new Set([secret, secret.trim(), encodeURIComponent(secret), new URLSearchParams({ s: secret }).toString().slice(2), ...inner]),
  ];
}

function namedSecrets(document: object): string[] {
  return Object.entries(document).flatMap(([name, each]) =>
    typeof each === "object" && each !== null ? namedSecrets(each as object) : isSecretName(name) ? secretTexts(each) : [],
  );
}

function tokensIn(body: unknown): string[] {
  if (typeof body !== "object" || body === null) return [];
  return Object.entries(body).flatMap(([name, each]) => (TOKEN_NAMES.has(name) && typeof each === "string" ? [each] : []));
}

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || value === "" || typeof value === "boolean";
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // No JSON: an answer that broke off, a form, a page.
    return undefined;
  }
}

/** In JSON that broke off: a name and its text. */
const LOOSE_PAIR = /("[^"]*(?:token|secret|password|passw|assertion|key)"\s*:\s*)"(?:[^"\\]|\\.)*"?/gi;

function form(sent: string): string {
  const fields = [...new URLSearchParams(sent)].map(([name, each]): [string, string] => [name, isSecretName(name) ? REDACTED : each]);
  return new URLSearchParams(fields).toString();
}

function withoutNamedSecrets(href: string): string {
  const url = new URL(href);
  url.username = "";
  url.password = "";
  // Only what must go is touched: a cursor stays as the system wrote it.
  const names = [...new Set(url.searchParams.keys())].filter(isSecretName);
  for (const name of names) url.searchParams.set(name, REDACTED);
  return url.href;
}
