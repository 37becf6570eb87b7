import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import type { Completeness, Kind, OpenOptions, Target } from "../../../connectors/contract.ts";
import { settingsSchema, type ScimSettings } from "../../../connectors/scim/config.ts";
import { loopback, silentLog } from "../../helpers/database.ts";

export const NOW = new Date("2026-01-01T00:00:00Z");

export function openOptions(settings: Record<string, unknown>): OpenOptions<ScimSettings> {
  return {
    settings: settingsSchema.parse(settings),
    log: silentLog,
    signal: new AbortController().signal,
    now: () => NOW,
    network: loopback,
  };
}

export async function listed(target: Target, kind: Kind = "user"): Promise<{ ids: string[]; evidence: Completeness }> {
  const ids: string[] = [];
  const pages = target.list(kind);
  for (;;) {
    const next = await pages.next();
    if (next.done) return { ids, evidence: next.value };
    ids.push(...next.value.map(({ nativeId }) => nativeId));
  }
}

export interface Asked {
  method: string;
  /** Below the base URL. */
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: Record<string, unknown>;
}

export interface Said {
  status: number;
  body?: unknown;
  /** Sent as it is, instead of a body. */
  text?: string;
  headers?: Record<string, string>;
}

export interface Scripted {
  settings: { url: string; token: string };
  asked: Asked[];
  stop(): Promise<void>;
}

/** An application with one habit, that no library has: it answers what `answer` says, and remembers what it was asked. */
export async function scripted(answer: (asked: Asked) => Said): Promise<Scripted> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const url = new URL(request.url ?? "", "http://x");
      const text = Buffer.concat(chunks).toString();
      const one: Asked = {
        method: request.method ?? "",
        path: url.pathname.replace("/scim", ""),
        query: url.searchParams,
        headers: request.headers,
        body: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>),
      };
      asked.push(one);
      const said = answer(one);
      response.writeHead(said.status, { "content-type": "application/scim+json", ...said.headers });
      response.end(said.text ?? (said.body === undefined ? undefined : JSON.stringify(said.body)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    settings: { url: `http://127.0.0.1:${port}/scim`, token: "a-token" },
    asked,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
