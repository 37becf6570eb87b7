import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { Writable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import express from "express";
import supertest from "supertest";
import { createApp } from "../../src/app.ts";
import { createLink } from "../../src/auth/links/links.ts";
import { createOauthClient } from "../../src/auth/oauth-clients.ts";
import { createToken } from "../../src/auth/tokens.ts";
import { ensureScimConnection } from "../../src/connections/builtin.ts";
import { configSchema } from "../../src/config.ts";
import { apiRoutes } from "../../src/http/api/routes.ts";
import { steadyBody } from "../../src/http/middleware/steady-body.ts";
import { securityText } from "../../src/http/well-known.ts";
import { createLog } from "../../src/log.ts";
import { silentLog } from "../helpers/database.ts";
import { openLogin, PASSWORD, type LoginDoor } from "./login/login-door.ts";
import { keyRing } from "./scim/door.ts";

const lines: string[] = [];
let door: LoginDoor;
let bearer: string;
let scim: string;

beforeAll(async () => {
  const destination = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(String(chunk));
      done();
    },
  });
  door = await openLogin({ log: createLog({ level: "trace", destination }) });
  bearer = (await door.work((work) => createToken(work, { name: "walker", scope: "api" }))).token;
  scim = (await door.work((work) => createToken(work, { name: "scim", scope: "scim" }))).token;
});
afterAll(() => door.close());

/** Another application over the same database, with settings of its own. */
const appWith = (http: object) =>
  createApp({ db: door.db, keyRing, config: configSchema.parse({ http, signIn: door.settings }), log: silentLog, now: door.clock.now });
const api = (path: string) => `/api/v1${path}`;

describe("headers", () => {
  test("answers to programs load nothing; pages load what is ours; nothing stands in a frame or is kept", async () => {
    for (const path of ["/healthz", api("/me"), "/scim/v2/Users", "/oauth/token", "/nowhere"]) {
      const { headers } = await supertest(door.url).get(path);
      const policy = headers["content-security-policy"];
      // What stands at no door has come by the last one, that of the pages.
      if (path === "/nowhere") expect(policy).toContain("frame-ancestors 'none'");
      else expect([path, policy]).toEqual([path, "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"]);
      expect(headers).toMatchObject({
        "cache-control": "no-store",
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "referrer-policy": path === "/nowhere" ? "same-origin" : "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": expect.stringContaining("camera=()"),
      });
      expect(headers).not.toHaveProperty("x-powered-by");
    }
    const { headers, text } = await supertest(door.url).get("/login").expect(200);
    // With "no-referrer" browsers send `Origin: null` with our own forms.
    expect(headers["referrer-policy"]).toBe("same-origin");
    const policy = headers["content-security-policy"] ?? "";
    for (const part of ["default-src 'none'", "script-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"])
      expect(policy).toContain(part);
    expect(policy).not.toMatch(/unsafe|\*|https:/);
    expect(text).not.toMatch(/<script>|<style|style=| on[a-z]+=/);
    expect((await supertest(door.url).get("/login/public/login.css").expect(200)).headers["cache-control"]).toBe("public, max-age=3600");
    expect((await supertest(door.url).get("/api/docs").expect(200)).headers["content-security-policy"]).toContain("style-src 'self'");
  });

  test("https is insisted on where the public address is one, and only there", async () => {
    expect((await supertest(door.url).get("/healthz")).headers).not.toHaveProperty("strict-transport-security");
    const { headers } = await supertest(appWith({ publicUrl: "https://rollcall.example.com" })).get("/healthz");
    expect(headers["strict-transport-security"]).toBe("max-age=31536000");
  });

  test("no door lets another site's pages read it (CORS is closed)", async () => {
    for (const path of ["/login", "/account", api("/me"), "/console/api/v1/me", "/scim/v2/Users", "/oauth/token", "/healthz"])
      for (const method of ["get", "options"] as const) {
        const agent = supertest(door.url);
        const { headers } = await agent[method](path).set({ Origin: "https://elsewhere.example", "Access-Control-Request-Method": "POST" });
        expect(Object.keys(headers).filter((name) => name.startsWith("access-control-"))).toEqual([]);
      }
  });
});

