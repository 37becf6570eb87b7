import { Fault, type UploadedFile, type UploadedFiles } from "../contract.ts";
import { namelessFile } from "../kit/nameless-file.ts";
import { tooLarge } from "./local.ts";
import type { Place } from "./place.ts";

/** The last file that was handed in. It is fetched whole before a line of it is read. */
export function uploadedPlace({ uploads, maxBytes }: { uploads: UploadedFiles | undefined; maxBytes: number }): Place {
  const find = async (): Promise<UploadedFile> => {
    if (!uploads) throw new Fault("misconfigured", "Files that were uploaded can only be read by a server that keeps them.");
    const last = await uploads.last();
    if (last) return last;
    throw new Fault("transient", "Nothing was uploaded yet: `rollcall connection upload NAME FILE`, or PUT /feeds/NAME.");
  };
  return {
    look: async () => (await find()).name,
    async take() {
      const { name, bytes, receivedAt, chunks } = await find();
      if (bytes > maxBytes) throw tooLarge(name, { size: bytes, maxBytes });
      const handle = await namelessFile();
      try {
        for await (const chunk of chunks()) await handle.writeFile(chunk);
        return { name, handle, changedAt: receivedAt, size: bytes, version: name, untouched: async () => true };
      } catch (error) {
        await handle.close();
        throw error;
      }
    },
    close: async () => undefined,
  };
}
