import { fork } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { openWire } from "../scim/wire.ts";
import type { Sample } from "./fill.ts";
import { percentile } from "./percentile.ts";

export interface Load {
  host: string;
  port: number;
  token: string;
  questions: readonly Sample[];
  connections: number;
  seconds: number;
}

export interface LoadResult {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** One answer, as it came. */
  answer: unknown;
}

/** One question a request, one request at a time on each connection. Throws at an answer that is none. */
export async function load({ host, port, token, questions, connections, seconds }: Load): Promise<LoadResult> {
  const requests = questions.map((question) => requestOf({ host, token, body: JSON.stringify({ questions: [question] }) }));
  const wires = await Promise.all(Array.from({ length: connections }, () => openWire({ host, port })));
  let next = 0;
  let answer: unknown;
  const run = async (ms: number): Promise<number[]> => {
    const times: number[] = [];
    const end = performance.now() + ms;
    await Promise.all(
      wires.map(async (wire) => {
        while (performance.now() < end) {
          const request = requests[(next += 1) % requests.length];
          if (!request) throw new Error("there are no questions");
          const begun = performance.now();
          const { status, body } = await wire.send(request);
          times.push(performance.now() - begun);
          if (status !== 200) throw new Error(`POST /check answered ${status}: ${body.toString("utf8").slice(0, 500)}`);
          answer ??= JSON.parse(body.toString("utf8"));
        }
      }),
    );
    return times;
  };
  try {
    await run(seconds * 500);
    const begun = performance.now();
    const times = await run(seconds * 1000);
    const ms = performance.now() - begun;
    return { perSecond: (times.length / ms) * 1000, p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99), answer };
  } finally {
    for (const wire of wires) wire.close();
  }
}

function requestOf({ host, token, body }: { host: string; token: string; body: string }): Buffer {
  const head = [
    "POST /api/v1/check HTTP/1.1",
    `Host: ${host}`,
    `Authorization: Bearer ${token}`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`);
}

/** The bare handler in a process of its own. */
export async function startBare(answer: unknown): Promise<{ port: number; stop(): void }> {
  const file = fileURLToPath(new URL(`./bare-server${path.extname(import.meta.url)}`, import.meta.url));
  const child = fork(file, [], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const stop = () => void child.kill("SIGKILL");
  process.prependOnceListener("exit", stop);
  const port = await new Promise<number>((resolve, reject) => {
    child.once("message", (message: { port: number }) => resolve(message.port));
    child.once("exit", () => reject(new Error("The bare server ended before it listened.")));
    child.send({ answer });
  });
  return { port, stop };
}
