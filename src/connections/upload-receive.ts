import { createHash, timingSafeEqual } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { namelessFile } from "../../connectors/kit/nameless-file.ts";
import { AppError } from "../errors.ts";

/** A file that has come whole, in a file of this process alone. */
export interface Received {
  handle: FileHandle;
  bytes: number;
  /** Hexadecimal digits. */
  sha256: string;
  close(): Promise<void>;
}

export interface ReceiveOptions {
  /** What the sender says that the file's SHA-256 is. */
  digest?: Buffer | undefined;
  maxBytes: number;
}

/**
 * Takes a file in, however slowly it comes, before the database hears of it. Throws `too_large`, and `invalid` when it is empty or
 * not what its digest says; whatever the input throws comes through. Then nothing is kept.
 */
export async function receiveUpload(input: AsyncIterable<Buffer>, { digest, maxBytes }: ReceiveOptions): Promise<Received> {
  const handle = await namelessFile();
  try {
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const chunk of input) {
      bytes += chunk.length;
      if (bytes > maxBytes)
        throw new AppError(
          "too_large",
          `The file has more than ${maxBytes} bytes, which is \`maxBytes\` of the connection. Nothing was kept.`,
          {
            field: "body",
          },
        );
      hash.update(chunk);
      await handle.writeFile(chunk);
    }
    if (bytes === 0) throw new AppError("invalid", "The file is empty. Nothing was kept.", { field: "body" });
    const sum = hash.digest();
    if (digest && (digest.length !== sum.length || !timingSafeEqual(digest, sum)))
      throw new AppError("invalid", "The file is not the one that Content-Digest describes: it was changed on its way. Nothing was kept.", {
        field: "Content-Digest",
      });
    return { handle, bytes, sha256: sum.toString("hex"), close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
