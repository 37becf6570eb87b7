import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

export interface StandIn {
  port: number;
  /** `http://127.0.0.1:PORT`, or https. */
  url: string;
  /** Method, path and headers of all that arrived. */
  asked: { method: string; path: string; headers: IncomingMessage["headers"]; body: string }[];
  stop(): Promise<void>;
}

/** A server on loopback that answers as told. */
export async function standIn(
  answer: (request: IncomingMessage & { body: string }, response: ServerResponse) => void,
  { tls, host = "127.0.0.1" }: { tls?: { key: string; cert: string }; host?: string } = {},
): Promise<StandIn> {
  const asked: StandIn["asked"] = [];
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString("utf8");
      asked.push({ method: request.method ?? "", path: request.url ?? "", headers: request.headers, body });
      answer(Object.assign(request, { body }), response);
    });
  };
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  server.listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `${tls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}`,
    asked,
    stop: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

export function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
