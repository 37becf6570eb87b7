import type { CustomFetch } from "openid-client";
import type { Network } from "../../../connectors/contract.ts";
import { fetchText } from "../../../connectors/kit/send.ts";

/** No answer of a provider needs more. */
const MOST_BYTES = 512 * 1024;
const WITHOUT_BODY = new Set([204, 205, 304]);

export interface GuardedFetchOptions {
  network?: Network | undefined;
  timeoutMs: number;
}

/** `fetch` as openid-client wants it, under the rules for whatever this server asks of others: guarded, limited, never redirected. */
export function guardedFetch({ network, timeoutMs }: GuardedFetchOptions): CustomFetch {
  return async (url, { method, headers, body }) => {
    const answer = await fetchText({
      url,
      network,
      timeoutMs,
      maxBytes: MOST_BYTES,
      method: method === "POST" ? "POST" : "GET",
      headers,
      body: body === undefined || body === null ? undefined : formOf(body),
    });
    return new Response(WITHOUT_BODY.has(answer.status) ? null : answer.text, {
      status: answer.status,
      headers: Object.entries(answer.headers).flatMap(([name, value]): [string, string][] =>
        value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]],
      ),
    });
  };
}

function formOf(body: unknown): string {
  if (typeof body === "string") return body;
  if (body instanceof URLSearchParams) return body.toString();
  throw new TypeError("only forms are sent to a provider");
}
