import { Fault, type Cursor, type OpenOptions, type Page } from "../../contract.ts";
import type { LdapSettings } from "../config.ts";
import type { Increments } from "../increments.ts";
import type { RecordReader } from "../records.ts";
import type { Session } from "../session.ts";
import { changesByNumber } from "./changes-by-number.ts";
import { changesByReplication } from "./changes-by-replication.ts";
import { chooseWay } from "./choose-way.ts";
import { cursorOf, readStanding, resumeAt } from "./controller.ts";

/**
 * Increments of one domain controller: by DirSync where it lets this account, by update sequence numbers elsewhere. Where
 * the read stands is taken before it begins, so that what changes meanwhile is read again, never missed.
 */
export function activeDirectoryIncrements(session: Session, { log }: Pick<OpenOptions<LdapSettings>, "log">): Increments {
  return {
    begin: async (reader) => {
      const standing = await readStanding(session);
      if (standing === undefined) return () => undefined;
      const { way, cookie, refusals } = await chooseWay(session, reader.entries.base);
      log.debug({ kind: reader.kind, way, refusals }, "ldap: how changes are found");
      return () => cursorOf(standing, { kind: reader.kind, way, cookie });
    },
    readChanges: (reader, since) => readChanges(session, { reader, since }),
  };
}

async function* readChanges(session: Session, { reader, since }: { reader: RecordReader; since: Cursor }): AsyncGenerator<Page, Cursor> {
  const standing = await readStanding(session);
  const { way, usn, cookie } = resumeAt(since, { kind: reader.kind, standing });
  if (standing === undefined) throw new Fault("expired", "The directory no longer says which domain controller it is.");
  if (way === "uSNChanged") {
    yield* changesByNumber(session, { reader, after: usn });
    return cursorOf(standing, { kind: reader.kind, way });
  }
  const next = yield* changesByReplication(session, { reader, cookie, ownRights: way === "dirSyncOwn" });
  return cursorOf(standing, { kind: reader.kind, way, cookie: next });
}
