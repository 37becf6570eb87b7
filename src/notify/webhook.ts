import { createHmac } from "node:crypto";
import type { Network } from "../../connectors/contract.ts";
import { AppError } from "../errors.ts";
import type { SignInSettings } from "../sign-in-settings.ts";
import { post } from "./post.ts";
import type { Provider } from "./provider.ts";

type WebhookSettings = SignInSettings["notify"]["webhook"];

/** Something for the operator's own system. */
export interface WebhookEvent {
  /** The same for each try: who has seen it ignores what comes again. */
  id: string;
  event: string;
  /** When it happened, RFC 3339. */
  at: string;
  body: Readonly<Record<string, unknown>>;
}

export interface Webhook {
  /** Resolves when the system took it; throws a Fault. */
  send(event: WebhookEvent, options: { now: Date }): Promise<void>;
}

/** Events to the operator's own system, signed. Undefined when none is set. */
export function openWebhook(settings: WebhookSettings, network?: Network): Webhook | undefined {
  const { url, secret, timeoutSeconds } = settings;
  if (url === undefined || secret === undefined) return undefined;
  return {
    async send({ id, event, at, body }, { now }) {
      const text = JSON.stringify({ id, event, at, data: body });
      const sentAt = Math.floor(now.getTime() / 1000);
      await post({
        system: "The webhook",
        url,
        headers: {
          "content-type": "application/json",
          "rollcall-id": id,
          "rollcall-event": event,
          "rollcall-timestamp": String(sentAt),
          "rollcall-signature": `v1=${signatureOf(text, { secret, sentAt })}`,
        },
        body: text,
        secrets: [secret],
        network,
        timeoutMs: timeoutSeconds * 1000,
        now,
      });
    },
  };
}

/** HMAC-SHA256 (RFC 2104) over `TIMESTAMP.BODY`, hexadecimal; the timestamp in seconds since 1970, so that an old message can be refused. */
export function signatureOf(body: string, { secret, sentAt }: { secret: string; sentAt: number }): string {
  return createHmac("sha256", secret).update(`${sentAt}.${body}`).digest("hex");
}

/** Messages to people by the operator's own system. Throws `misconfigured` when none is set. */
export function openWebhookProvider(settings: WebhookSettings, network?: Network): Provider {
  const webhook = openWebhook(settings, network);
  if (!webhook)
    throw new AppError("misconfigured", "A provider is `webhook`, but no webhook is set.", { field: "signIn.notify.webhook.url" });
  return {
    async send({ id, ...body }, { now }) {
      await webhook.send({ id, event: "message", at: now.toISOString(), body }, { now });
    },
    close: async () => undefined,
  };
}
