/** Binary identifiers of Active Directory in the text that its own tools show. */

/** A GUID (MS-DTYP 2.3.4): the first three groups are little-endian. Undefined for anything but 16 bytes. */
export function formatGuid(bytes: Buffer): string | undefined {
  if (bytes.length !== 16) return undefined;
  const order = Buffer.from(bytes);
  swap(order);
  const hex = order.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The bytes of a GUID's text, for a filter; undefined when it is none. */
export function parseGuid(text: string): Buffer | undefined {
  if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return undefined;
  const bytes = Buffer.from(text.replaceAll("-", ""), "hex");
  swap(bytes);
  return bytes;
}

function swap(bytes: Buffer): void {
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
}

/** A security identifier (MS-DTYP 2.4.2) as `S-1-5-21-…`. Undefined when the bytes are none. */
export function formatSid(bytes: Buffer): string | undefined {
  const parts = bytes[1] ?? 0;
  if (bytes.length < 8 || bytes.length !== 8 + parts * 4) return undefined;
  const numbers: number[] = [bytes[0] ?? 0, bytes.readUIntBE(2, 6)];
  for (let part = 0; part < parts; part++) numbers.push(bytes.readUInt32LE(8 + part * 4));
  return `S-${numbers.join("-")}`;
}

/** How values of an attribute become text, where the schema of Active Directory says that they are binary. */
export const BINARY_FORMATS: ReadonlyMap<string, (bytes: Buffer) => string | undefined> = new Map([
  ["objectguid", formatGuid],
  ["invocationid", formatGuid],
  ["objectsid", formatSid],
]);
