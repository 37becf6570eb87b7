import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import pg from "pg";

const LET_IN = Buffer.from([..."R\0\0\0\x08\0\0\0\0", ..."K\0\0\0\x0c\0\0\0\x07\0\0\0\x07", ..."Z\0\0\0\x05I"].join(""), "latin1");
const READY = Buffer.from("Z\0\0\0\x05I", "latin1");
const FAREWELL = "X".charCodeAt(0);

export interface PoolerOptions {
  lends: "a transaction" | "a session";
  /** Most sessions that are lent at once: whoever comes when all are is let in, and waits. */
  most?: number;
}

/** Lets everybody in under a number of its own, and lends them sessions of the server: one to all, turn by turn, or to each its own. */
export async function startPooler(
  url: string,
  { lends, most = Infinity }: PoolerOptions,
): Promise<{ url: string; close(): Promise<void> }> {
  const sessions: pg.Client[] = [];
  const open = async () => {
    const client = new pg.Client({ connectionString: url });
    client.on("error", () => undefined);
    await client.connect();
    client.connection.stream.removeAllListeners("data");
    sessions.push(client);
    return lender(client.connection.stream as Socket);
  };
  const shared = lends === "a transaction" ? await open() : undefined;
  let inUse = 0;
  const server: Server = createServer(async (socket) => {
    // What is sent while a session is opened for it waits.
    socket.pause();
    inUse += 1;
    socket.on("close", () => (inUse -= 1));
    const lent = shared ?? (inUse > most ? () => undefined : await open());
    let letIn = false;
    socket.on("data", (chunk) => {
      if (!letIn) socket.write(LET_IN);
      else if (chunk[0] !== FAREWELL) lent(chunk, socket);
      letIn = true;
    });
    socket.on("error", () => socket.destroy());
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = new URL(url);
  address.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: address.href,
    async close() {
      server.close();
      for (const { connection } of sessions) connection.stream.destroy();
    },
  };
}

/** Asks a session for one after the other: the next is heard when the server is ready for it. */
function lender(session: Socket): (chunk: Buffer, answerTo: Socket) => void {
  let turns = Promise.resolve();
  let answered: ((chunk: Buffer) => void) | undefined;
  session.on("data", (chunk) => answered?.(chunk));
  return (chunk, answerTo) => {
    turns = turns.then(
      () =>
        new Promise((resolve) => {
          answered = (answer) => {
            answerTo.write(answer);
            if (answer.subarray(-READY.length).equals(READY)) resolve();
          };
          session.write(chunk);
        }),
    );
  };
}
