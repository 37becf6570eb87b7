import { Fault, type FaultKind, type Network } from "../../connectors/contract.ts";
import { fetchText } from "../../connectors/kit/send.ts";
import { messageOf } from "../errors.ts";

export interface PostOptions {
  /** What sentences call the system: "The SMS provider". */
  system: string;
  url: string;
  headers: Readonly<Record<string, string>>;
  body: string;
  /** Taken out of whatever the system says. */
  secrets: readonly string[];
  network?: Network | undefined;
  timeoutMs: number;
  now: Date;
}

const MAX_ANSWER_BYTES = 64 * 1024;
/** Whoever keeps it cuts it shorter, once the secrets of the message are out of it: half a secret would not be found. */
const MAX_WORDS = 5000;

/** Hands something to an HTTP system. Throws a Fault for everything but 2xx, in the system's own words, secrets taken out. */
export async function post({ system, secrets, now, ...request }: PostOptions): Promise<void> {
  const { status, headers, text } = await fetchText({ ...request, method: "POST", maxBytes: MAX_ANSWER_BYTES }).catch((cause: unknown) => {
    if (cause instanceof Fault) throw cause;
    const refused = (cause as { code?: string }).code === "ADDRESS_REFUSED";
    throw new Fault(refused ? "misconfigured" : "transient", `${system} can't be reached: ${without(secrets, messageOf(cause))}.`, {
      cause,
    });
  });
  if (status >= 200 && status < 300) return;
  const words = without(secrets, text)
    .replaceAll(/[\p{Cc}\s]+/gu, " ")
    .trim()
    .slice(0, MAX_WORDS);
  throw new Fault(faultKindOf(status), `${system} answered ${status}${words === "" ? "" : `: ${words}`}`, {
    ...retryAfter(headers["retry-after"], now),
  });
}

/** 4xx are about this message, but for those that ask to wait (RFC 6585, RFC 8470) and those about who we are, which the operator sets right. */
function faultKindOf(status: number): FaultKind {
  if (status === 429) return "throttled";
  if ([408, 423, 425].includes(status) || status >= 500) return "transient";
  if (status === 401 || status === 403 || status === 407) return "denied";
  return status === 400 || status === 410 || status === 413 || status === 422 ? "rejected" : "misconfigured";
}

function retryAfter(header: string | string[] | undefined, now: Date): { retryAfterMs?: number } {
  const text = (Array.isArray(header) ? header[0] : header)?.trim() ?? "";
  const waitMs = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now.getTime();
  return waitMs > 0 ? { retryAfterMs: waitMs } : {};
}

function without(secrets: readonly string[], text: string): string {
  return secrets.filter((secret) => secret !== "").reduce((left, secret) => left.replaceAll(secret, "…"), text);
}
