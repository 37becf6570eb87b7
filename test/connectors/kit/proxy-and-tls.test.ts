import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { connect, type AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { operatorsProxy } from "../../../connectors/kit/dispatcher.ts";
import { openHttp, type HttpOptions } from "../../../connectors/kit/http.ts";
import { proxySettings } from "../../../connectors/kit/settings.ts";
import { loopback } from "../../helpers/database.ts";
import { json, standIn, type StandIn } from "./stand-in.ts";

interface Proxy {
  url: string;
  /** Where it was asked to lead to, with the headers of the asking. */
  tunnels: { to: string | undefined; headers: IncomingHttpHeaders }[];
  stop(): Promise<void>;
}

/** An HTTP proxy that leads every name to this machine. */
async function openProxy({ credentials }: { credentials?: string } = {}): Promise<Proxy> {
  const tunnels: Proxy["tunnels"] = [];
  const server = createServer((_request, response) => response.writeHead(405).end());
  server.on("connect", (request, socket) => {
    tunnels.push({ to: request.url, headers: request.headers });
    if (credentials && request.headers["proxy-authorization"] !== `Basic ${Buffer.from(credentials).toString("base64")}`)
      return void socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    const onward = connect(Number(request.url?.split(":").at(-1)), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      onward.pipe(socket);
      socket.pipe(onward);
    });
    onward.on("error", () => socket.destroy());
    socket.on("error", () => onward.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tunnels,
    stop: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

describe("TLS and proxies", () => {
  let folder: string;
  let certificate: { key: string; cert: string };
  let secure: StandIn;
  beforeAll(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-tls-"));
    const { status, stderr } = spawnSync(
      "openssl",
      "req -x509 -newkey rsa:2048 -nodes -days 2 -keyout key.pem -out cert.pem -subj /CN=idp.test -addext subjectAltName=DNS:idp.test,IP:127.0.0.1".split(
        " ",
      ),
      { cwd: folder, encoding: "utf8" },
    );
    if (status !== 0) throw new Error(stderr);
    certificate = { key: readFileSync(path.join(folder, "key.pem"), "utf8"), cert: readFileSync(path.join(folder, "cert.pem"), "utf8") };
    secure = await standIn((_request, response) => json(response, { hello: "there" }), { tls: certificate });
  });
  afterAll(async () => {
    await secure.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function ask(baseUrl: string, options: Partial<HttpOptions> = {}): Promise<unknown> {
    const http = openHttp({
      system: "The system",
      baseUrl,
      credential: () => ({ authorization: "Bearer the-secret-token" }),
      timeoutMs: 30_000,
      network: loopback,
      signal: new AbortController().signal,
      now: () => new Date(),
      ...options,
    });
    try {
      return (await http.request({ method: "GET", path: "/" })).body;
    } finally {
      await http.close();
    }
  }

  test("a certificate of an unknown CA is refused, even where the environment would let it pass", async () => {
    const before = process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    try {
      await expect(ask(secure.url)).rejects.toMatchObject({
        kind: "misconfigured",
        message: expect.stringContaining("Give that CA as `ca`"),
      });
    } finally {
      if (before === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
      else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before;
    }
    expect(secure.asked).toEqual([]);
  });

  test("a connection's own CA is trusted, for its own name only", async () => {
    expect(await ask(secure.url, { ca: certificate.cert })).toEqual({ hello: "there" });
    await expect(ask(`https://localhost:${secure.port}`, { ca: certificate.cert })).rejects.toMatchObject({
      kind: "misconfigured",
      message: expect.stringMatching(/is not for localhost.*Set the URL to a name that it is for/),
    });
  });

  test("a certificate whose time has not come or is over, and a port that speaks no TLS, are for a human to mend: nothing is tried again", async () => {
    const openssl = (...args: string[]) => expect(spawnSync("openssl", args, { cwd: folder }).status).toBe(0);
    openssl(
      ..."req -newkey rsa:2048 -nodes -keyout old.key -out old.csr -subj /CN=idp.test -addext subjectAltName=IP:127.0.0.1".split(" "),
    );
    openssl(
      ..."x509 -req -in old.csr -CA cert.pem -CAkey key.pem -CAcreateserial -days -1 -copy_extensions copyall -out old.pem".split(" "),
    );
    const [key, cert] = ["old.key", "old.pem"].map((name) => readFileSync(path.join(folder, name), "utf8"));
    const expired = await standIn((_request, response) => json(response, {}), { tls: { key: key ?? "", cert: cert ?? "" } });
    const plain = await standIn((_request, response) => json(response, {}));
    try {
      await expect(ask(expired.url, { ca: certificate.cert })).rejects.toMatchObject({
        kind: "misconfigured",
        message: expect.stringMatching(/^The certificate of the system has expired/),
      });
      await expect(ask(plain.url.replace("http:", "https:"))).rejects.toMatchObject({
        kind: "misconfigured",
        message: expect.stringMatching(/does not speak TLS.*Check the URL/),
      });
      expect([...expired.asked, ...plain.asked]).toEqual([]);
    } finally {
      await expired.stop();
      await plain.stop();
    }
  });

  test("through the operator's proxy, TLS is with the system itself and the credential stays inside", async () => {
    const proxy = await openProxy({ credentials: "us:proxy-pass" });
    try {
      const network = { allow: [], proxy: proxy.url.replace("//", "//us:proxy-pass@") };
      const url = `https://idp.test:${secure.port}`;
      expect(await ask(url, { network, ca: certificate.cert })).toEqual({ hello: "there" });
      await expect(ask(url, { network })).rejects.toMatchObject({ kind: "misconfigured", message: expect.stringContaining("unknown CA") });
      expect(proxy.tunnels.map(({ to }) => to)).toEqual([`idp.test:${secure.port}`, `idp.test:${secure.port}`]);
      expect(JSON.stringify(proxy.tunnels)).not.toContain("the-secret-token");
      expect(JSON.stringify(secure.asked)).not.toMatch(/proxy-/);
      const refused = await ask(url, { network: { allow: [], proxy: proxy.url }, ca: certificate.cert }).catch((error: unknown) => error);
      expect(refused).toMatchObject({ kind: "misconfigured", message: expect.stringMatching(/proxy refuses.*407/) });
    } finally {
      await proxy.stop();
    }
  });

  test("no proxy leads to addresses that are closed, and a connection's own proxy must not stand at one", async () => {
    const proxy = await openProxy();
    try {
      await expect(ask(secure.url, { network: { allow: [], proxy: proxy.url }, ca: certificate.cert })).rejects.toThrow(/outbound\.allow/);
      const own = proxySettings.parse({ url: proxy.url });
      const url = `https://idp.test:${secure.port}`;
      await expect(ask(url, { network: { allow: [] }, proxy: own, ca: certificate.cert })).rejects.toThrow(/outbound\.allow/);
      expect(proxy.tunnels).toEqual([]);
      expect(await ask(url, { proxy: own, ca: certificate.cert })).toEqual({ hello: "there" });
      expect(proxy.tunnels).toHaveLength(1);
    } finally {
      await proxy.stop();
    }
  });

  test("a proxy's password is given beside its URL, never in it", () => {
    expect(proxySettings.safeParse({ url: "http://us:hunter2@proxy.test:3128" }).success).toBe(false);
    expect(proxySettings.safeParse({ url: "http://proxy.test:3128", user: "us", password: "hunter2" }).success).toBe(true);
  });

  test("hosts that are spoken to without the operator's proxy", () => {
    const direct = ["example.com", ".corp.test", "10.0.0.1"];
    const through = (host: string, except = direct) =>
      operatorsProxy(new URL(`https://${host}/`), { allow: [], proxy: "http://p:1", direct: except });
    for (const host of ["example.com", "a.example.com", "a.corp.test", "10.0.0.1"]) expect(through(host)).toBeUndefined();
    for (const host of ["badexample.com", "example.com.evil.test", "10.0.0.2"]) expect(through(host)).toEqual({ url: "http://p:1" });
    expect(through("anything.test", ["*"])).toBeUndefined();
  });
});
