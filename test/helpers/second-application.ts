import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { scim } from "@better-auth/scim";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { getAuthTables } from "better-auth/db";
import { toNodeHandler } from "better-auth/node";

/** A SCIM 2.0 application by Better Auth: equality filters only, strict schemas, a few attributes, pages of at most 100. */
export interface SecondApplication {
  url: string;
  token: string;
  stop(): Promise<void>;
}

export async function startSecondApplication(): Promise<SecondApplication> {
  const token = randomBytes(24).toString("hex");
  const plugins = [scim({ connections: [{ id: "rollcall", credentials: [{ type: "bearer", id: "test", token }] }] })];
  const tables = Object.values(getAuthTables({ plugins })).map(({ modelName }) => [modelName, []]);
  const application = betterAuth({
    baseURL: "http://127.0.0.1",
    secret: randomBytes(32).toString("hex"),
    telemetry: { enabled: false },
    rateLimit: { enabled: false },
    logger: { disabled: true },
    database: memoryAdapter(Object.fromEntries(tables) as Record<string, never[]>),
    plugins,
  });
  const handler = toNodeHandler(application);
  const server = createServer((request, response) => void handler(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/auth/scim/v2`,
    token,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
