import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import { baseUrlOf } from "../config.ts";
import { createContext } from "../context.ts";
import type { NoticeChannel } from "../directory/notices.ts";
import { AppError } from "../errors.ts";
import { createLog } from "../log.ts";
import { openNotifier, type Notifier } from "../notify/notifier.ts";
import { htmlDocument, plainText, type Block } from "../notify/blocks.ts";
import type { Shell } from "./shell.ts";

interface Options {
  to: string;
  language?: string;
}

export function noticeTest(parent: Command, shell: Shell): void {
  parent
    .command("test")
    .description("send a message to an address now, through the provider that is set, to see whether it comes")
    .requiredOption("--to <address>", "an e-mail address, or a telephone number such as +358401234567")
    .option("--language <tag>", "in which language")
    .action(({ to, language }: Options) =>
      shell.runBare(async ({ config, out }) => {
        const settings = config.signIn.notify;
        const ctx = createContext({ actor: "system", log: createLog({ level: "error" }) });
        const notifier = openNotifier({ settings, baseUrl: baseUrlOf(config), network: config.outbound });
        const channel: NoticeChannel = to.startsWith("+") ? "sms" : "email";
        try {
          const provider = notifier.providers[channel];
          if (!provider)
            throw new AppError("misconfigured", `Nothing is set up to send this: signIn.notify.${channel}.provider is off.`, {
              field: `signIn.notify.${channel}.provider`,
            });
          if (language !== undefined && !notifier.languages.tags.includes(language))
            throw new AppError("invalid", `There are no texts in ${language}; there are: ${notifier.languages.tags.join(", ")}.`, {
              field: "--language",
            });
          const tag = notifier.languages.choose([language]);
          const message = testMessage(notifier, tag);
          const id = randomUUID();
          await provider.send({ id, channel, notice: "test", to, language: tag, ...message }, { signal: ctx.signal, now: ctx.now() });
          out.result({ id, channel, to }, `The provider has taken it (message ${id}). Whether it arrives, the mailbox shows.`);
        } finally {
          await notifier.close();
        }
      }),
    );
}

function testMessage({ languages, organisation }: Notifier, language: string) {
  const say = languages.translate(language);
  const [subject, text] = ["notices.test.subject", "notices.test.text"].map((key) => say(key, { organisation }));
  const blocks: Block[] = [{ kind: "paragraph", text: text ?? "" }];
  const title = subject ?? "";
  return { subject: title, text: plainText(blocks), html: htmlDocument(blocks, { title, language }), short: title };
}
