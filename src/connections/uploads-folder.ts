import path from "node:path";

/** Where the files that were handed in for a connection stand in the data folder. */
export function uploadsFolder(dataFolder: string, connection: string): string {
  return path.join(path.resolve(dataFolder), "uploads", connection);
}
