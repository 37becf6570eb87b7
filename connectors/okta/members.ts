import { Fault } from "../contract.ts";
import type { OktaClient } from "./client.ts";
import { readPages } from "./pages.ts";
import { memberId } from "./records.ts";

/** Okta recommends no more; the default is far beyond what it answers in time. */
const PAGE_SIZE = 200;

/**
 * Everybody in a group, each once, in the order of their ids; "gone" when there is no such group. Throws where Okta does not say
 * that the list is whole: a shorter one would take access away.
 */
export async function readMembers(client: OktaClient, groupId: string): Promise<string[] | "gone"> {
  const what = `the listing of the members of group ${groupId}`;
  const members = new Set<string>();
  const pages = readPages(client, { path: `/api/v1/groups/${encodeURIComponent(groupId)}/users`, query: { limit: PAGE_SIZE }, what });
  try {
    for (let step = await pages.next(); ; step = await pages.next()) {
      if (step.done) {
        if (!step.value.final)
          throw new Fault("transient", `Okta ended ${what} without saying that it was complete. It will be read again.`);
        return [...members].sort();
      }
      for (const json of step.value) {
        const member = memberId(json);
        if (member === undefined) throw new Fault("transient", `Okta names somebody without an id in ${what}. It will be read again.`);
        members.add(member);
      }
    }
  } catch (error) {
    if (error instanceof Fault && error.kind === "gone") return "gone";
    throw error;
  }
}
