import { once } from "node:events";
import { Agent, request } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import express from "express";
import { drain } from "../../src/http/drain.ts";
import { serverOf } from "../../src/http/server.ts";
import { silentLog } from "../helpers/database.ts";

test("M5: a server that stops answers what is in flight, and is not kept from it by clients that go on on the connections they have", async () => {
  const app = express();
  const served = { count: 0 };
  app.get("/quick", async (_request, response) => {
    served.count += 1;
    await wait(5);
    response.send("ok");
  });
  app.get("/slow", async (_request, response) => {
    await wait(400);
    response.send("ok");
  });
  const server = serverOf(app, { keepAliveTimeout: 60_000 }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const agent = new Agent({ keepAlive: true, maxSockets: 20 });
  const get = (path: string) =>
    new Promise<string>((resolve) => {
      request({ host: "127.0.0.1", port, path, agent }, (response) => {
        response.resume().on("end", () => resolve(String(response.statusCode)));
      })
        .on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
        .end();
    });
  const slow = get("/slow");
  const clients = Array.from({ length: 8 }, async () => {
    for (let turn = 0; turn < 500; turn += 1) if ((await get("/quick")) === "ECONNREFUSED") return;
  });
  while (served.count < 40) await wait(5);
  const before = served.count;
  await drain(server, { log: silentLog, withinMs: 60_000 });
  expect(served.count - before).toBeLessThan(8 * 4);
  expect(await slow).toBe("200");
  await Promise.all(clients);
  agent.destroy();
});
