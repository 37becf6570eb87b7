import { Fault, type Network } from "../../connectors/contract.ts";
import type { SignInSettings } from "../sign-in-settings.ts";
import { post } from "./post.ts";
import type { Provider } from "./provider.ts";

type SmsSettings = SignInSettings["notify"]["sms"]["http"];

/** A telephone number as E.164 writes it. */
const NUMBER = /^\+[1-9]\d{4,14}$/;

/** Sends short texts through whatever takes them as JSON or as a form over HTTP, as the settings say. */
export function openSms(settings: SmsSettings, network?: Network): Provider {
  const { url = "", format, fields, headers, from, user, secret, timeoutSeconds } = settings;
  const basic = Buffer.from(`${user}:${secret}`).toString("base64");
  return {
    async send(message, { now }) {
      if (!NUMBER.test(message.to)) throw new Fault("rejected", "The telephone number must be written as +358401234567.");
      const values = { to: message.to, from, text: message.short, id: message.id, user, secret, basic };
      const filled = Object.entries(fields).map(([name, template]): [string, string] => [name, fill(template, values)]);
      await post({
        system: "The SMS provider",
        url,
        headers: {
          ...Object.fromEntries(Object.entries(headers).map(([name, template]) => [name.toLowerCase(), fill(template, values)])),
          "content-type": format === "json" ? "application/json" : "application/x-www-form-urlencoded",
          accept: "application/json",
        },
        body: format === "json" ? JSON.stringify(Object.fromEntries(filled)) : new URLSearchParams(filled).toString(),
        secrets: [secret, basic, message.short],
        network,
        timeoutMs: timeoutSeconds * 1000,
        now,
      });
    },
    close: async () => undefined,
  };
}

/** `{name}` as its value; what a value holds is not looked at again, and other braces stay. */
function fill(template: string, values: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\{(\w+)\}/g, (whole, name: string) => (Object.hasOwn(values, name) ? (values[name] ?? whole) : whole));
}
