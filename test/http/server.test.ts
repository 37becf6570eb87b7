import { once } from "node:events";
import type { AddressInfo } from "node:net";
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
