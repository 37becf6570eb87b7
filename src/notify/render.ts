import { NOTICES, type NoticeName } from "../directory/notice-catalogue.ts";
import { htmlDocument, plainText, type Block } from "./blocks.ts";
import type { Languages, Translate } from "./languages.ts";
import { deviceOf } from "./user-agent.ts";

/** Everything that a message is made of. */
export interface RenderOptions {
  notice: NoticeName;
  data: Readonly<Record<string, string | number>>;
  languages: Languages;
  /** A tag of these. */
  language: string;
  /** The organisation, as messages call it. */
  organisation: string;
  /** Where our pages are, without a slash at the end. */
  baseUrl: string;
  /** Where an optional notice is turned off by one click; the page of choices when absent. */
  unsubscribeUrl?: string | undefined;
  person: { name?: string | null | undefined; timeZone?: string | null | undefined };
}

export interface RenderedNotice {
  subject: string;
  text: string;
  html: string;
  /** For a channel of short texts. */
  short: string;
}

/** One notice in one language, as plain text, HTML and short text, all from one template. Links lead to our own pages. */
export function renderNotice(options: RenderOptions): RenderedNotice {
  const { notice, language } = options;
  const key = `notices.${textKeyOf(notice)}`;
  const translate = options.languages.translate(language);
  const values = valuesOf(options, translate);
  const say = (part: string) => translate(part, values);
  const subject = oneLine(say(`${key}.subject`));
  const name = nameIn(options.person.name);
  const blocks: Block[] = [
    { kind: "paragraph", text: name === undefined ? say("notices.greeting_nameless") : translate("notices.greeting", { name }) },
    { kind: "paragraph", text: say(`${key}.text`) },
    ...callOf(options, say),
    { kind: "paragraph", text: say("notices.signature") },
  ];
  return {
    subject,
    text: plainText(blocks),
    html: htmlDocument(blocks, { title: subject, language }),
    short: oneLine(say(`${key}.sms`)),
  };
}

/** By which key the texts of a notice stand: `password.changed` is `password_changed`. */
export function textKeyOf(notice: NoticeName): string {
  return notice.replaceAll(".", "_");
}

/** Where people choose which of the optional messages they want. */
export function choicesUrl(baseUrl: string): string {
  return `${baseUrl}/account/notices`;
}

/** What there is to do: open the link, type the code, look at one's account, or turn the message off. */
function callOf({ notice, data, baseUrl, languages, unsubscribeUrl }: RenderOptions, say: (key: string) => string): Block[] {
  const { link, code } = data;
  const own = `notices.${textKeyOf(notice)}.note`;
  const secret: Block = { kind: "note", text: say(languages.has(own) ? own : "notices.keep_secret") };
  if (link !== undefined) return [{ kind: "link", label: say(`notices.${textKeyOf(notice)}.action`), url: String(link) }, secret];
  if (code !== undefined) return [{ kind: "code", text: String(code) }, secret];
  if (NOTICES[notice].choice !== "security")
    return [{ kind: "note", text: say("notices.optional"), url: unsubscribeUrl ?? choicesUrl(baseUrl) }];
  return [
    { kind: "paragraph", text: say("notices.not_you") },
    { kind: "link", label: say("notices.account"), url: `${baseUrl}/account` },
  ];
}

function valuesOf(
  { data, organisation, language, person, languages }: RenderOptions,
  translate: Translate,
): Record<string, string | number> {
  const moments = ["until", "at"].flatMap((name) => {
    const at = data[name];
    return at === undefined ? [] : [[name, momentIn(String(at), { language, timeZone: person.timeZone })] as const];
  });
  const factor = data["factor"] === undefined ? undefined : String(data["factor"]);
  const known = factor !== undefined && /^[a-z_]+$/.test(factor) && languages.has(`notices.factors.${factor}`);
  return {
    ...data,
    ...Object.fromEntries(moments),
    ...(known ? { factor: translate(`notices.factors.${factor}`) } : {}),
    ...(data["userAgent"] === undefined ? {} : { userAgent: deviceOf(String(data["userAgent"])) }),
    organisation,
  };
}

/** A moment in the reader's words and time zone, which is named; UTC where it is unknown. */
export function momentIn(at: string, { language, timeZone }: { language: string; timeZone?: string | null | undefined }): string {
  return new Intl.DateTimeFormat(language, {
    year: "numeric",
    month: "long",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    timeZoneName: "short",
    timeZone: isTimeZone(timeZone) ? timeZone : "UTC",
  }).format(new Date(at));
}

function isTimeZone(name: string | null | undefined): name is string {
  if (!name) return false;
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    // A time zone that nobody knows is none: what systems hold there is often something else.
    return false;
  }
}

/** A name to greet somebody by; names can be set from outside, so that none with an address in it is put into a message of ours. */
function nameIn(name: string | null | undefined): string | undefined {
  const line = oneLine(name ?? "");
  return line === "" || line.length > 100 || /[/:@<>\\]|\.\p{L}/u.test(line) ? undefined : line;
}

function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
}