describe("each door by its own credential", () => {
  test("every route of the API refuses a cookie, and every route for pages a bearer token", async () => {
    const { userName } = await door.newPerson();
    const browser = door.browser();
    await door.signIn(browser, { name: userName });
    const Cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    // Both credentials are good where they belong.
    await supertest(door.url).get("/console/api/v1/me").set({ Cookie }).expect(200);
    await supertest(door.url).get(api("/me")).set("Authorization", `Bearer ${bearer}`).expect(200);
    const opened: string[] = [];
    for (const { method, path, access } of apiRoutes()) {
      if (access === "public") continue;
      const at = path.replaceAll(/\{[^}]+\}/g, randomUUID());
      const agent = supertest(door.url);
      const byCookie = await agent[method](api(at)).set({ Cookie, Origin: door.url });
      const byToken = await agent[method](`/console/api/v1${at}`).set({ Authorization: `Bearer ${bearer}` });
      if (byCookie.status !== 401 || byToken.status !== 401) opened.push(`${method} ${path}: ${byCookie.status} ${byToken.status}`);
    }
    expect(opened).toEqual([]);
    for (const path of ["/scim/v2/Users", "/scim/v2/Me", "/feeds/people"])
      await supertest(door.url)
        .get(path)
        .set({ Cookie })
        .expect((answer) => expect([401, 404, 405]).toContain(answer.status));
    for (const path of ["/account", "/account/password"]) {
      const answer = await supertest(door.url).get(path).set("Authorization", `Bearer ${bearer}`);
      expect([answer.status, answer.headers["location"]]).toEqual([303, expect.stringMatching(/^\/login/)]);
    }
  });
});

describe("who comes, and by which address", () => {
  test("X-Forwarded-For is believed of a trusted proxy only", async () => {
    const seenFrom = async (trustProxy: boolean | number | string, forwarded: string) => {
      const { id, token } = await door.work((work) => createToken(work, { name: "from", scope: "api" }));
      await supertest(appWith({ trustProxy }))
        .get(api("/me"))
        .set({ Authorization: `Bearer ${token}`, "X-Forwarded-For": forwarded })
        .expect(200);
      const { rows } = await door.db.pool.query<{ network: string }>("select last_used_from as network from tokens where id = $1", [id]);
      return rows[0]?.network;
    };
    expect(await seenFrom(false, "203.0.113.7")).toBe("127.0.0.0/24");
    expect(await seenFrom(1, "203.0.113.7")).toBe("203.0.113.0/24");
    // What a client puts in front of what the proxy says counts for nothing.
    expect(await seenFrom(1, "198.51.100.1, 203.0.113.7")).toBe("203.0.113.0/24");
    expect(await seenFrom("192.0.2.1", "203.0.113.7")).toBe("127.0.0.0/24");
  });

  test("what the Host header says is in no link and no redirect", async () => {
    const app = appWith({ publicUrl: "https://rollcall.example.com" });
    for (const path of ["/", "/login", "/login/forgot", "/account", "/.well-known/change-password", "/.well-known/security.txt"]) {
      const { text, headers } = await supertest(app).get(path).set({ Host: "evil.example", "X-Forwarded-Host": "evil.example" });
      expect(`${path} ${text} ${JSON.stringify(headers)}`).not.toContain("evil.example");
    }
  });
});

describe("well-known addresses", () => {
  test("security.txt as RFC 9116 has it, once there is a contact", async () => {
    await supertest(door.url).get("/.well-known/security.txt").expect(404);
    const app = appWith({
      publicUrl: "https://rollcall.example.com/",
      security: {
        contacts: ["mailto:security@example.com", "https://example.com/report"],
        languages: ["en", "fi"],
        policy: "https://example.com/policy",
      },
    });
    const { text, headers } = await supertest(app).get("/.well-known/security.txt").expect(200);
    expect(headers["content-type"]).toBe("text/plain; charset=utf-8");
    expect(text.split("\r\n").filter((line) => !line.startsWith("Expires"))).toEqual([
      "Contact: mailto:security@example.com",
      "Contact: https://example.com/report",
      "Preferred-Languages: en, fi",
      "Canonical: https://rollcall.example.com/.well-known/security.txt",
      "Policy: https://example.com/policy",
      "",
    ]);
    const now = new Date("2027-12-31T23:59:59.999Z");
    const expires =
      /^Expires: (.+)$/m.exec(securityText({ http: { security: { contacts: ["tel:+1"], languages: [] } }, now }) ?? "")?.[1]?.trim() ?? "";
    expect(expires).toBe("2028-06-28T23:59:59Z");
    for (const wrong of [
      { contacts: ["security@example.com"] },
      { contacts: ["javascript:alert(1)"] },
      { contacts: [], languages: ["x\r\ny"] },
    ])
      expect(configSchema.safeParse({ http: { security: wrong } }).success).toBe(false);
  });

  test("password managers are led to where a password is changed", async () => {
    const { headers } = await supertest(door.url).get("/.well-known/change-password").expect(302);
    expect(headers["location"]).toBe("/account/password");
    await supertest(door.url).get("/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200").expect(404);
  });
});

