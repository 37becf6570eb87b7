import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openLdapSource } from "../../../connectors/ldap/read.ts";
import { openLdapWriteBack } from "../../../connectors/ldap/write.ts";
import { drain } from "../../contract/source.ts";
import { faultOf, ldapOptions, openDirectory, type Directory } from "../../helpers/ldap.ts";

let directory: Directory;
beforeAll(async () => {
  const people = Array.from(
    { length: 600 },
    (_, number) =>
      `dn: uid=p${number},ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: p${number}\ncn: p${number}\nsn: p${number}\n`,
  );
  directory = await openDirectory({ ldif: { text: people.join("\n") } });
});
afterAll(() => directory.stop());

const opening = (settings: Record<string, unknown>) => faultOf(openLdapSource(ldapOptions(directory, settings)));
const reading = async (settings: Record<string, unknown>) => {
  const source = await openLdapSource(ldapOptions(directory, settings));
  const fault = await faultOf(drain(source.readAll("user")));
  await source.close();
  return fault;
};

describe("each failure has its own sentence and its own way out", () => {
  test("a wrong bind password", async () => {
    const fault = await opening({ bindPassword: "not-the-password" });
    expect(fault).toEqual({
      kind: "denied",
      message: expect.stringMatching(/refused the sign-in as cn=sync,ou=svc,.*Check bindDn and bindPassword/),
    });
    expect(fault.message).not.toContain("not-the-password");
  });

  test("a name to sign in by that is no DN, as Active Directory alone takes them", async () => {
    expect(await opening({ bindDn: "sync@example.com" })).toEqual({
      kind: "misconfigured",
      message: expect.stringMatching(/^"sync@example.com" is not a valid DN, needed for the sign-in/),
    });
  });

  test("an unknown certificate authority", async () => {
    expect(await opening({ caFile: undefined })).toEqual({
      kind: "misconfigured",
      message: expect.stringMatching(/signed by an authority that is not known here.*caFile/),
    });
    expect(await opening({ url: directory.url, startTls: true, caFile: undefined })).toMatchObject({
      kind: "misconfigured",
      message: expect.stringMatching(/not known here/),
    });
  });

  test("a certificate for another host name", async () => {
    const folder = path.join(directory.folder, "tls");
    const own = path.join(folder, "elsewhere");
    execFileSync(
      "openssl",
      [
        "req",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        `${own}.key`,
        "-out",
        `${own}.csr`,
        "-subj",
        "/CN=elsewhere",
      ],
      { stdio: "ignore" },
    );
    execFileSync(
      "openssl",
      ["x509", "-req", "-in", `${own}.csr`, "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "10", "-out", `${own}.crt`],
      { cwd: folder, stdio: "ignore" },
    );
    const server = createTlsServer({ key: readFileSync(`${own}.key`), cert: readFileSync(`${own}.crt`) }).on(
      "tlsClientError",
      () => undefined,
    );
    const port = await listening(server);
    expect(await opening({ url: `ldaps://127.0.0.1:${port}` })).toEqual({
      kind: "misconfigured",
      message: expect.stringMatching(/is for another host name .*Use a url with a name that the certificate has/),
    });
    server.close();
  });

  test("a file of certificates that is not there, or holds none", async () => {
    expect(await opening({ caFile: "/nowhere/ca.pem" })).toEqual({
      kind: "misconfigured",
      message: expect.stringMatching(/\/nowhere\/ca\.pem in the setting caFile can't be read/),
    });
    expect(await opening({ caFile: path.join(directory.folder, "slapd.conf") })).toMatchObject({
      kind: "misconfigured",
      message: expect.stringMatching(/holds no certificate/),
    });
  });

  test("an unreachable host", async () => {
    const server = createServer();
    const port = await listening(server);
    await new Promise((resolve) => server.close(resolve));
    expect(await opening({ url: `ldaps://127.0.0.1:${port}` })).toEqual({
      kind: "transient",
      message: expect.stringMatching(/refused the connection.*Check that the directory runs, and the port/),
    });
    expect(await opening({ url: "ldaps://no-such-host.invalid" })).toEqual({
      kind: "transient",
      message: expect.stringMatching(/can't be resolved/),
    });
  });

  test("a host that takes the connection and says nothing", async () => {
    const server = createServer((socket) => socket.on("error", () => undefined).resume());
    const port = await listening(server);
    expect(await opening({ url: `ldap://127.0.0.1:${port}`, caFile: undefined, timeouts: { answerSeconds: 0.05 } })).toEqual({
      kind: "transient",
      message: expect.stringMatching(/no answer within 50 ms/),
    });
    expect(await opening({ url: `ldaps://127.0.0.1:${port}`, timeouts: { connectSeconds: 0.05 } })).toEqual({
      kind: "transient",
      message: expect.stringMatching(/no connection within 50 ms/),
    });
    server.close();
  });

  test("a port that does not speak LDAP, and TLS on the port for plain LDAP", async () => {
    const server = createServer((socket) => socket.on("error", () => undefined).end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    const port = await listening(server);
    expect(await opening({ url: `ldap://127.0.0.1:${port}`, caFile: undefined })).toMatchObject({
      kind: "transient",
      message: expect.stringMatching(/does not speak LDAP here/),
    });
    expect(await opening({ url: `ldaps://127.0.0.1:${port}` })).toMatchObject({
      kind: "misconfigured",
      message: expect.stringMatching(/does not speak TLS as asked/),
    });
    server.close();
  });

  test("invariant 1: a size limit, which pages do not lift, is no short directory", async () => {
    expect(await reading({ bindDn: directory.readerDn, bindPassword: directory.readerPassword })).toEqual({
      kind: "misconfigured",
      message: expect.stringMatching(/size limit cut the read of users short.*size\.prtotal=unlimited/),
    });
  });

  test("a page larger than the directory gives", async () => {
    expect(await reading({ pageSize: 5000 })).toMatchObject({ kind: "misconfigured", message: expect.stringMatching(/pageSize/) });
  });

  test("no such base", async () => {
    expect(await reading({ users: { base: "ou=nowhere,dc=example,dc=org" } })).toEqual({
      kind: "misconfigured",
      message: expect.stringMatching(/There is no entry ou=nowhere,dc=example,dc=org.*nearest entry there is dc=example,dc=org/),
    });
    expect(await reading({ users: { base: "not a dn" } })).toMatchObject({
      kind: "misconfigured",
      message: expect.stringMatching(/"not a dn" is not a valid DN/),
    });
  });

  test("insufficient access", async () => {
    const writeBack = await openLdapWriteBack(
      ldapOptions(directory, { bindDn: directory.readerDn, bindPassword: directory.readerPassword, disable: { kind: "ppolicy" } }),
    );
    const fault = await faultOf(writeBack.disable(await directory.idOf(`uid=p1,${directory.people}`)));
    expect(fault).toEqual({
      kind: "denied",
      message: expect.stringMatching(/cn=reader,ou=svc,.* may not do the disabling of an account.*access rules/),
    });
    await writeBack.close();
  });

  test("StartTLS works where it is offered", async () => {
    const source = await openLdapSource(
      ldapOptions(directory, { url: directory.url.replace("127.0.0.1", "localhost"), startTls: true, pageSize: 500 }),
    );
    expect((await drain(source.readAll("user"))).end).toMatchObject({ finalCursor: true, count: 600 });
    await source.close();
  });
});

function listening(server: ReturnType<typeof createServer>): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(address !== null && typeof address === "object" ? address.port : 0);
    });
  });
}
