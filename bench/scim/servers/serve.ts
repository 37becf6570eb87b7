import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

export interface ServerJob {
  databaseUrl: string;
  /** Connections to PostgreSQL: as many as ours has. */
  poolSize: number;
  token: string;
  /** Size of the directory, for a server that keeps it in memory. */
  people: number;
}

/** The child's side of a peer: takes its job from the parent, listens, and says where. It ends with the parent. */
export function serve<J extends object>(make: (job: J) => RequestListener | Promise<RequestListener>): void {
  process.once("disconnect", () => process.exit());
  process.once("message", (job: J) => {
    void (async () => {
      const server = createServer(await make(job));
      server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as AddressInfo).port }));
    })();
  });
}
