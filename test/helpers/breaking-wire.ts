import { createServer, connect, type AddressInfo, type Socket } from "node:net";

/** A wire to a server on this machine that passes everything on until it is told to break; it has the server's address, and a port of its own. */
export interface BreakingWire {
  port: number;
  /** Resets every connection once so many more bytes of the server's have come through; undefined: never. */
  breakAfter(bytes: number | undefined): void;
  /** Nothing comes through any more, in neither direction, and nobody is told; connections are taken and heard no more of. Or all of it does again. */
  hush(silent: boolean): void;
  /** New connections are reset at once, and those that are there stay. Or all are taken again. */
  refuse(refused: boolean): void;
  stop(): Promise<void>;
}

export async function openBreakingWire(to: { host: string; port: number }): Promise<BreakingWire> {
  const sockets = new Set<Socket>();
  let silent = false;
  let refusing = false;
  let left = Infinity;
  const server = createServer((near) => {
    if (refusing) return near.resetAndDestroy();
    const far = connect(to);
    const both = [near, far];
    for (const socket of both) {
      sockets.add(socket);
      socket.on("close", () => {
        sockets.delete(socket);
        for (const each of both) each.destroy();
      });
      // A connection that one side resets ends at the other as well; that is what a wire is for.
      socket.on("error", () => undefined);
    }
    near.on("data", (chunk: Buffer) => void far.write(chunk));
    near.on("end", () => far.end());
    far.on("end", () => near.end());
    far.on("data", (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) near.resetAndDestroy();
      else near.write(chunk);
    });
    if (silent) for (const socket of both) socket.pause();
  });
  await new Promise<void>((resolve) => server.listen(0, to.host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    breakAfter: (bytes) => {
      left = bytes ?? Infinity;
    },
    hush: (hushed) => {
      silent = hushed;
      for (const socket of sockets) socket[hushed ? "pause" : "resume"]();
    },
    refuse: (refused) => {
      refusing = refused;
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
