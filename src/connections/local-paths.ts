import { lstatSync, realpathSync } from "node:fs";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Problem } from "../errors.ts";
import { valueAt, type Settings } from "./secrets.ts";

export interface LocalPathOptions {
  /** The connector's settings that are paths of files or folders; dotted for nested ones. */
  fields: readonly string[];
  /** Folders in which new paths must be. */
  folders: readonly string[];
  /** The settings as they are stored; a path that stays was allowed by whoever set it. */
  stored: Settings;
}

/**
 * What keeps a caller from having this server read any file that it can: a path that is new must be whole, and lead into one of
 * the folders that the operator names, wherever symbolic links on the way point to. Links are followed at this moment: who may
 * write into such a folder can put others there later, as they can put any file there.
 */
export function localPathProblems(settings: Settings, { fields, folders, stored }: LocalPathOptions): Problem[] {
  return fields.flatMap((field) => {
    const value = valueAt(settings, field);
    if (typeof value !== "string") return [];
    // The part as a whole: another `folder.match` under the same `folder.path` chooses other files.
    const [part = field] = field.split(".");
    if (isDeepStrictEqual(settings[part], stored[part])) return [];
    return folders.some((folder) => leadsInto(folder, value)) ? [] : [{ field: `settings.${field}`, message: refusal(folders) }];
  });
}

/** Says the same of what exists and what doesn't, so that nobody can look around with it. */
function refusal(folders: readonly string[]): string {
  const allowed = folders.length === 0 ? "none are" : `these are: ${folders.join(", ")}`;
  return `must be a whole path in one of the folders that the operator names as connections.folders (${allowed}); or hand files in by upload`;
}

function leadsInto(folder: string, value: string): boolean {
  // Nothing outside is even looked at.
  if (!path.isAbsolute(value) || !isWithin(path.resolve(folder), path.resolve(value))) return false;
  const [realFolder, realPath] = [realPathOf(path.resolve(folder)), realPathOf(path.resolve(value))];
  return realFolder !== undefined && realPath !== undefined && isWithin(realFolder, realPath);
}

/** Both whole. By the names of the folders, so that /data does not hold /data-other. */
function isWithin(folder: string, place: string): boolean {
  const way = path.relative(folder, place);
  return way !== ".." && !way.startsWith(`..${path.sep}`) && !path.isAbsolute(way);
}

/** Where a path leads once links are followed; what isn't there yet stands where its parent leads. Undefined when that can't be said. */
function realPathOf(place: string): string | undefined {
  try {
    return realpathSync(place);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || isThere(place)) return undefined;
    const parent = path.dirname(place);
    const real = parent === place ? undefined : realPathOf(parent);
    return real === undefined ? undefined : path.join(real, path.basename(place));
  }
}

/** Itself, not what it leads to: a link to nothing is there. */
function isThere(place: string): boolean {
  return lstatSync(place, { throwIfNoEntry: false }) !== undefined;
}
