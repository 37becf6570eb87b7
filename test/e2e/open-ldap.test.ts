import { describe } from "@jest/globals";
import { openDirectory, type Directory } from "../helpers/ldap.ts";
import { bothWays } from "./both-ways.ts";
import { connectUpstream } from "./upstream.ts";

const LOCKED_BY_AN_ADMINISTRATOR = "000001010000Z";

describe("OpenLDAP, both directions (slapd)", () => {
  let directory: Directory;
  const dnOf = (id: string) => directory.dnOf(id);
  bothWays("OpenLDAP", async () => {
    directory = await openDirectory();
    const connected = await connectUpstream({
      shipped: "openldap",
      settings: (shipped) => ({
        ...shipped,
        url: directory.tlsUrl,
        caFile: directory.caFile,
        bindDn: directory.bindDn,
        bindPassword: directory.bindPassword,
        users: { ...shipped["users"], base: directory.people },
        groups: { base: directory.groups },
        units: { base: directory.units },
        disable: { kind: "ppolicy" },
      }),
      // A lock after wrong passwords passes, and is no decision.
      mapped: { active: `!has(account.pwdAccountLockedTime) || account.pwdAccountLockedTime != "${LOCKED_BY_AN_ADMINISTRATOR}"` },
      stop: () => directory.stop(),
    });
    return {
      ...connected,
      hire: (name) => directory.addPerson(name),
      disable: async (id) => directory.replace(await dnOf(id), "pwdAccountLockedTime", [LOCKED_BY_AN_ADMINISTRATOR]),
      enable: async (id) => directory.replace(await dnOf(id), "pwdAccountLockedTime", []),
      isEnabled: async (id) => {
        const dn = await dnOf(id);
        return directory.maySignIn(dn, `${/^uid=(\w+),/.exec(dn)?.[1]}-password`);
      },
    };
  });
});
