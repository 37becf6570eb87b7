import { once } from "node:events";
import { pipeline } from "node:stream/promises";
import type { Response } from "express";
import type { ApiAnswer } from "./perform.ts";
import type { ServerEvent } from "./special.ts";

/** Sends an answer: JSON, bytes, a stream, or server-sent events until their end or the caller's, which `ended` tells of. */
export async function send(response: Response, { answer, ended }: { answer: ApiAnswer; ended: AbortSignal | undefined }): Promise<void> {
  response.statusCode = answer.status;
  for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value);
  if (!("special" in answer)) {
    if (answer.body === undefined) response.end();
    else sendJson(response, answer.body);
    return;
  }
  const { special } = answer;
  if (special.special === "unchanged") {
    response
      .status(304)
      .set(special.headers ?? {})
      .end();
  } else if (special.special === "bytes") {
    response
      .set(special.headers ?? {})
      .type(special.type)
      .send(special.bytes);
  } else if (special.special === "stream") {
    // What fails before its first portion is there is still answered with a problem.
    await once(special.stream, "readable");
    response.set(special.headers ?? {}).type(special.type);
    await pipeline(special.stream, response);
  } else {
    if (!ended) throw new Error("a route that answers with events says so: sends is text/event-stream");
    response.set({ "Content-Type": "text/event-stream", "X-Accel-Buffering": "no" }).flushHeaders();
    // Whoever asks for the headers alone has their answer: what else they ask by this connection would wait for the end of what is followed.
    if (response.req.method === "HEAD") return void response.end();
    for await (const event of special.events(ended)) {
      if (ended.aborted) break;
      if (!response.write(textOf(event))) await readOn(response, ended);
    }
    // Who does not read, a machine that sleeps among them, would keep the connection, and a server that stops, for as long.
    if (ended.aborted) cutOffSoon(response);
    // A server that stops waits for connections, too. Said with the headers, it would have clients take a break for the end.
    response.end(() => ended.aborted && response.req.socket.end());
  }
}

/** Longer than it takes to hear the end of an answer from wherever. */
const LAST_WORDS_MS = 1000;

/** Whoever hears that the answer is over closes the connection by themselves. */
function cutOffSoon({ req: { socket } }: Response): void {
  const cutOff = setTimeout(() => socket.destroy(), LAST_WORDS_MS);
  socket.once("close", () => clearTimeout(cutOff));
}

/** Until whoever asked has read on, or the answer is over: nothing is listened for any more then, however often somebody reads slowly. */
async function readOn(response: Response, ended: AbortSignal): Promise<void> {
  try {
    await once(response, "drain", { signal: ended });
  } catch (error) {
    if (!ended.aborted) throw error;
  }
}

/** Express would look up the type, and ask whether the answer is fresh, which its entity tag has settled already. */
function sendJson(response: Response, body: unknown): void {
  const text = JSON.stringify(body);
  response.setHeader("Content-Type", "application/json; charset=utf-8");
  response.setHeader("Content-Length", Buffer.byteLength(text));
  response.end(text);
}

/** One event as it goes over the wire (HTML, server-sent events); JSON has no line breaks. */
function textOf({ event, id, data }: ServerEvent): string {
  return [...(id === undefined ? [] : [`id: ${id}`]), `event: ${event}`, `data: ${JSON.stringify(data)}`, "", ""].join("\n");
}
