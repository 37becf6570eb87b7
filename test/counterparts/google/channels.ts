import { GoogleError } from "./errors.ts";
import { checkCustomer, type Request } from "./request.ts";
import type { Organisation } from "./state.ts";

const DEFAULT_SECONDS = 7200;
const LONGEST_SECONDS = 172_800;

export function watch(of: Organisation, { query, body }: Request): unknown {
  checkCustomer(of, query);
  const { id, type, address, token, params } = body as {
    id?: string;
    type?: string;
    address?: string;
    token?: string;
    params?: { ttl?: string };
  };
  if (id === undefined || type !== "web_hook" || address === undefined) throw new GoogleError(400, "required", "Required");
  if (!address.startsWith("https://")) throw new GoogleError(400, "push.webhookUrlNotHttps", "WebHook callback must be HTTPS");
  if (of.channels.has(id)) throw new GoogleError(400, "channelIdNotUnique", `Channel id ${id} not unique`);
  const seconds = Math.min(Number(params?.ttl ?? DEFAULT_SECONDS), LONGEST_SECONDS);
  const expiration = of.now().getTime() + seconds * 1000;
  const event = query.get("event") ?? "";
  of.channels.set(id, { id, resourceId: `resource-${event}`, event, address, token: token ?? "", expiration });
  return {
    kind: "api#channel",
    id,
    resourceId: `resource-${event}`,
    resourceUri: `https://admin.googleapis.com/admin/directory/v1/users?event=${event}`,
    token,
    expiration: String(expiration),
  };
}

export function stopChannel(of: Organisation, { body }: Request): undefined {
  const channel = of.channels.get(String(body["id"]));
  if (channel === undefined || channel.resourceId !== body["resourceId"])
    throw new GoogleError(404, "notFound", `Channel '${String(body["id"])}' not found for project`);
  of.channels.delete(channel.id);
}

/**
 * Tells every channel of an event that it happened to a user; `sync` tells one that it was opened. Returns the statuses of the answers.
 * @param route where an address of the outside world is served here
 */
export function notifyChannels(
  of: Organisation,
  { event, route, state = event }: { event: string; route: (address: string) => string; state?: string },
): Promise<number[]> {
  const standing = [...of.channels.values()].filter((each) => each.event === event && each.expiration > of.now().getTime());
  return Promise.all(
    standing.map(async ({ id, resourceId, address, token, expiration }, index) => {
      const answer = await fetch(route(address), {
        method: "POST",
        headers: {
          "content-type": "application/json; utf-8",
          "x-goog-channel-id": id,
          "x-goog-channel-token": token,
          "x-goog-channel-expiration": new Date(expiration).toUTCString(),
          "x-goog-resource-id": resourceId,
          "x-goog-resource-uri": `https://admin.googleapis.com/admin/directory/v1/users?event=${event}`,
          "x-goog-resource-state": state,
          "x-goog-message-number": String(index + 1),
        },
        ...(state === "sync" ? {} : { body: JSON.stringify({ kind: "admin#directory#user", id: "1" }) }),
      });
      await answer.text();
      return answer.status;
    }),
  );
}
