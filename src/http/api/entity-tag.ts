import { createHash } from "node:crypto";
import { AppError } from "../../errors.ts";

/** A strong entity tag (RFC 9110 section 8.8.3). */
export function entityTag(opaque: string): string {
  return `"${opaque}"`;
}

/**
 * The entity tag of what has a version: that, for changes, and a hash of what is shown, for whoever asks whether it is still the same. Much of it
 * differs while the version stays: a grant ends by its time, its holder is suspended, a role inherits more, a unit fills.
 */
export function versionTag(version: number, shown: unknown): string {
  return entityTag(`${version}-${createHash("sha256").update(JSON.stringify(shown)).digest("base64url").slice(0, 16)}`);
}

/** Versions that a change may be of; null for any. */
export type AskedVersions = readonly number[] | null;

/**
 * The versions that If-Match names; null for `*`. Throws `precondition_failed` without one, so that nobody's change is lost unnoticed
 * (RFC 6585 section 3 calls it 428; the detail says what to send), and where no tag is ours. What was shown beside the version is not
 * compared: no change of somebody's hangs on it.
 */
export function versionsMatched(ifMatch: string | undefined): AskedVersions {
  if (ifMatch === undefined)
    throw new AppError("precondition_failed", "Send If-Match with the ETag of what you have read (or `*` to change it whatever it is).", {
      field: "If-Match",
    });
  if (ifMatch.trim() === "*") return null;
  const versions = ifMatch.split(",").flatMap((tag) => /^(?:W\/)?"(\d{1,9})(?:-[\w-]{16})?"$/.exec(tag.trim())?.[1] ?? []);
  if (versions.length === 0) throw new AppError("precondition_failed", "If-Match is not an ETag of this resource.", { field: "If-Match" });
  return versions.map(Number);
}

/**
 * Refuses a change of something else than the caller has seen, by tags that are no version's. `tags` says of each whether it is one of what is
 * there; nothing is there when undefined. Without If-Match nothing is asked. Throws `precondition_failed`.
 */
export function requireTag({
  ifMatch,
  isTag,
  what,
}: {
  ifMatch: string | undefined;
  isTag: ((tag: string) => boolean) | undefined;
  what: string;
}): void {
  if (ifMatch === undefined) return;
  const given = ifMatch.split(",").map((each) => each.trim());
  if (isTag && given.some((tag) => tag === "*" || isTag(tag))) return;
  throw new AppError("precondition_failed", `${what} is not the one that If-Match names. Read it again.`, { field: "If-Match" });
}

/** Whether the caller has this version already (If-None-Match, RFC 9110 section 13.1.2). */
export function isKnown(ifNoneMatch: string | undefined, tag: string): boolean {
  return ifNoneMatch !== undefined && ifNoneMatch.split(",").some((each) => ["*", tag].includes(each.trim().replace(/^W\//, "")));
}

/** Refuses a change of another version than the caller has seen. Throws `precondition_failed`. */
export function requireVersion({ ifVersion, version, what }: { ifVersion: AskedVersions; version: number; what: string }): void {
  if (ifVersion !== null && !ifVersion.includes(version))
    throw new AppError(
      "precondition_failed",
      `${what} was changed in the meantime: it is version ${version}, not ${ifVersion.join(" or ")}. Read it again.`,
      {
        field: "If-Match",
      },
    );
}
