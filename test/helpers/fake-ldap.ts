import { createServer, type Server, type Socket } from "node:net";
import { BerReader, BerWriter, PagedResultsControl } from "ldapts";

/** An LDAP server that says what a test makes it say: for what a real one does only under load, in other brands, or when it breaks. */
export interface FakeLdap {
  url: string;
  /** Every search that came, in order. */
  searches: FakeSearch[];
  stop(): Promise<void>;
}

export interface FakeSearch {
  base: string;
  attributes: readonly string[];
  /** Undefined when the search was not paged; empty on the first page. */
  cookie?: string;
  pageSize?: number;
  /** Types of the controls that came with it. */
  controls: readonly string[];
}

export interface FakeEntry {
  dn: string;
  attributes: Readonly<Record<string, readonly (string | Buffer)[]>>;
}

/** What one search is answered with. */
export interface FakeAnswer {
  entries?: readonly FakeEntry[];
  references?: readonly string[];
  /** The result code; success when absent. `cut` breaks the connection before the result, `silent` sends none. */
  result?: number | "cut" | "silent";
  message?: string;
  /** The paging control's cookie; no paging control when absent. */
  cookie?: string;
}

const BIND = 0x60;
const SEARCH = 0x63;

/** @param root what the root entry says, each time it is asked; it is not counted as a search. Absent = nothing. */
export async function startFakeLdap(
  answer: (search: FakeSearch, number: number) => FakeAnswer,
  root?: () => FakeEntry["attributes"],
): Promise<FakeLdap> {
  const searches: FakeSearch[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    let buffer = Buffer.alloc(0);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (chunk: Buffer) => {
      buffer = Buffer.concat([buffer, chunk]);
      for (;;) {
        const reader = new BerReader(buffer);
        if (reader.readSequence() === null || reader.remain < reader.length) return;
        const end = reader.offset + reader.length;
        const id = reader.readInt() ?? 0;
        const operation = reader.peek();
        if (operation === BIND) socket.write(result(id, { operation: 0x61, status: 0 }));
        if (operation === SEARCH) {
          const search = readSearch(reader, end);
          if (search.base === "") send(socket, { id, answer: { entries: root === undefined ? [] : [{ dn: "", attributes: root() }] } });
          else {
            searches.push(search);
            send(socket, { id, answer: answer(search, searches.length) });
          }
        }
        buffer = buffer.subarray(end);
        if (buffer.length === 0) return;
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  return {
    url: `ldap://127.0.0.1:${port}`,
    searches,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function readSearch(reader: BerReader, end: number): FakeSearch {
  reader.readSequence(SEARCH);
  const searchEnd = reader.offset + reader.length;
  const base = reader.readString() ?? "";
  reader.readEnumeration();
  reader.readEnumeration();
  reader.readInt();
  reader.readInt();
  reader.readBoolean();
  skip(reader);
  reader.readSequence();
  const attributes: string[] = [];
  while (reader.offset < searchEnd) attributes.push(reader.readString() ?? "");
  const search: FakeSearch = { base, attributes, controls: [] };
  if (reader.offset >= end) return search;
  reader.readSequence(0xa0);
  const controls: string[] = [];
  while (reader.offset < end) {
    reader.readSequence();
    const controlEnd = reader.offset + reader.length;
    const type = reader.readString() ?? "";
    controls.push(type);
    if (reader.peek() === 0x01) reader.readBoolean();
    if (type === PagedResultsControl.type) {
      const value = new BerReader(reader.readString(0x04, true) ?? Buffer.alloc(0));
      value.readSequence();
      search.pageSize = value.readInt() ?? 0;
      search.cookie = value.readString() ?? "";
    }
    reader.offset = controlEnd;
  }
  return { ...search, controls };
}

function skip(reader: BerReader): void {
  reader.readSequence();
  reader.offset += reader.length;
}

function send(socket: Socket, { id, answer }: { id: number; answer: FakeAnswer }): void {
  for (const entry of answer.entries ?? []) socket.write(entryMessage(id, entry));
  for (const uri of answer.references ?? []) socket.write(message(id, { operation: 0x73, write: (writer) => writer.writeString(uri) }));
  if (answer.result === "cut") socket.end();
  else if (answer.result !== "silent") {
    socket.write(result(id, { operation: 0x65, status: answer.result ?? 0, message: answer.message, cookie: answer.cookie }));
  }
}

function entryMessage(id: number, entry: FakeEntry): Buffer {
  const write = (writer: BerWriter) => {
    writer.writeString(entry.dn);
    writer.startSequence();
    for (const [type, values] of Object.entries(entry.attributes)) {
      writer.startSequence();
      writer.writeString(type);
      writer.startSequence(0x31);
      for (const value of values) writer.writeBuffer(typeof value === "string" ? Buffer.from(value) : value, 0x04);
      writer.endSequence();
      writer.endSequence();
    }
    writer.endSequence();
  };
  return message(id, { operation: 0x64, write });
}

function result(
  id: number,
  options: { operation: number; status: number; message?: string | undefined; cookie?: string | undefined },
): Buffer {
  const { cookie } = options;
  const control = cookie === undefined ? undefined : new PagedResultsControl({ value: { size: 0, cookie: Buffer.from(cookie) } });
  const write = (writer: BerWriter) => {
    writer.writeEnumeration(options.status);
    writer.writeString("");
    writer.writeString(options.message ?? "");
  };
  return message(id, { operation: options.operation, write, control });
}

function message(
  id: number,
  { operation, write, control }: { operation: number; write: (writer: BerWriter) => void; control?: PagedResultsControl | undefined },
): Buffer {
  const writer = new BerWriter();
  writer.startSequence();
  writer.writeInt(id);
  writer.startSequence(operation);
  write(writer);
  writer.endSequence();
  if (control) {
    writer.startSequence(0xa0);
    control.write(writer);
    writer.endSequence();
  }
  writer.endSequence();
  return writer.buffer;
}
