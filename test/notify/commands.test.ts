import { expect, test } from "@jest/globals";
import { Command } from "commander";
import { noticePreview } from "../../src/cli/notice-preview.ts";
import { noticeTest } from "../../src/cli/notice-test.ts";
import { createOutput } from "../../src/cli/output.ts";
import type { Shell } from "../../src/cli/shell.ts";
import { configSchema } from "../../src/config.ts";
import { messageOf } from "../../src/errors.ts";
import { startMailServer } from "../helpers/mail-server.ts";

/** A command with settings of the test's own, instead of the files of this folder. */
async function notice(settings: object, ...line: string[]): Promise<string> {
  let said = "";
  const terminal = { write: (text: string) => void (said += text), writeError: (text: string) => void (said += text), watched: false };
  const config = configSchema.parse({ signIn: { notify: settings }, http: { publicUrl: "https://rollcall.example.com" } });
  const shell: Shell = {
    environment: {},
    terminal,
    run: () => Promise.reject(new Error("these commands need no database")),
    runBare: (action) =>
      action({ config, out: createOutput(terminal, { json: line.includes("--json") }) }).then(
        () => undefined,
        (error: unknown) => void (said += messageOf(error)),
      ),
  };
  const program = new Command("notice").option("--json").exitOverride().configureOutput({ writeErr: terminal.writeError });
  noticePreview(program, shell);
  noticeTest(program, shell);
  await program.parseAsync(line, { from: "user" });
  return said;
}

test("G7: a preview shows a message in any language, as text, HTML and SMS, and sends nothing", async () => {
  const text = await notice({ name: "Engines" }, "preview", "invitation", "--language", "de", "--text");
  expect(text).toContain("Subject: Ihr Konto bei Engines");
  expect(text).toContain("https://rollcall.example.com/login/link#…");
  expect(await notice({}, "preview", "device.new", "--html")).toMatch(/^<!doctype html>[^]*Firefox, Linux/);
  expect(await notice({}, "preview", "no.such")).toContain("There is no notice no.such");
  for (const wrong of ["sv", "", "../en", "en.yaml"]) {
    expect(await notice({}, "preview", "code", `--language=${wrong}`)).toContain(`no texts in ${wrong}; there are: de, en`);
    expect(
      await notice({ sms: { provider: "off" }, email: { provider: "smtp" } }, "test", "--to", "a@b.example", `--language=${wrong}`),
    ).toContain("no texts in");
  }
  expect(await notice({}, "preview", "code", "--html", "--text")).toContain("--html or for --text");
  expect(await notice({}, "preview", "address.changed")).toContain("Was it you?");
});

test("a test message goes through the provider that is set, and what it answers is shown", async () => {
  expect(await notice({}, "test", "--to", "ada@example.com")).toContain("signIn.notify.email.provider is off");
  const server = await startMailServer();
  try {
    const email = { provider: "smtp", smtp: { host: server.host, port: server.port, caFile: server.caFile } };
    expect(await notice({ email }, "test", "--to", "ada@example.com", "--language", "fi")).toContain("has taken it");
    expect(server.mails).toMatchObject([{ to: ["ada@example.com"], parsed: { subject: "Testiviesti: Rollcall" } }]);
    server.next({ refuse: "RCPT", code: 550, words: "who is that" });
    expect(await notice({ email }, "test", "--to", "nobody@example.com")).toContain("550 who is that");
  } finally {
    await server.stop();
  }
});
