import type { Network } from "../../connectors/contract.ts";
import type { NoticeChannel } from "../directory/notices.ts";
import type { SignInSettings } from "../sign-in-settings.ts";
import { loadLanguages, type Languages } from "./languages.ts";
import type { Provider } from "./provider.ts";
import { openSms } from "./sms.ts";
import { openSmtp } from "./smtp.ts";
import { openWebhook, openWebhookProvider, type Webhook } from "./webhook.ts";

export interface NotifierOptions {
  settings: SignInSettings["notify"];
  /** Where browsers reach this server, without a slash at the end: links elsewhere are not sent. */
  baseUrl: string;
  network?: Network | undefined;
}

/** What a node sends messages with. */
export interface Notifier {
  organisation: string;
  baseUrl: string;
  languages: Languages;
  /** Undefined for a channel that is off. */
  providers: Readonly<Record<NoticeChannel, Provider | undefined>>;
  webhook: Webhook | undefined;
  close(): Promise<void>;
}

/** Opens the providers that the settings name; nothing is connected to before the first message. Throws `misconfigured`. */
export function openNotifier({ settings, baseUrl, network }: NotifierOptions): Notifier {
  const { email, sms, webhook } = settings;
  const viaWebhook = () => openWebhookProvider(webhook, network);
  const providers = {
    email: email.provider === "smtp" ? openSmtp(email) : email.provider === "webhook" ? viaWebhook() : undefined,
    sms: sms.provider === "http" ? openSms(sms.http, network) : sms.provider === "webhook" ? viaWebhook() : undefined,
  };
  return {
    organisation: settings.name,
    baseUrl: baseUrl.replace(/\/+$/, ""),
    languages: loadLanguages({ fallback: settings.language }),
    providers,
    webhook: openWebhook(webhook, network),
    async close() {
      await Promise.all([providers.email?.close(), providers.sms?.close()]);
    },
  };
}
