/** What a strict look (RFC 3629) at bytes found. */
export interface Utf8Scan {
  feed(chunk: Buffer): void;
  /** Letters beyond ASCII that were written rightly. */
  readonly letters: number;
  /** The line of the first byte that is not UTF-8. */
  readonly brokenAt: number | undefined;
  /** In the middle of a letter. */
  readonly open: boolean;
  readonly line: number;
}

export function scanUtf8(): Utf8Scan {
  let line = 1;
  let letters = 0;
  let brokenAt: number | undefined;
  let needed = 0;
  /** Where the next byte of a letter must lie: the second one's bounds keep out surrogates, over-long forms, and what is beyond U+10FFFF. */
  let [low, high] = [0x80, 0xbf];

  function begin(byte: number): void {
    [low, high] = [0x80, 0xbf];
    if (byte < 0x80) {
      if (byte === 0x0a) line += 1;
    } else if (byte >= 0xc2 && byte <= 0xdf) needed = 1;
    else if (byte >= 0xe0 && byte <= 0xef) {
      needed = 2;
      if (byte === 0xe0) low = 0xa0;
      if (byte === 0xed) high = 0x9f;
    } else if (byte >= 0xf0 && byte <= 0xf4) {
      needed = 3;
      if (byte === 0xf0) low = 0x90;
      if (byte === 0xf4) high = 0x8f;
    } else brokenAt ??= line;
  }

  return {
    feed(chunk) {
      for (const byte of chunk) {
        if (needed === 0) begin(byte);
        else if (byte >= low && byte <= high) {
          [low, high] = [0x80, 0xbf];
          needed -= 1;
          if (needed === 0) letters += 1;
        } else {
          brokenAt ??= line;
          needed = 0;
          begin(byte);
        }
      }
    },
    get letters() {
      return letters;
    },
    get brokenAt() {
      return brokenAt;
    },
    get open() {
      return needed > 0;
    },
    get line() {
      return line;
    },
  };
}
