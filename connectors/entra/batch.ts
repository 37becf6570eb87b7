import { Fault } from "../contract.ts";
import { parseRetryAfter } from "../kit/http.ts";
import { withRetry } from "../kit/retry.ts";
import type { GraphClient } from "./client.ts";
import { codeOf } from "./faults.ts";
import { isObject, type WireObject } from "./json.ts";
import { howToGrant, PERMISSIONS, type Permission } from "./permissions.ts";

/** Most requests that Microsoft Graph takes in one. */
const MOST = 20;

export interface BatchGet {
  /** Relative to the version, with its query; parts from data encoded. */
  url: string;
  needs: Permission;
}

/** Reads many objects, twenty a request; undefined for what is not there. Requests within a batch are throttled one by one, and asked again alone. */
export async function getMany(
  client: GraphClient,
  gets: readonly BatchGet[],
  { signal, now }: { signal: AbortSignal; now: () => Date },
): Promise<(WireObject | undefined)[]> {
  const answers: (WireObject | undefined)[] = [];
  for (let from = 0; from < gets.length; from += MOST) {
    const chunk = gets.slice(from, from + MOST);
    const found = new Map<string, WireObject | undefined>();
    const ask = async () => {
      const open = chunk.map((get, index) => ({ ...get, id: String(index) })).filter(({ id }) => !found.has(id));
      const { body } = await client.call({
        method: "POST",
        path: "/$batch",
        body: { requests: open.map(({ id, url }) => ({ id, method: "GET", url })) },
        needs: open[0]?.needs ?? "User.Read.All",
      });
      settle(body, { open, found, now: now() });
    };
    await withRetry(ask, { signal, ...client.settings.retry });
    for (const index of chunk.keys()) answers.push(found.get(String(index)));
  }
  return answers;
}

interface Settling {
  open: readonly (BatchGet & { id: string })[];
  found: Map<string, WireObject | undefined>;
  now: Date;
}

/** Keeps what was answered; throws for the rest, `throttled` with the longest wait that was asked for. */
function settle(body: unknown, { open, found, now }: Settling): void {
  const responses = isObject(body) && Array.isArray(body["responses"]) ? (body["responses"] as readonly unknown[]).filter(isObject) : [];
  let waitMs: number | undefined;
  for (const { id, status, headers, body: answer } of responses) {
    const get = open.find((each) => each.id === id);
    if (!get) continue;
    if (status === 200 && isObject(answer)) found.set(get.id, answer);
    else if (status === 404) found.set(get.id, undefined);
    else if (status === 403)
      throw new Fault(
        "denied",
        `Microsoft Graph refuses ${PERMISSIONS[get.needs]} (${codeOf(answer) ?? 403}): the application lacks ${get.needs}. ${howToGrant(get.needs)}`,
      );
    else if (status === 429 || status === 503) waitMs = Math.max(waitMs ?? 0, retryAfterOf(headers, now) ?? 0);
    else if (typeof status === "number" && status >= 400 && status < 500)
      throw new Fault("rejected", `Microsoft Graph answered ${status} (${codeOf(answer) ?? "no code"}) for an object read by its id.`);
  }
  if (waitMs !== undefined)
    throw new Fault("throttled", "Microsoft Graph throttles reads within a batch.", waitMs === 0 ? {} : { retryAfterMs: waitMs });
  if (open.some(({ id }) => !found.has(id))) throw new Fault("transient", "Microsoft Graph left reads of a batch unanswered.");
}

function retryAfterOf(headers: unknown, now: Date): number | undefined {
  if (!isObject(headers)) return undefined;
  const [, value] = Object.entries(headers).find(([name]) => name.toLowerCase() === "retry-after") ?? [];
  return parseRetryAfter(typeof value === "number" ? String(value) : typeof value === "string" ? value : undefined, now);
}
