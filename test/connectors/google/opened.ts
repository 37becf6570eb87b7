import type { OpenOptions } from "../../../connectors/contract.ts";
import { googleSettings, type GoogleSettings } from "../../../connectors/google/config.ts";
import type { GoogleFake } from "../../counterparts/google/server.ts";
import { loopback, silentLog } from "../../helpers/database.ts";

/** Options that reach the fake, as an administrator's settings would reach Google. */
export function googleOptions(
  fake: GoogleFake,
  settings: Record<string, unknown> = {},
  signal: AbortSignal = new AbortController().signal,
): OpenOptions<GoogleSettings> {
  return {
    settings: googleSettings.parse({
      serviceAccountKey: fake.delegation.keyFile,
      administrator: fake.administrator,
      apiUrl: fake.url,
      tokenUrl: fake.tokenUrl,
      ...settings,
    }),
    log: silentLog,
    signal,
    now: fake.organisation.now,
    network: loopback,
  };
}

export interface Company {
  /** Ids, in the order in which they came. */
  people: string[];
  groups: string[];
}

/** People with managers and jobs, groups in groups, units in units. */
export function fillCompany(fake: GoogleFake, { people = 25 } = {}): Company {
  const { organisation } = fake;
  for (const path of ["/North", "/North/Lab", "/South"]) organisation.addUnit(path);
  const ids: string[] = [];
  for (let number = 0; number < people; number++)
    ids.push(
      organisation.addUser({
        email: `p${number}@lab.test`,
        orgUnitPath: number % 2 ? "/North/Lab" : "/South",
        aliases: [`alias${number}@lab.test`],
        externalIds: [{ type: "organization", value: `E${number}` }],
        organizations: [{ title: "Engineer", department: "Physics", primary: true, costCenter: "42" }],
        relations: number === 0 ? [] : [{ type: "manager", value: `P${Math.floor(number / 5)}@lab.test` }],
      }).id,
    );
  const all = organisation.addGroup({ email: "all@lab.test", name: "All", members: ids });
  const few = organisation.addGroup({ email: "few@lab.test", name: "Few", members: [all.id, ...ids.slice(0, 1)] });
  const none = organisation.addGroup({ email: "none@lab.test", name: "None" });
  return { people: ids, groups: [all.id, few.id, none.id] };
}
