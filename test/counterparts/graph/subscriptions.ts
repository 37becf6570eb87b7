import { randomUUID } from "node:crypto";
import { badRequest, failure, notFound, type Answer, type Asked } from "./answer.ts";
import type { Properties } from "./tenant.ts";

/** Change notifications: subscriptions, their validation, and what is delivered to them. */
export interface Subscriptions {
  list(): Answer;
  create(asked: Asked): Promise<Answer>;
  renew(id: string, asked: Asked): Answer;
  remove(id: string): Answer;
  held: Map<string, Properties>;
  /** Refuse a second one of the same resource, as is documented; it was not always so. */
  single: boolean;
  /** Tells those that subscribed to `users` or `groups` that one changed; returns the statuses of their answers. */
  notify(resource: "users" | "groups", id: string): Promise<number[]>;
  /** Tells everybody what becomes of the subscription. */
  notifyLifecycle(event: "missed" | "reauthorizationRequired" | "subscriptionRemoved"): Promise<number[]>;
}

const LONGEST_MS = 41_760 * 60_000;

export interface SubscriptionsOptions {
  now: () => Date;
  /** Where an address of the outside world is served here. */
  route?: ((address: string) => string) | undefined;
}

export function createSubscriptions({ now, route = (address) => address }: SubscriptionsOptions): Subscriptions {
  const held = new Map<string, Properties>();
  const shown = ({ clientState: _secret, ...subscription }: Properties) => ({ ...subscription, clientState: null });
  const tooLong = (until: unknown) => Date.parse(String(until)) - now().getTime() > LONGEST_MS;
  const post = async (url: unknown, value: Properties): Promise<number> => {
    const answer = await fetch(route(String(url)), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ value: [value] }),
    });
    await answer.text();
    return answer.status;
  };
  const standing = () => [...held.values()].filter(({ expirationDateTime }) => Date.parse(String(expirationDateTime)) > now().getTime());

  const subscriptions: Subscriptions = {
    held,
    single: false,
    list: () => ({ status: 200, body: { value: standing().map(shown) } }),
    async create({ body }) {
      for (const name of ["changeType", "notificationUrl", "resource", "expirationDateTime"])
        if (typeof body[name] !== "string") return badRequest(`The property '${name}' is required.`, "InvalidRequest");
      if (tooLong(body["expirationDateTime"]))
        return badRequest("Subscription expiration can only be 41760 minutes in the future.", "ExtensionError");
      for (const url of [body["notificationUrl"], body["lifecycleNotificationUrl"] ?? body["notificationUrl"]]) {
        const token = `Validation: Testing client application ${randomUUID()} & <so on>`;
        const answer = await fetch(`${route(String(url))}?validationToken=${encodeURIComponent(token)}`, { method: "POST" });
        const echoed =
          answer.status === 200 && answer.headers.get("content-type")?.startsWith("text/plain") === true && (await answer.text()) === token;
        if (!echoed)
          return failure(
            400,
            "ValidationError",
            "Subscription validation request failed. HTTP status code is not OK, or the token was not echoed.",
          );
      }
      const same = standing().find(({ resource, changeType }) => resource === body["resource"] && changeType === body["changeType"]);
      if (subscriptions.single && same)
        return failure(409, "ExtensionError", `Subscription Id ${String(same["id"])} already exists for the requested combination`);
      const id = randomUUID();
      const subscription = { id, ...body };
      held.set(id, subscription);
      return { status: 201, body: shown(subscription) };
    },
    renew(id, { body }) {
      const subscription = standing().find((each) => each["id"] === id);
      if (!subscription) return notFound(id);
      if (tooLong(body["expirationDateTime"]))
        return badRequest("Subscription expiration can only be 41760 minutes in the future.", "ExtensionError");
      Object.assign(subscription, body);
      return { status: 200, body: shown(subscription) };
    },
    remove: (id) => (held.delete(id) ? { status: 204 } : notFound(id)),
    notify: (resource, id) =>
      Promise.all(
        standing()
          .filter((each) => each["resource"] === resource)
          .map(({ id: subscriptionId, clientState, notificationUrl, expirationDateTime }) =>
            post(notificationUrl, {
              changeType: "updated",
              clientState,
              resource: `${resource === "users" ? "Users" : "Groups"}/${id}`,
              resourceData: { id, "@odata.type": resource === "users" ? "#Microsoft.Graph.User" : "#Microsoft.Graph.Group" },
              subscriptionExpirationDateTime: expirationDateTime,
              subscriptionId,
              tenantId: "6f1d5d3a-8f7e-4b52-9a0c-3c5d2b1e4f60",
            }),
          ),
      ),
    notifyLifecycle: (lifecycleEvent) =>
      Promise.all(
        standing().map(({ id: subscriptionId, clientState, lifecycleNotificationUrl, resource, expirationDateTime }) =>
          post(lifecycleNotificationUrl, {
            lifecycleEvent,
            clientState,
            resource,
            subscriptionId,
            subscriptionExpirationDateTime: expirationDateTime,
          }),
        ),
      ),
  };
  return subscriptions;
}
