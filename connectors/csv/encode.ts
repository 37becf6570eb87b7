import type { Encoding } from "./encoding.ts";
import { WINDOWS_1252 } from "./decode.ts";

/** The inverse of `decode`, for text that was read in this encoding. The mark at the beginning tells UTF-8 and UTF-16 apart again. */
export function encode(text: string, { encoding, first }: { encoding: Encoding; first: boolean }): Buffer {
  switch (encoding) {
    case "utf8":
      return Buffer.from(marked(text, first), "utf8");
    case "utf16le":
      return Buffer.from(marked(text, first), "utf16le");
    case "utf16be":
      return Buffer.from(marked(text, first), "utf16le").swap16();
    case "latin1":
      return Buffer.from(text, "latin1");
    case "windows-1252":
      return Buffer.from(
        text.replaceAll(/[^\0-\u007f\u00a0-\u00ff]/g, (letter) => String.fromCharCode(0x80 + WINDOWS_1252.indexOf(letter))),
        "latin1",
      );
  }
}

function marked(text: string, first: boolean): string {
  return first ? `\ufeff${text}` : text;
}
