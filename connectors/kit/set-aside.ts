import type { FileHandle } from "node:fs/promises";
import { namelessFile } from "./nameless-file.ts";

/** Things that are looked at once more at the end of a read. */
export interface SetAside<T> {
  add(item: T): Promise<void>;
  /** In lots, in the order in which they came. */
  lots(): AsyncGenerator<readonly T[]>;
  close(): Promise<void>;
}

/** The last lot stands in memory; those before it, as JSON, in a file without a name, so that memory doesn't grow with their number. */
export function setAside<T>({ lot }: { lot: number }): SetAside<T> {
  const written: { at: number; bytes: number }[] = [];
  let last: T[] = [];
  let end = 0;
  let file: FileHandle | undefined;
  return {
    async add(item) {
      last.push(item);
      if (last.length < lot) return;
      const text = Buffer.from(JSON.stringify(last));
      last = [];
      file ??= await namelessFile();
      await file.write(text, 0, text.length, end);
      written.push({ at: end, bytes: text.length });
      end += text.length;
    },
    async *lots() {
      for (const { at, bytes } of written) {
        const { buffer, bytesRead } = (await file?.read(Buffer.allocUnsafe(bytes), 0, bytes, at)) ?? {
          buffer: Buffer.alloc(0),
          bytesRead: 0,
        };
        if (bytesRead !== bytes) throw new Error("A file of this process alone became shorter.");
        yield JSON.parse(buffer.toString("utf8")) as readonly T[];
      }
      if (last.length > 0) yield last;
    },
    close: async () => file?.close(),
  };
}
