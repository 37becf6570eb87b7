import { Fault } from "../../contract.ts";
import { shapeFor } from "../entry.ts";
import type { Session } from "../session.ts";
import type { Way } from "./controller.ts";
import { readDirSync } from "./dir-sync.ts";

export interface Chosen {
  way: Way;
  /** Where replication stands now. */
  cookie?: Buffer;
  /** What the directory said to better ways. */
  refusals: readonly string[];
}

const NOTHING = shapeFor([], () => false);

/** The best way to find changes that the settings and the directory allow this account. */
export async function chooseWay(session: Session, base: string): Promise<Chosen> {
  const { changes } = session.settings;
  if (changes === "uSNChanged") return { way: "uSNChanged", refusals: [] };
  const refusals: string[] = [];
  for (const way of ["dirSync", "dirSyncOwn"] as const) {
    try {
      return { way, cookie: await cookieOfNow(session, { base, ownRights: way === "dirSyncOwn" }), refusals };
    } catch (error) {
      if (!isRefusal(error)) throw error;
      refusals.push(error.message);
    }
  }
  if (changes === "dirSync") throw new Fault("denied", `The directory refuses DirSync: ${refusals.at(-1) ?? ""}`);
  return { way: "uSNChanged", refusals };
}

/** Runs through the directory's changes with a filter that nothing matches: only the cookie is wanted. */
async function cookieOfNow(session: Session, { base, ownRights }: { base: string; ownRights: boolean }): Promise<Buffer> {
  const suffix = await session.suffixOf(base);
  const what = "the reading of where DirSync stands";
  const options = { base: suffix, filter: "(!(objectClass=*))", shape: NOTHING, what, cookie: Buffer.alloc(0), ownRights };
  const pages = readDirSync(session.call, options);
  for (;;) {
    const step = await pages.next();
    if (step.done) return step.value;
  }
}

/** A directory that will not, rather than one that can't just now. */
export function isRefusal(error: unknown): error is Fault {
  return error instanceof Fault && ["denied", "misconfigured", "rejected"].includes(error.kind);
}
