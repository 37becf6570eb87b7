import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { request as send, type Dispatcher } from "undici";

/** Stands before a system: what it has answered once, it answers again from memory, so that no measurement waits for the system to make it. */
export interface Remembering {
  address: string;
  /** Requests that came since the last time that somebody asked. */
  takeCount(): number;
  forget(): void;
  stop(): Promise<void>;
}

interface Answer {
  status: number;
  headers: OutgoingHttpHeaders;
  body: Buffer;
}

/** Of the connection, not of the answer. */
const HOP_BY_HOP = ["connection", "keep-alive", "transfer-encoding", "content-length"];
/** Headers on which an answer depends, beside its address. */
const VARYING = ["prefer", "content-type", "consistencylevel"];

/** Only GETs that succeeded are remembered, and given to those alone whose credential the system itself has accepted. */
export async function rememberAnswersOf(origin: string): Promise<Remembering> {
  const answers = new Map<string, Answer>();
  const accepted = new Set<string>();
  let count = 0;
  let address = "";
  /** The system's links lead back to itself; they are to lead here. */
  const here = (text: string) => text.replaceAll(origin, address);
  /** And where a client names itself what it asks for, it means the system. */
  const there = (text: string) => text.replaceAll(encodeURIComponent(address), encodeURIComponent(origin)).replaceAll(address, origin);

  const pass = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    count++;
    const { method = "GET", url = "/", headers } = request;
    const credential = headers.authorization ?? "";
    const key = [url, ...VARYING.map((name) => headers[name])].join("\n");
    const known = method === "GET" ? answers.get(key) : undefined;
    const answer = known !== undefined && accepted.has(credential) ? known : await ask(request);
    if (method === "GET" && answer.status === 200) {
      accepted.add(credential);
      if (known === undefined) answers.set(key, answer);
      // Another answer would lead on to other pages than those that have been made.
      else return void response.writeHead(known.status, known.headers).end(known.body);
    }
    response.writeHead(answer.status, answer.headers).end(answer.body);
  };

  const ask = async (request: IncomingMessage): Promise<Answer> => {
    const sent = Object.fromEntries(Object.entries(request.headers).filter(([name]) => name !== "host" && !HOP_BY_HOP.includes(name)));
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { statusCode, headers, body } = await send(origin + (request.url ?? "/"), {
      method: (request.method ?? "GET") as Dispatcher.HttpMethod,
      headers: sent,
      ...(chunks.length === 0 ? {} : { body: there(Buffer.concat(chunks).toString("utf8")) }),
    });
    const bytes = Buffer.from(here(await body.text()));
    const kept = Object.entries(headers).filter(([name]) => !HOP_BY_HOP.includes(name));
    const answered = kept.map(([name, value]) => [name, Array.isArray(value) ? value.map(here) : here(value ?? "")]);
    return { status: statusCode, headers: { ...Object.fromEntries(answered), "content-length": bytes.length }, body: bytes };
  };

  const server = createServer((request, response) => {
    pass(request, response).catch((error: unknown) => response.writeHead(502).end(String(error)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    address,
    takeCount: () => {
      const taken = count;
      count = 0;
      return taken;
    },
    forget: () => answers.clear(),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
