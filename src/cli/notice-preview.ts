import type { Command } from "commander";
import { AppError } from "../errors.ts";
import { isNoticeName, NOTICE_NAMES, NOTICES, type NoticeName } from "../directory/notice-catalogue.ts";
import { loadLanguages } from "../notify/languages.ts";
import { renderNotice } from "../notify/render.ts";
import { baseUrlOf } from "../config.ts";
import type { Shell } from "./shell.ts";

interface Options {
  language?: string;
  html?: boolean;
  text?: boolean;
}

/** What stands in a preview where a real message has something of its own. */
const SAMPLES: Readonly<Record<string, string | number>> = {
  code: "123456",
  until: "2030-01-31T18:00:00Z",
  at: "2030-01-31T18:00:00Z",
  address: "192.0.2.7",
  userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
  factor: "totp",
  shown: "a…@e….org",
  left: 7,
  connection: "Entra ID",
  role: "Editor",
  unit: "Sales",
  token: "door controller",
};

export function noticePreview(parent: Command, shell: Shell): void {
  parent
    .command("preview")
    .description("a message as people get it, with values made up; nothing is sent")
    .argument("<name>", NOTICE_NAMES.join(", "))
    .option("--language <tag>", "in which language: a file of config/languages; the organisation's own when absent")
    .option("--html", "as an HTML page")
    .option("--text", "as plain text (what is shown when neither is asked for)")
    .action((name: string, { language, html, text }: Options) =>
      shell.runBare(async ({ config, out }) => {
        if (html && text) throw new AppError("invalid", "Ask for --html or for --text: a preview is one of them.", { field: "--html" });
        const notice = knownNotice(name);
        const { name: organisation, language: fallback } = config.signIn.notify;
        const languages = loadLanguages({ fallback });
        const tag = language ?? fallback;
        if (!languages.tags.includes(tag))
          throw new AppError("invalid", `There are no texts in ${tag}; there are: ${languages.tags.join(", ")}.`, { field: "--language" });
        const baseUrl = baseUrlOf(config);
        const values: Readonly<Record<string, string | number>> = { ...SAMPLES, link: `${baseUrl}/login/link#…` };
        const data = Object.fromEntries(Object.keys(NOTICES[notice].data.shape).map((key) => [key, values[key] ?? ""]));
        const rendered = renderNotice({ notice, data, languages, language: tag, organisation, baseUrl, person: { name: "Ada Lovelace" } });
        out.result(
          { notice, language: tag, ...rendered },
          html ? rendered.html : [`Subject: ${rendered.subject}`, "", rendered.text.trimEnd(), "", `SMS: ${rendered.short}`],
        );
      }),
    );
}

function knownNotice(name: string): NoticeName {
  if (isNoticeName(name)) return name;
  throw new AppError("invalid", `There is no notice ${name}; there are: ${NOTICE_NAMES.join(", ")}.`, { field: "name" });
}
