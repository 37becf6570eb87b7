import { createHash, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { Kind } from "../contract.ts";

/** A call of Microsoft Graph, as an HTTP door received it. */
export interface NotificationCall {
  method: string;
  /** Decoded, as query parameters are. */
  query: Readonly<Record<string, string | undefined>>;
  /** Parsed JSON; undefined for a validation. */
  body?: unknown;
}

/** What to answer within three seconds, and what the call hints at. */
export interface NotificationAnswer {
  status: 200 | 202 | 400 | 405;
  /** To be sent as text/plain, as it is. */
  text?: string;
  /** Absent where there is nothing to do. */
  hint?: NotificationHint;
}

/** A reason to do something now, never data: notifications come late, twice, out of order, or not at all. */
export interface NotificationHint {
  /** Read what changed of these. */
  kinds: readonly Kind[];
  /** Look after the subscriptions: one is about to end, or has ended. */
  keep: boolean;
}

const MAX_TOKEN = 4096;

const delivery = z.object({
  value: z
    .array(
      z.object({
        clientState: z.string().max(255).nullish(),
        resource: z.string().max(2048).nullish(),
        lifecycleEvent: z.string().max(100).nullish(),
      }),
    )
    .max(10_000),
});

const ALL = ["user", "group"] as const satisfies readonly Kind[];

/**
 * Echoes Microsoft Graph's validationToken, and takes its change and lifecycle notifications. What does not bear our secret is
 * taken without a word and starts nothing: whoever guesses is not told.
 * @param clientState the secret that the subscriptions were made with
 */
export function receiveNotifications(call: NotificationCall, { clientState }: { clientState: string }): NotificationAnswer {
  if (call.method !== "POST") return { status: 405 };
  const token = call.query["validationToken"];
  if (token !== undefined) return token === "" || token.length > MAX_TOKEN ? { status: 400 } : { status: 200, text: token };
  const parsed = delivery.safeParse(call.body);
  if (!parsed.success) return { status: 400 };
  const ours = parsed.data.value.filter((each) => isSame(each.clientState, clientState));
  const kinds = new Set<Kind>();
  let keep = false;
  for (const { resource, lifecycleEvent } of ours) {
    if (lifecycleEvent == null) for (const kind of kindsOf(resource ?? "")) kinds.add(kind);
    else {
      // Whatever is lost with a subscription, or on the way, a read finds.
      if (lifecycleEvent !== "reauthorizationRequired") for (const kind of ALL) kinds.add(kind);
      if (lifecycleEvent !== "missed") keep = true;
    }
  }
  return { status: 202, ...(kinds.size > 0 || keep ? { hint: { kinds: ALL.filter((kind) => kinds.has(kind)), keep } } : {}) };
}

/** `Users/<id>`; what it is not known of may be anything. */
function kindsOf(resource: string): readonly Kind[] {
  const [collection] = resource.toLowerCase().split("/");
  if (collection === "users") return ["user"];
  return collection === "groups" ? ["group"] : ALL;
}

/** In constant time, whatever the lengths. */
function isSame(given: string | null | undefined, secret: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return secret !== "" && timingSafeEqual(digest(given ?? ""), digest(secret));
}
