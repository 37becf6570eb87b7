import { connect as connectPlain, isIP, type LookupFunction, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { BerReader, PagedResultsControl, SearchResponse, type Control } from "ldapts";

/**
 * One LDAP connection (RFC 4511): messages out, answers back by their message id. It never reconnects by itself: ldapts'
 * client does, unbound, and an anonymous reader who sees half of the directory looks just like a complete read.
 */

export interface Answer {
  /** The result code; 0 is success. */
  status: number;
  matchedDn: string;
  message: string;
  /** Entries go to `onEntry`; here are the continuation references (RFC 4511 section 4.5.3). */
  references: string[];
  /** The paging cookie; undefined when the answer had no paging control. */
  cookie?: Buffer;
}

export interface Request {
  encode(messageId: number): Buffer;
  /** A search entry: `message` is its whole LDAP message, `start` the place behind the entry's tag and length. */
  onEntry?(message: Buffer, start: number): void;
  /** Read what the result says to them. */
  controls?: readonly Control[];
  timeoutMs: number;
}

export interface Wire {
  request(request: Request): Promise<Answer>;
  /** Puts TLS on the connection, after the server agreed to StartTLS. */
  upgrade(tls: ConnectionOptions): Promise<void>;
  close(): void;
}

export interface WireOptions {
  host: string;
  port: number;
  /** Absent = plain TCP. */
  tls?: ConnectionOptions;
  /** Finds the host's addresses. */
  lookup: LookupFunction;
  connectTimeoutMs: number;
  signal: AbortSignal;
}

/** A request or connection that took longer than its time. */
export class TimedOut extends Error {}

interface Pending {
  request: Request;
  references: string[];
  resolve(answer: Answer): void;
  reject(error: unknown): void;
  timer: NodeJS.Timeout;
}

const SEARCH_ENTRY = 0x64;
const SEARCH_REFERENCE = 0x73;
const INTERMEDIATE = 0x79;
const LARGEST_MESSAGE = 0x1fff_ffff;

/** @throws the socket's or TLS's own error, TimedOut, or the signal's reason */
export async function openWire(options: WireOptions): Promise<Wire> {
  options.signal.throwIfAborted();
  const { host, port, lookup } = options;
  let socket: Socket = options.tls
    ? await secured({ ...options, tls: { host, port, lookup, ...options.tls } })
    : await ready(connectPlain({ host, port, lookup }), "connect", options);
  const pending = new Map<number, Pending>();
  let lastId = 0;
  let ended: unknown;

  const end = (reason: unknown) => {
    ended ??= reason;
    socket.destroy();
    for (const waiting of pending.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(ended);
    }
    pending.clear();
  };
  const onAbort = () => end(options.signal.reason);
  options.signal.addEventListener("abort", onAbort, { once: true });

  const receive = (message: Buffer) => {
    const reader = new BerReader(message);
    reader.readSequence();
    const id = reader.readInt() ?? 0;
    const operation = reader.readSequence() ?? 0;
    const waiting = pending.get(id);
    if (id === 0) throw new Error(`the server ended the connection: ${resultOf(reader, []).message || "notice of disconnection"}`);
    if (waiting === undefined || operation === INTERMEDIATE) return;
    waiting.timer.refresh();
    if (operation === SEARCH_ENTRY) waiting.request.onEntry?.(message, reader.offset);
    else if (operation === SEARCH_REFERENCE) waiting.references.push(reader.readString() ?? "");
    else {
      pending.delete(id);
      clearTimeout(waiting.timer);
      waiting.resolve({ ...resultOf(reader, waiting.request.controls ?? []), references: waiting.references });
    }
  };
  const onClose = () => end(new Error("the server closed the connection"));
  /** Answers the undoing. Only our own listeners: a TLS socket has some of its own. */
  const listen = (to: Socket) => {
    const take = messageReader(receive);
    const onData = (chunk: Buffer) => {
      try {
        take(chunk);
      } catch (error) {
        end(error);
      }
    };
    to.on("data", onData).on("error", end).on("close", onClose);
    return () => void to.off("data", onData).off("error", end).off("close", onClose);
  };
  const stopListening = listen(socket);

  return {
    request: (request) =>
      new Promise((resolve, reject) => {
        if (ended !== undefined) return reject(ended);
        const id = ++lastId;
        const timer = setTimeout(() => end(new TimedOut(`no answer within ${request.timeoutMs} ms`)), request.timeoutMs);
        pending.set(id, { request, references: [], resolve, reject, timer });
        socket.write(request.encode(id));
      }),
    upgrade: async (tls) => {
      stopListening();
      socket = await secured({ ...options, tls: { ...tls, socket, host } });
      listen(socket);
    },
    close: () => {
      options.signal.removeEventListener("abort", onAbort);
      end(new Error("the connection was closed"));
    },
  };
}

function secured(options: WireOptions & { tls: ConnectionOptions }): Promise<Socket> {
  const servername = isIP(options.host) === 0 ? { servername: options.host } : {};
  return ready(connectTls({ minVersion: "TLSv1.2", ...servername, ...options.tls }), "secureConnect", options);
}

function ready(socket: Socket, event: "connect" | "secureConnect", { connectTimeoutMs, signal }: WireOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => failed(new TimedOut(`no connection within ${connectTimeoutMs} ms`)), connectTimeoutMs);
    const onAbort = () => failed(signal.reason);
    const onClose = () => failed(new Error("the server closed the connection"));
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      socket.off("error", failed).off("close", onClose);
    };
    const failed = (reason: unknown) => {
      settle();
      // A socket that is being torn down may still report an error; it was told already.
      socket.on("error", () => undefined);
      socket.destroy();
      reject(reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("error", failed);
    socket.once("close", onClose);
    socket.once(event, () => {
      settle();
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

/** Cuts a byte stream into LDAP messages, joining chunks only once a message is whole. */
function messageReader(receive: (message: Buffer) => void): (chunk: Buffer) => void {
  let chunks: Buffer[] = [];
  let have = 0;
  let need = 2;
  return (chunk) => {
    chunks.push(chunk);
    have += chunk.length;
    if (have < need) return;
    const bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks, have);
    let at = 0;
    for (;;) {
      need = messageLength(bytes, at);
      if (bytes.length - at < need) break;
      receive(bytes.subarray(at, at + need));
      at += need;
    }
    chunks = at < bytes.length ? [bytes.subarray(at)] : [];
    have = bytes.length - at;
  };
}

/** Length of the message that begins here, or of what must be read to know it. */
function messageLength(bytes: Buffer, at: number): number {
  if (bytes.length - at < 2) return 2;
  if (bytes[at] !== 0x30) throw new Error("the server does not speak LDAP here (its answer is no LDAP message)");
  const first = bytes[at + 1] ?? 0;
  if (first < 0x80) return 2 + first;
  const bytesOfLength = first & 0x7f;
  if (bytes.length - at < 2 + bytesOfLength) return 2 + bytesOfLength;
  const length = bytes.readUIntBE(at + 2, Math.min(bytesOfLength, 6));
  if (bytesOfLength > 6 || length > LARGEST_MESSAGE) throw new Error("the server sent a message of an impossible length");
  return 2 + bytesOfLength + length;
}

/** All results are one sequence (RFC 4511 section 4.1.9), so that one reader serves bind, modify and search. */
function resultOf(reader: BerReader, controls: readonly Control[]): Omit<Answer, "references"> {
  const response = new SearchResponse({ messageId: 0 });
  response.parse(reader, [...controls]);
  const paging = response.controls?.find((control) => control instanceof PagedResultsControl);
  return {
    status: response.status,
    matchedDn: response.matchedDN,
    message: response.errorMessage,
    ...(paging?.value?.cookie === undefined ? {} : { cookie: paging.value.cookie }),
  };
}
