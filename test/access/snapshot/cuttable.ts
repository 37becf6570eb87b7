import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A way to a server that can be cut and mended, as networks are. */
export interface Cuttable {
  url: string;
  /** Ends what is open and lets nobody through. */
  cut(): void;
  /** Lets nothing through any more, and ends nothing: what is sent is never answered. */
  silence(): void;
  /** Falls silent on the one connection on which this is said next; all others go on. */
  silenceAt(text: string): void;
  mend(): void;
  close(): Promise<void>;
}

export async function cuttable(url: string): Promise<Cuttable> {
  const target = new URL(url);
  const open = new Set<Socket>();
  let state: "open" | "cut" | "silent" = "open";
  let trap: string | undefined;
  const server = createServer((near) => {
    if (state === "cut") {
      near.destroy();
      return;
    }
    const far = connect(Number(target.port || 5432), target.hostname);
    let lost = false;
    near.on("data", (data) => {
      if (trap === undefined || !data.includes(trap)) return;
      trap = undefined;
      lost = true;
    });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.on("data", (data) => state === "open" && !lost && to.write(data));
      from.on("error", () => to.destroy());
      from.on("close", () => {
        open.delete(from);
        to.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const own = new URL(url);
  own.hostname = "127.0.0.1";
  own.port = String((server.address() as AddressInfo).port);
  const end = () => open.forEach((socket) => socket.destroy());
  return {
    url: own.href,
    cut() {
      state = "cut";
      end();
    },
    silence: () => void (state = "silent"),
    silenceAt: (text) => void (trap = text),
    mend() {
      if (state === "silent") end();
      state = "open";
    },
    async close() {
      end();
      await new Promise((closed) => server.close(closed));
    },
  };
}
