import { Fault } from "../../connectors/contract.ts";
import type { Context } from "../context.ts";
import type { Sql } from "../db/database.ts";
import { enqueue } from "../db/queue.ts";
import { WORTH_TELLING_MS } from "../directory/notices.ts";
import type { Webhook, WebhookEvent } from "./webhook.ts";

/** What asks for more is a clock or a number gone wrong. */
const LONGEST_RETRY_AFTER_MS = 86_400_000;

export interface SendEventOptions {
  sql: Sql;
  webhook: Webhook;
  event: WebhookEvent;
}

/**
 * Tells the operator's system of one event. What it refuses for good is not sent again, and when it asks to be left alone it is, as it is
 * with messages; any other Fault is thrown, and the queue comes again.
 */
export async function sendEvent(ctx: Context, { sql, webhook, event }: SendEventOptions): Promise<void> {
  try {
    await webhook.send(event, { now: ctx.now() });
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const { kind, retryAfterMs, message } = error;
    const told = { event: event.event, id: event.id, fault: kind };
    if (kind === "rejected") return ctx.log.warn(told, `an event was refused by the operator's system for good: ${message}`);
    if (retryAfterMs === undefined) throw error;
    const runAt = new Date(ctx.now().getTime() + Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS));
    if (runAt.getTime() >= Date.parse(event.at) + WORTH_TELLING_MS)
      return ctx.log.warn(told, `an event was given up, because the operator's system asks to wait for too long: ${message}`);
    ctx.log.warn({ ...told, runAt }, `an event waits as the operator's system asks: ${message}`);
    await enqueue(sql, { job: "send_webhook", payload: event, runAt });
  }
}
