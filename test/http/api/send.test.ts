import { once } from "node:events";
import { connect, type AddressInfo } from "node:net";
import { expect, test } from "@jest/globals";
import express, { type Response } from "express";
import { send } from "../../../src/http/api/send.ts";
import type { ServerEvent } from "../../../src/http/api/special.ts";
import { until } from "../../jobs/waiting.ts";

const LARGE = "x".repeat(64 * 1024);

/** Answers with events without end, as fast as they are read. */
async function followed(): Promise<{
  port: number;
  answer: Promise<Response>;
  over: AbortController;
  sent: () => number;
  close: () => Promise<unknown>;
}> {
  const over = new AbortController();
  let sent = 0;
  async function* events(): AsyncGenerator<ServerEvent> {
    for (;;) yield { event: "large", data: { number: (sent += 1), text: LARGE } };
  }
  let begun: (response: Response) => void = () => undefined;
  const answer = new Promise<Response>((resolve) => (begun = resolve));
  const app = express().get("/", async (_request, response) => {
    begun(response);
    await send(response, { answer: { status: 200, headers: {}, special: { special: "events", events } }, ended: over.signal });
  });
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = () => new Promise((resolve) => server.close(resolve));
  return { port: (server.address() as AddressInfo).port, answer, over, sent: () => sent, close };
}

test("who reads slowly is waited for with one listener, and does not keep an answer that is over", async () => {
  const { port, answer, over, sent, close } = await followed();
  const reader = connect(port, "127.0.0.1");
  reader.on("error", () => undefined);
  reader.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const response = await answer;
  const before = response.listenerCount("close");
  reader.resume();
  await until(sent, (count) => count > 200);
  expect(response.listenerCount("close")).toBeLessThanOrEqual(before + 1);
  reader.pause();
  // Until nothing goes any more, neither here nor on the way.
  for (let last = -1; last !== sent();) {
    last = sent();
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  expect(response.writableNeedDrain).toBe(true);
  const closed = close();
  over.abort();
  await closed;
  expect(response.req.socket.destroyed).toBe(true);
  reader.destroy();
});
