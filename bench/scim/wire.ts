import { once } from "node:events";
import { connect } from "node:net";

export interface Answer {
  status: number;
  body: Buffer;
}

/** One HTTP/1.1 connection with one request at a time: all that a load needs, at a tenth of what a full client costs. */
export interface Wire {
  /** Sends a whole request and waits for its answer. Throws when the connection ends before it. */
  send(request: Buffer): Promise<Answer>;
  close(): void;
}

interface Waiting {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

const PATIENCE_MS = 300_000;
const READ_AT_ONCE = 65_536;
const HEAD_END = Buffer.from("\r\n\r\n");
const LAST_CHUNK = Buffer.from("0\r\n\r\n");
const EMPTY = Buffer.alloc(0);

export async function openWire({ host, port }: { host: string; port: number }): Promise<Wire> {
  // One buffer for all that comes: a new one for each read costs more than to copy what an answer has of it.
  const onread = {
    buffer: Buffer.allocUnsafe(READ_AT_ONCE),
    callback: (length: number, buffer: Uint8Array) => {
      take(Buffer.from(buffer.subarray(0, length)));
      return true;
    },
  };
  const socket = connect({ host, port, noDelay: true, onread });
  await once(socket, "connect");
  let waiting: Waiting | undefined;
  let held: Buffer[] = [];
  let size = 0;
  /** Bytes that the answer has in all, once its head is read and says so. */
  let awaited: number | undefined;
  let inChunks = false;

  const take = (chunk: Buffer) => {
    held.push(chunk);
    size += chunk.length;
    if (awaited !== undefined && size < awaited) return;
    if (inChunks && !endsWithLast(chunk)) return;
    const bytes = held.length === 1 ? chunk : Buffer.concat(held, size);
    held = [bytes];
    const read = readAnswer(bytes);
    if (typeof read === "number") awaited = read;
    inChunks = read === "in chunks";
    if (typeof read !== "object") return;
    held = [];
    size = 0;
    awaited = undefined;
    const turn = waiting;
    waiting = undefined;
    turn?.resolve(read);
  };
  const ended = (error?: Error) => {
    waiting?.reject(error ?? new Error("The server closed the connection instead of answering."));
    waiting = undefined;
  };
  socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error("The server did not answer within five minutes.")));
  socket.on("error", ended);
  socket.on("close", () => ended());

  return {
    send: (request) =>
      new Promise((resolve, reject) => {
        if (socket.destroyed) return reject(new Error("The server has closed the connection."));
        waiting = { resolve, reject };
        socket.write(request);
      }),
    close: () => void socket.destroy(),
  };
}

/** The last chunk of an answer and nothing after it: to look for it before would be to read all that has come again and again. */
function endsWithLast(bytes: Buffer): boolean {
  return bytes.length < LAST_CHUNK.length || bytes.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK);
}

/** The answer; or how many bytes it will have, or that it comes in chunks; or undefined while nothing can be known. */
function readAnswer(bytes: Buffer): Answer | number | "in chunks" | undefined {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const head = bytes.toString("latin1", 0, headEnd);
  const status = Number(head.slice(9, 12));
  const start = headEnd + HEAD_END.length;
  if (status === 204 || status === 304) return { status, body: EMPTY };
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) {
    const end = start + Number(length);
    return bytes.length < end ? end : { status, body: bytes.subarray(start, end) };
  }
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) throw new Error("The server answered with neither a length nor chunks.");
  const body = readChunks(bytes, start);
  return body ? { status, body } : "in chunks";
}

/** RFC 9112 section 7.1, without trailers; undefined until the last chunk is there. */
function readChunks(bytes: Buffer, start: number): Buffer | undefined {
  const parts: Buffer[] = [];
  for (let at = start; ;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    const from = lineEnd + 2;
    if (bytes.length < from + size + 2) return undefined;
    if (size === 0) return Buffer.concat(parts);
    parts.push(bytes.subarray(from, from + size));
    at = from + size + 2;
  }
}
