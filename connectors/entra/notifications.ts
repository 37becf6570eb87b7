import { createHash, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { HookAnswer, HookCall, HookHint, Kind } from "../contract.ts";

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
 * Echoes Microsoft Graph's validationToken, which nobody has to prove anything for, and takes its change and lifecycle
 * notifications. Those that do not bear our secret are passed over; a delivery of nothing else is refused.
 * @param secret the clientState that the subscriptions were made with
 */
export function receiveNotifications(call: HookCall, { secret }: { secret: string | undefined }): HookAnswer | "refused" {
  if (call.method !== "POST") return "refused";
  const token = call.query["validationToken"];
  if (token !== undefined) return token === "" || token.length > MAX_TOKEN ? "refused" : { status: 200, text: token };
  const parsed = delivery.safeParse(call.body);
  if (!parsed.success || secret === undefined) return "refused";
  const ours = parsed.data.value.filter((each) => isSame(each.clientState, secret));
  if (ours.length === 0) return "refused";
  const kinds = new Set<Kind>();
  let keep: HookHint["keep"];
  for (const { resource, lifecycleEvent } of ours) {
    if (lifecycleEvent == null) for (const kind of kindsOf(resource ?? "")) kinds.add(kind);
    else if (lifecycleEvent === "reauthorizationRequired") keep = "renew";
    else {
      // Whatever is lost with a subscription, or on the way, a read finds.
      for (const kind of ALL) kinds.add(kind);
      if (lifecycleEvent !== "missed") keep ??= "look";
    }
  }
  return { status: 202, hint: { kinds: ALL.filter((kind) => kinds.has(kind)), ...(keep === undefined ? {} : { keep }) } };
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
  return timingSafeEqual(digest(given ?? ""), digest(secret)) && secret !== "";
}