describe("bodies", () => {
  test("too large a body is refused at each door", async () => {
    const large = "x".repeat(2 * 1024 * 1024);
    await supertest(door.url).post(api("/units")).set("Authorization", `Bearer ${bearer}`).send({ name: large }).expect(413);
    await supertest(door.url)
      .post("/scim/v2/Users")
      .set("Authorization", `Bearer ${scim}`)
      .type("application/scim+json")
      .send(JSON.stringify({ userName: large }))
      .expect(413);
    await supertest(door.url)
      .post("/oauth/token")
      .type("form")
      .send({ grant_type: large })
      .expect((answer) => expect([400, 413]).toContain(answer.status));
    await supertest(door.url).post("/login").type("form").send({ name: large }).expect(413);
  });

  test("a body that comes drop by drop is cut off; one that goes on is not", async () => {
    const app = express();
    app.use(steadyBody({ graceMs: 60, bytesPerSecond: 1000 }));
    // As whoever is not let in is: told so before anything of the body is read.
    app.post("/refused", (_request, response) => response.sendStatus(401));
    app.use(express.text(), (request, response) => response.send(String(String(request.body).length)));
    const server = createServer(app).listen(0, "127.0.0.1");
    await once(server, "listening");
    const send = (every: number, drop: string, path = "/") =>
      new Promise<string>((resolve) => {
        const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
        let text = "";
        const kept = path === "/" ? "Connection: close\r\n" : "";
        socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 4000\r\n${kept}\r\n`);
        let sent = 0;
        const timer = setInterval(() => {
          if (sent >= 4000) return;
          socket.write(drop);
          sent += drop.length;
        }, every);
        socket.on("data", (chunk) => (text += chunk.toString()));
        socket.on("error", () => undefined);
        socket.on("close", () => {
          clearInterval(timer);
          resolve(sent < 4000 ? `${text} cut off` : text);
        });
      });
    try {
      expect(await send(20, "x")).toContain("408");
      expect(await send(20, "x".repeat(200))).toContain("200 OK");
      expect(await send(20, "x", "/refused")).toMatch(/401 Unauthorized[^]* cut off$/);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

test("no secret that comes by any door stands in the log, wherever it was put", async () => {
  const { personId, userName } = await door.newPerson();
  const { token: link } = await door.work((work) => createLink(work, { personId, purpose: "reset", hours: 1 }));
  const wrong = `wrong-${randomUUID()}`;
  const connectionId = await door.work((work) => ensureScimConnection(work));
  const client = await door.work((work) => createOauthClient(work, { name: "client", connectionId }));
  const secrets = [bearer, scim, PASSWORD, wrong, link, client.clientSecret];
  const browser = door.browser();
  await door.signIn(browser, { name: userName, password: wrong });
  await door.signIn(browser, { name: userName });
  const open = supertest(door.url);
  await open.post("/login/link").type("form").send({ token: link });
  for (const secret of secrets) {
    await open.get(api("/me")).set("Authorization", `Bearer ${secret}`);
    await open.get(`/scim/v2/Users?access_token=${encodeURIComponent(secret)}`).set("Authorization", `Bearer ${scim}`);
    await open.post("/oauth/token").type("form").send({ grant_type: "client_credentials", client_id: "x", client_secret: secret });
    await open.post("/oauth/token").auth("client", secret).type("form").send({ grant_type: "client_credentials" });
    await open.get(`/login?return_to=${encodeURIComponent(`/account?code=${secret}`)}`);
    await open.get(`/oidc/nobody/callback?code=${encodeURIComponent(secret)}&state=${encodeURIComponent(secret)}`);
    await open.post("/saml/nobody/acs").type("form").send({ SAMLResponse: secret, RelayState: secret });
    await open.post("/login/password").type("form").send({ name: secret, password: secret });
    await open.post("/hooks/nobody").send({ clientState: secret });
  }
  const log = lines.join("");
  expect(log).toContain('"request"');
  for (const secret of [...secrets, ...browser.cookies.values()])
    expect(log.includes(secret) || log.includes(encodeURIComponent(secret))).toBe(false);
});
