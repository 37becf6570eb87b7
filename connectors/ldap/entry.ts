import { isUtf8 } from "node:buffer";
import { splitExtended } from "./active-directory/extended-names.ts";
import { BINARY_FORMATS } from "./active-directory/identifiers.ts";

/**
 * Search entries straight from the wire (RFC 4511 section 4.5.2). ldapts builds an object, a buffer and a decoder call for
 * every value; over 100,000 people that is three times the cost of the read itself, so entries alone are decoded here.
 */

/** Which attributes a search asks for and how each is delivered. */
export interface Shape {
  names: readonly string[];
  /** What the request asks for, where that differs from the names (`member;range=1500-*`). */
  asks: readonly string[];
  /** Lists keep all values; of the others only the first is decoded. */
  lists: readonly boolean[];
  slots: ReadonlyMap<string, number>;
  /** Turns what is known to be binary into text. */
  formats: readonly (((bytes: Buffer) => string | undefined) | undefined)[];
}

export interface Entry {
  dn: string;
  /** The entry's objectGUID, where names were asked for with it (Active Directory). */
  guid?: string;
  /** By the shape's order; undefined where the entry has no value. */
  values: (string | string[] | undefined)[];
  /** Attributes that were not asked for by this name (subtypes, other names). */
  extras?: Map<string, string | string[]>;
  /** Lists of which the server sent a part only: where the rest begins. */
  ranges?: { slot: number; from: number }[];
}

/** @param names attribute descriptions; case does not matter, the delivered name is the one given here. */
export function shapeFor(names: readonly string[], isList: (name: string) => boolean, asks = names): Shape {
  const slots = new Map<string, number>();
  names.forEach((name, slot) => {
    slots.set(name, slot);
    slots.set(name.toLowerCase(), slot);
  });
  const formats = names.map((name) => BINARY_FORMATS.get(name.toLowerCase()));
  return { names, asks, lists: names.map(isList), slots, formats };
}

interface Reader {
  bytes: Buffer;
  at: number;
}

/** Decodes the content of one SearchResultEntry: `start` is behind its tag and length. */
export function decodeEntry(bytes: Buffer, start: number, shape: Shape): Entry {
  const reader: Reader = { bytes, at: start };
  const nameLength = element(reader, 0x04);
  const name = bytes.toString("utf8", reader.at, reader.at + nameLength);
  const entry: Entry = {
    dn: name,
    values: new Array<undefined>(shape.names.length).fill(undefined),
  };
  if (name.startsWith("<")) Object.assign(entry, splitExtended(name));
  reader.at += nameLength;
  const length = element(reader, 0x30);
  const end = reader.at + length;
  while (reader.at < end) {
    element(reader, 0x30);
    const typeLength = element(reader, 0x04);
    const type = bytes.toString("latin1", reader.at, reader.at + typeLength);
    reader.at += typeLength;
    const setLength = element(reader, 0x31);
    const setEnd = reader.at + setLength;
    const slot = shape.slots.get(type) ?? shape.slots.get(type.toLowerCase());
    if (slot !== undefined) {
      // Beside a ranged answer stands an empty list of the same attribute.
      if (setLength > 0) entry.values[slot] = shape.lists[slot] ? readAll(reader, setEnd) : readOne(reader, shape.formats[slot]);
    } else if (setLength > 0) readOther(entry, { reader, setEnd, type, shape });
    reader.at = setEnd;
  }
  return entry;
}

function readOther(entry: Entry, { reader, setEnd, type, shape }: { reader: Reader; setEnd: number; type: string; shape: Shape }): void {
  const range = /^(.+);range=(\d+)-(\d+|\*)$/i.exec(type);
  if (range === null) {
    const values = readAll(reader, setEnd);
    entry.extras ??= new Map();
    entry.extras.set(type, values.length === 1 ? (values[0] ?? "") : values);
    return;
  }
  const slot = shape.slots.get((range[1] ?? "").toLowerCase());
  if (slot === undefined) return;
  const values = readAll(reader, setEnd);
  entry.values[slot] = shape.lists[slot] ? values : values[0];
  if (shape.lists[slot] && range[3] !== "*") (entry.ranges ??= []).push({ slot, from: Number(range[3]) + 1 });
}

function readOne(reader: Reader, format?: (bytes: Buffer) => string | undefined): string {
  const length = element(reader, 0x04);
  const at = reader.at;
  reader.at += length;
  return format?.(reader.bytes.subarray(at, at + length)) ?? text(reader.bytes, at, at + length);
}

function readAll(reader: Reader, end: number): string[] {
  const values: string[] = [];
  while (reader.at < end) values.push(readOne(reader));
  return values;
}

/** Text as it is; what is no text (a photo, a certificate) as base64. */
function text(bytes: Buffer, start: number, end: number): string {
  const decoded = bytes.toString("utf8", start, end);
  if (!decoded.includes("\ufffd") || isUtf8(bytes.subarray(start, end))) return decoded;
  return bytes.toString("base64", start, end);
}

/** Steps over a tag and its length; answers the length. */
function element(reader: Reader, tag: number): number {
  const { bytes } = reader;
  if (bytes[reader.at] !== tag) throw new Error(`malformed search entry: tag ${bytes[reader.at]} where ${tag} belongs`);
  const first = bytes[reader.at + 1] ?? 0;
  reader.at += 2;
  if (first < 0x80) return first;
  let length = 0;
  for (let left = first & 0x7f; left > 0; left--) length = length * 256 + (bytes[reader.at++] ?? 0);
  return length;
}
