import { once } from "node:events";
import { connect, type AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import express from "express";
import supertest from "supertest";
import { serverOf } from "../../src/http/server.ts";

const app = express();
app.set("trust proxy", true);
const server = serverOf(app, { maxHeaderSize: 4096 });
/** The prototypes under each request and answer, as they came and as handlers find them. */
const found: object[][] = [];

beforeAll(async () => {
  const prototypes = (...objects: object[]) => objects.map((object) => Object.getPrototypeOf(object) as object);
  server.prependListener("request", (request, response) => found.push(prototypes(request, response)));
  app.use(express.json(), (request, response, next) => {
    found.push(prototypes(request, response));
    next();
  });
  app.post("/people/:id", (request, response) => {
    response.status(201).json({ ip: request.ip, id: request.params.id, given: request.get("X-Given"), body: request.body as unknown });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => void server.close());

const base = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

describe("a server of an Express application", () => {
  test("gives requests and answers the prototypes that Express would put under them", async () => {
    found.length = 0;
    await supertest(base()).post("/people/a").send({ active: true }).expect(201);
    await supertest(base()).get("/nowhere").expect(404);
    expect(found).toHaveLength(4);
    for (const [request, response] of found) {
      expect(request).toBe(app.request);
      expect(response).toBe(app.response);
    }
  });

  test("is Express in full, with the server's own options", async () => {
    const { body } = await supertest(base())
      .post("/people/a%20b")
      .set({ "X-Given": "x", "X-Forwarded-For": "192.0.2.7" })
      .send({ active: true })
      .expect(201);
    expect(body).toEqual({ ip: "192.0.2.7", id: "a b", given: "x", body: { active: true } });
    await supertest(base()).get("/").set("X-Long", "x".repeat(5000)).expect(431);
  });
});

describe("M1: an answer that nobody reads", () => {
  const LARGE = Buffer.alloc(40 * 1024 * 1024, "x");
  const application = express();
  let ended: (how: string) => void;
  application.get("/large", (_request, response) => {
    response.on("close", () => ended("given up"));
    response.end(LARGE);
  });
  application.get("/slow", async (_request, response) => {
    await wait(900);
    response.send("ok");
  });
  const careful = serverOf(application, { keepAliveTimeout: 1500, answersMayStandStillMs: 200 });
  // A busy machine stands still for some hundred milliseconds, too.
  const patient = serverOf(application, { answersMayStandStillMs: 2000 });
  const asking = (path: string, of = careful) => {
    const client = connect((of.address() as AddressInfo).port, "127.0.0.1").on("error", () => client.destroy());
    client.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    return client;
  };
  beforeAll(async () => {
    for (const each of [careful, patient]) await once(each.listen(0, "127.0.0.1"), "listening");
  });
  afterAll(() => {
    for (const each of [careful, patient]) {
      each.closeAllConnections();
      each.close();
    }
  });

  test("is given up, and its memory with it", async () => {
    const end = new Promise<string>((resolve) => (ended = resolve));
    asking("/large").pause();
    expect(await Promise.race([end, wait(5000, "kept")])).toBe("given up");
  });

  test("is one that nobody takes anything of: who reads slowly comes to its end", async () => {
    const client = asking("/large", patient);
    let bytes = 0;
    for await (const chunk of client) {
      bytes += (chunk as Buffer).length;
      if (bytes >= LARGE.length) break;
      await wait(5);
    }
    expect(bytes).toBeGreaterThanOrEqual(LARGE.length);
  });

  test("is not one that takes long to work out; connections that are idle end when they would anyway", async () => {
    const client = asking("/slow");
    expect(String((await once(client, "data"))[0])).toMatch(/^HTTP\/1\.1 200 /);
    const answeredAt = performance.now();
    await once(client, "close");
    expect(performance.now() - answeredAt).toBeGreaterThan(1000);
  });
});
