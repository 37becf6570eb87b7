import { expect, test } from "@jest/globals";
import { migrate } from "../../src/db/migrate.ts";
import { notReachable } from "../../src/db/not-reachable.ts";
import { testDatabase } from "../helpers/database.ts";

const URL_WITH_PASSWORD = "postgresql://rollcall:hunter2@db.example.com/rollcall";
const failure = (message: string, also: object) => Object.assign(new Error(message), also);

test.each([
  [
    "a certificate of an unknown CA",
    failure("unable to verify the first certificate", { code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" }),
    "misconfigured",
    /not accepted: unable to verify the first certificate\..*sslrootcert=/,
  ],
  [
    "a certificate of another host",
    failure("Hostname/IP does not match certificate's altnames", { code: "ERR_TLS_CERT_ALTNAME_INVALID" }),
    "misconfigured",
    /not accepted: Hostname/,
  ],
  [
    "a file of a CA that is not there",
    failure("ENOENT: no such file", { code: "ENOENT", syscall: "open", path: "/ca.pem" }),
    "misconfigured",
    /the file \/ca\.pem, which can't be read \(ENOENT\)/,
  ],
  [
    "no password",
    new Error("SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string"),
    "misconfigured",
    /refuses the user or password/,
  ],
  [
    "a server that lets in by TLS alone",
    failure('no pg_hba.conf entry for host "10.0.0.7", user "rollcall", database "rollcall", no encryption', { code: "28000" }),
    "misconfigured",
    /does not let the user of DATABASE_URL in: no pg_hba\.conf entry .* no encryption\./,
  ],
  ["a server that says nothing", new Error("timeout expired"), "unavailable", /does not answer \(timeout expired\)/],
  [
    "a socket that is not there",
    failure("connect ENOENT", { code: "ENOENT", syscall: "connect" }),
    "unavailable",
    /does not answer \(ENOENT\)/,
  ],
])("what stands in the way of the database is told in our words: %s", (_what, error, code, message) => {
  const told = notReachable(URL_WITH_PASSWORD, error);
  expect(told).toMatchObject({ code, field: "DATABASE_URL", message: expect.stringMatching(message) });
  expect(String(told)).not.toContain("hunter2");
});

test("a server without TLS is told when TLS is asked for, and what is no such reason comes back as it is", async () => {
  const db = await testDatabase();
  try {
    const url = `${db.url}?sslmode=no-verify`;
    expect(notReachable(url, await migrate(url).catch((error: unknown) => error))).toMatchObject({
      code: "misconfigured",
      message: expect.stringMatching(/offers no TLS/),
    });
  } finally {
    await db.drop();
  }
  const other = new Error("something else");
  expect(notReachable(URL_WITH_PASSWORD, other)).toBe(other);
});
