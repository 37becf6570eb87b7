import { request, type Dispatcher } from "undici";
import { Fault, type Network, type WireAnswer } from "../contract.ts";
import { openDispatcher } from "./dispatcher.ts";

export interface SendOptions {
  dispatcher: Dispatcher;
  url: URL;
  method: Dispatcher.HttpMethod;
  headers: Readonly<Record<string, string>>;
  body?: string | undefined;
  /** Most bytes of an answer: more is a Fault `rejected`. */
  maxBytes: number;
  /** What sentences call the system. */
  system: string;
  signal: AbortSignal;
}

/** Some refuse whoever does not say what they are: GitHub every request, AWS IAM Identity Center every PATCH. */
const OURSELVES = { "user-agent": "Rollcall" };

/** One request and its whole answer, redirects not followed. Throws what undici throws, or the Fault of an answer too large. */
export async function send({ url, maxBytes, system, headers, body, ...options }: SendOptions): Promise<WireAnswer> {
  const answer = await request(url, { ...options, headers: { ...OURSELVES, ...headers }, ...(body === undefined ? {} : { body }) });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) {
      answer.body.destroy();
      throw new Fault("rejected", `${system} answered with more than ${maxBytes} bytes. Ask for smaller pages (pageSize).`);
    }
    chunks.push(chunk);
  }
  // Decoded so, a byte order mark before the text is left out: JSON has none, and some write one (RFC 8259 section 8.1).
  return { status: answer.statusCode, headers: answer.headers, text: new TextDecoder().decode(Buffer.concat(chunks)) };
}

export interface FetchOptions {
  url: string;
  network?: Network | undefined;
  /** For everything together. */
  timeoutMs: number;
  maxBytes: number;
  /** GET when absent. */
  method?: "GET" | "POST";
  /** Names in lower case; instead of asking for JSON. */
  headers?: Readonly<Record<string, string>>;
  body?: string | undefined;
  /** PEM of the CA that signed the server's certificate, when it is a private one. */
  ca?: string | undefined;
}

/** One request of its own, under the same rules as all others: what is guarded, limited, and not redirected. */
export async function fetchText({
  url,
  network,
  timeoutMs,
  maxBytes,
  method = "GET",
  headers = { accept: "application/json" },
  body,
  ca,
}: FetchOptions): Promise<WireAnswer> {
  const target = new URL(url);
  const dispatcher = openDispatcher({ url: target, network, timeoutMs, ca });
  try {
    return await send({
      dispatcher,
      url: target,
      method,
      headers,
      body,
      maxBytes,
      system: target.host,
      signal: AbortSignal.timeout(timeoutMs),
    });
  } finally {
    await dispatcher.destroy();
  }
}
