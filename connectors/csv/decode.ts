import { TextDecoder } from "node:util";
import { Fault } from "../contract.ts";
import type { EncodedFile, Encoding } from "./encoding.ts";
import { scanUtf8 } from "./utf8-scan.ts";

/**
 * The file's text, chunk by chunk, without the mark at its beginning. Throws `rejected` with the line where the bytes are none
 * of the encoding, rather than give a wrong letter.
 */
export async function* decode({ name, bytes }: EncodedFile, encoding: Encoding): AsyncGenerator<string> {
  const decoder = DECODERS[encoding]();
  let line = 1;
  let first = true;
  const refuse = (at: number): never => {
    throw new Fault("rejected", `${name}, line ${at}: this is not ${encoding}. Set \`encoding\` to how the file is written.`);
  };
  for await (const chunk of bytes()) {
    const text = decoder.text(chunk);
    const wrong = text.search(decoder.never);
    if (wrong >= 0) refuse(line + linesIn(text.slice(0, wrong)));
    if (decoder.brokenAt?.() !== undefined) refuse(decoder.brokenAt() ?? line);
    line += linesIn(text);
    if (text === "") continue;
    yield first ? text.replace(/^\ufeff/, "") : text;
    first = false;
  }
  if (decoder.open()) throw new Fault("rejected", `${name} ends in the middle of a letter, in line ${line}: it was cut off.`);
}

interface Decoder {
  text(chunk: Buffer): string;
  /** What no text in this encoding has: it shows that another one was meant. */
  never: RegExp;
  /** The line of bytes that can't be read. */
  brokenAt?(): number | undefined;
  /** Something of a letter waits for the rest of it. */
  open(): boolean;
}

/** What windows-1252 has at 0x80 to 0x9F; five places are empty. */
export const WINDOWS_1252 = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ";

const DECODERS: Readonly<Record<Encoding, () => Decoder>> = {
  utf8() {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const scan = scanUtf8();
    return {
      text(chunk) {
        scan.feed(chunk);
        return decoder.decode(chunk, { stream: true });
      },
      never: /\0/,
      brokenAt: () => scan.brokenAt,
      open: () => scan.open,
    };
  },
  utf16le: () => utf16({ bigEndian: false }),
  utf16be: () => utf16({ bigEndian: true }),
  // Control characters of ISO 8859-1 stand in no name: a file that has them is windows-1252.
  latin1: () => ({ text: (chunk) => chunk.toString("latin1"), never: /[\0\u0080-\u009f]/, open: () => false }),
  "windows-1252": () => ({
    text: (chunk) => chunk.toString("latin1").replaceAll(/[\u0080-\u009f]/g, (letter) => WINDOWS_1252.charAt(letter.charCodeAt(0) - 0x80)),
    never: /[\0\u0080-\u009f]/,
    open: () => false,
  }),
};

function utf16({ bigEndian }: { bigEndian: boolean }): Decoder {
  let rest: Buffer = Buffer.alloc(0);
  return {
    text(chunk) {
      const bytes = Buffer.concat([rest, chunk]);
      let end = bytes.length - (bytes.length % 2);
      const last = end === 0 ? 0 : bigEndian ? bytes.readUInt16BE(end - 2) : bytes.readUInt16LE(end - 2);
      // The first half of a pair waits for the second.
      if (last >= 0xd800 && last <= 0xdbff) end -= 2;
      rest = bytes.subarray(end);
      const whole = bytes.subarray(0, end);
      return (bigEndian ? Buffer.from(whole).swap16() : whole).toString("utf16le");
    },
    never: /\0|\p{Surrogate}/u,
    open: () => rest.length > 0,
  };
}

function linesIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count += 1;
  return count;
}
