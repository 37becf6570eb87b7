import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** Below what systems give out by themselves (Linux from 32768, IANA's advice from 49152), and where few services live. */
const [FIRST, END] = [20_000, 32_000];

/**
 * A port of 127.0.0.1 on which nobody listens, for a process that is about to be started on it. One that the system picks might be
 * somebody else's by then: it gives the same ones to every connection that begins.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, END);
    if (await isFree(port)) return port;
  }
}

/** Whether somebody could listen on that port of 127.0.0.1 now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
