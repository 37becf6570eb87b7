import type { ServerResponse } from "node:http";

/** What can go wrong between Okta and us, once per order. */
export type FaultName =
  | "gone" // 410
  | "throttled" // 429 with the rate-limit headers
  | "throttled-bare" // 429 without any
  | "forbidden" // 403
  | "broken" // 500
  | "unavailable" // 503
  | "unauthorised" // 401: the token was revoked
  | "reset" // the connection breaks before an answer
  | "lost-answer" // it was done, but the answer never came
  | "empty-page"
  | "repeated-page"
  | "no-next"
  | "no-links"
  | "foreign-next"
  | "truncated" // the connection breaks within the body
  | "no-list"; // something else than a list

export interface FaultOrder {
  name: FaultName;
  /** Which requests it befalls: method and path with query. */
  path?: RegExp;
  /** So many fitting requests pass first. */
  skip?: number;
  /** How often; once by default. */
  times?: number;
}

/** Orders that wait for their request. */
export interface FaultInjection {
  order(fault: FaultOrder): void;
  /** The fault that befalls this request, if any. */
  take(request: string): FaultName | undefined;
  clear(): void;
  /** Orders that no request has met yet. */
  waiting(): number;
}

export function openFaultInjection(): FaultInjection {
  let orders: Required<FaultOrder>[] = [];
  return {
    order: (fault) => orders.push({ path: /./, skip: 0, times: 1, ...fault }),
    take(request) {
      const order = orders.find(({ path }) => path.test(request));
      if (!order) return undefined;
      if (order.skip > 0) {
        order.skip--;
        return undefined;
      }
      order.times--;
      if (order.times <= 0) orders = orders.filter((each) => each !== order);
      return order.name;
    },
    clear: () => {
      orders = [];
    },
    waiting: () => orders.length,
  };
}

/** Breaks the connection in the middle of the body. */
export function sendTruncated(response: ServerResponse, text: string): void {
  response.setHeader("content-length", Buffer.byteLength(text));
  response.write(text.slice(0, Math.floor(text.length / 2)), () => response.destroy());
}
