import { BerWriter, Control } from "ldapts";

/**
 * Names with the objectGUID of their entry (LDAP_SERVER_EXTENDED_DN_OID, MS-ADTS 3.1.1.3.4.1.5):
 * `<GUID=…>;<SID=…>;CN=…`. A member or manager is then known by what never changes: renaming or moving somebody, or a
 * container above them, touches neither the group nor the report in Active Directory, so that names alone would go stale.
 */
export class ExtendedNames extends Control {
  constructor() {
    super("1.2.840.113556.1.4.529", { critical: true });
  }

  override writeControl(writer: BerWriter): void {
    const value = new BerWriter();
    value.startSequence();
    // 1 = in text; 0 would be hexadecimal digits without dashes, in the order of the bytes.
    value.writeInt(1);
    value.endSequence();
    writer.writeBuffer(value.buffer, 0x04);
  }
}

const EXTENDED = /^<GUID=([0-9a-fA-F-]{36})>;(?:<SID=[^>]*>;)?/;

/** The objectGUID and the plain name of an extended one; without objectGUID when it is a plain name. */
export function splitExtended(name: string): { guid?: string; dn: string } {
  if (!name.startsWith("<")) return { dn: name };
  const match = EXTENDED.exec(name);
  return match === null ? { dn: name } : { guid: (match[1] ?? "").toLowerCase(), dn: name.slice(match[0].length) };
}
