import { textOf } from "./json.ts";

/** Keeps resources that come again in the same version from being read again. */
export interface FirstTimes {
  fresh: (resource: Readonly<Record<string, unknown>>) => boolean;
  /** The version (etag) that each was listed in last, by id. */
  ids: ReadonlyMap<string, string>;
}

export function firstTimes(idName: string): FirstTimes {
  const ids = new Map<string, string>();
  return {
    ids,
    fresh(resource) {
      const id = textOf(resource[idName]);
      if (id === undefined) return true;
      const version = textOf(resource["etag"]) ?? "";
      if (ids.get(id) === version) return false;
      ids.set(id, version);
      return true;
    },
  };
}
