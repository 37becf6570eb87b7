import { describe, expect, test } from "@jest/globals";
import { openClient } from "../../../connectors/ldap/client.ts";
import { ldapSettings } from "../../../connectors/ldap/config.ts";
import { silentLog } from "../../helpers/database.ts";

describe("where LDAP connects to", () => {
  const opening = (url: string) => {
    const settings = ldapSettings.parse({ url, users: { base: "dc=lab" }, timeouts: { connectSeconds: 0.2 } });
    return openClient({ settings, log: silentLog, signal: new AbortController().signal });
  };

  test.each(["169.254.169.254", "[fe80::1]", "0.0.0.0", "224.0.0.1", "[::ffff:169.254.169.254]"])(
    "no directory stands at %s, and nothing is connected to",
    async (host) => {
      await expect(opening(`ldaps://${host}:636`)).rejects.toMatchObject({
        kind: "misconfigured",
        message: expect.stringContaining("outbound.allow"),
      });
    },
  );

  test("this machine and private networks are where directories stand", async () => {
    await expect(opening("ldaps://127.0.0.1:1")).rejects.toMatchObject({ kind: "transient", message: expect.stringContaining("refused") });
    await expect(opening("ldaps://localhost:1")).rejects.toMatchObject({ kind: "transient" });
  });
});
