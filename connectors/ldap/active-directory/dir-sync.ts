import { BerWriter, Control, type BerReader, type Filter } from "ldapts";
import { Fault } from "../../contract.ts";
import type { LdapClient } from "../client.ts";
import type { Entry, Shape } from "../entry.ts";

/** The replication of changes over LDAP (LDAP_SERVER_DIRSYNC_OID, MS-ADTS 3.1.1.3.4.1.3). */
const OBJECT_SECURITY = 0x1;
/** Of lists only the values that came and went: we only need to know that a list changed. As a signed integer of 32 bits. */
const INCREMENTAL_VALUES = -0x8000_0000;
/** Bytes a page, about; the directory may send fewer. */
const PAGE_BYTES = 1 << 20;
/** Pages without an end: no directory is so large. */
const MOST_PAGES = 100_000;

class DirSync extends Control {
  /** What the directory answered: whether there is more, and where it begins. */
  answer: { more: boolean; cookie: Buffer } | undefined;
  readonly flags: number;
  readonly cookie: Buffer;

  constructor({ flags, cookie }: { flags: number; cookie: Buffer }) {
    super("1.2.840.113556.1.4.841", { critical: true });
    this.flags = flags;
    this.cookie = cookie;
  }

  override writeControl(writer: BerWriter): void {
    const value = new BerWriter();
    value.startSequence();
    value.writeInt(this.flags);
    value.writeInt(PAGE_BYTES);
    value.writeBuffer(this.cookie, 0x04);
    value.endSequence();
    writer.writeBuffer(value.buffer, 0x04);
  }

  override parseControl(reader: BerReader): void {
    reader.readSequence();
    const more = reader.readInt();
    reader.readInt();
    this.answer = { more: more !== 0, cookie: reader.readString(0x04, true) ?? Buffer.alloc(0) };
  }
}

export interface DirSyncOptions {
  /** The naming context itself: the control knows no other base. */
  base: string;
  filter: string | Filter;
  shape: Shape;
  what: string;
  /** From the read before; empty = from the beginning of time. */
  cookie: Buffer;
  /** Only what this account may read anyway, without the right to replicate. */
  ownRights: boolean;
}

/** Reads what changed since the cookie, page by page, and answers the next one. Safe to repeat from the same cookie. */
export async function* readDirSync(
  call: <T>(work: (client: LdapClient) => Promise<T>) => Promise<T>,
  options: DirSyncOptions,
): AsyncGenerator<Entry[], Buffer> {
  const { base, filter, shape, what, ownRights } = options;
  const flags = INCREMENTAL_VALUES | (ownRights ? OBJECT_SECURITY : 0);
  let { cookie } = options;
  for (let pages = 0; pages < MOST_PAGES; pages++) {
    const control = new DirSync({ flags, cookie });
    const from = cookie;
    const entries = await call((client) => client.search({ base, scope: "sub", filter, shape, what, controls: [control] }));
    const { answer } = control;
    if (answer === undefined || answer.cookie.length === 0)
      throw new Fault("transient", `The directory ended ${what} without saying where the next one begins.`);
    if (entries.length > 0) yield entries;
    cookie = answer.cookie;
    if (!answer.more) return cookie;
    if (entries.length === 0 && cookie.equals(from)) throw new Fault("transient", `The directory does not get on with ${what}.`);
  }
  throw new Fault("transient", `The directory ends ${what} at no page.`);
}
