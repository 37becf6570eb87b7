import type { Kind } from "../contract.ts";
import { valueOf, type GraphClient } from "./client.ts";
import { isObject, textOf, type WireObject } from "./json.ts";
import type { Permission } from "./permissions.ts";

/** Longest life of a subscription to users or groups: 41,760 minutes, a little less for clocks that differ. */
const LONGEST_MS = 41_700 * 60_000;
/** Renewed once less than this is left. */
const RENEWED_FROM_MS = LONGEST_MS / 2;

export interface SubscriptionOptions {
  /** Our public https address for changes. */
  notificationUrl: string;
  /** That for what becomes of the subscription itself; it can't be added later. */
  lifecycleUrl: string;
  /** A secret that comes back with every notification; at most 128 characters. */
  clientState: string;
  kinds: readonly Kind[];
  now: Date;
  /** Replace those that are there: after the secret was changed, which nobody can read back. */
  anew?: boolean;
}

export interface Subscription {
  id: string;
  kind: Kind;
  expiresAt: Date;
}

const RESOURCES: Readonly<Partial<Record<Kind, { resource: string; needs: Permission }>>> = {
  user: { resource: "users", needs: "User.Read.All" },
  group: { resource: "groups", needs: "Group.Read.All" },
};

/**
 * Brings the application's subscriptions to what they should be: one for each kind, renewed in time, surplus ones deleted.
 * Nothing has to be remembered between calls, and each call is safe to repeat. What a notification tells is only a hint:
 * the next increment decides. Units have no notifications.
 */
export async function keepSubscriptions(client: GraphClient, options: SubscriptionOptions): Promise<Subscription[]> {
  const listed = await listSubscriptions(client);
  const kept: Subscription[] = [];
  for (const kind of ["user", "group"] as const) {
    const { resource, needs } = RESOURCES[kind] ?? {};
    if (resource === undefined || needs === undefined) continue;
    const ours = listed.filter(
      (each) => textOf(each["notificationUrl"]) === options.notificationUrl && textOf(each["resource"]) === resource,
    );
    const good = options.kinds.includes(kind) && options.anew !== true ? ours.filter((each) => isGood(each, options)) : [];
    const [best] = good.sort((left, right) => expiryOf(right) - expiryOf(left));
    if (options.kinds.includes(kind)) kept.push(await bring(client, { kind, resource, needs, best, options }));
    for (const each of ours) if (each !== best) await removeSubscription(client, String(each["id"]), needs);
  }
  return kept;
}

/** Ends all that lead to this address. */
export async function endSubscriptions(client: GraphClient, options: Omit<SubscriptionOptions, "kinds" | "anew">): Promise<void> {
  await keepSubscriptions(client, { ...options, kinds: [] });
}

interface Bringing {
  kind: Kind;
  resource: string;
  needs: Permission;
  best: WireObject | undefined;
  options: SubscriptionOptions;
}

async function bring(client: GraphClient, { kind, resource, needs, best, options }: Bringing): Promise<Subscription> {
  const { now, notificationUrl, lifecycleUrl, clientState } = options;
  const id = best && textOf(best["id"]);
  if (best && id !== undefined && expiryOf(best) - now.getTime() > RENEWED_FROM_MS)
    return { id, kind, expiresAt: new Date(expiryOf(best)) };
  const expirationDateTime = new Date(now.getTime() + LONGEST_MS).toISOString();
  if (id !== undefined) {
    const { status, body } = await client.call({
      method: "PATCH",
      path: `/subscriptions/${encodeURIComponent(id)}`,
      body: { expirationDateTime },
      needs,
      expect: [404],
    });
    if (status !== 404) return subscriptionOf(body, { id, kind, expirationDateTime });
  }
  const { body } = await client.call({
    method: "POST",
    path: "/subscriptions",
    body: {
      changeType: "updated,deleted",
      resource,
      notificationUrl,
      lifecycleNotificationUrl: lifecycleUrl,
      clientState,
      expirationDateTime,
    },
    needs,
  });
  return subscriptionOf(body, { id: isObject(body) ? String(body["id"]) : "", kind, expirationDateTime });
}

async function listSubscriptions(client: GraphClient): Promise<WireObject[]> {
  const subscriptions: WireObject[] = [];
  let { body } = await client.call({ method: "GET", path: "/subscriptions", needs: "User.Read.All" });
  for (;;) {
    const { page, value } = valueOf(body);
    subscriptions.push(...value.filter(isObject));
    const next = textOf(page["@odata.nextLink"]);
    if (next === undefined) return subscriptions;
    ({ body } = await client.follow(next, { needs: "User.Read.All" }));
  }
}

/** One that has ended by itself is gone already. */
async function removeSubscription(client: GraphClient, id: string, needs: Permission): Promise<void> {
  await client.call({ method: "DELETE", path: `/subscriptions/${encodeURIComponent(id)}`, needs, expect: [404] });
}

function isGood(subscription: WireObject, { lifecycleUrl, now }: SubscriptionOptions): boolean {
  return textOf(subscription["lifecycleNotificationUrl"]) === lifecycleUrl && expiryOf(subscription) > now.getTime();
}

function expiryOf(subscription: WireObject): number {
  const time = Date.parse(String(subscription["expirationDateTime"]));
  return Number.isNaN(time) ? 0 : time;
}

function subscriptionOf(
  body: unknown,
  { id, kind, expirationDateTime }: { id: string; kind: Kind; expirationDateTime: string },
): Subscription {
  const told = isObject(body) ? expiryOf(body) : 0;
  return { id, kind, expiresAt: new Date(told || Date.parse(expirationDateTime)) };
}
