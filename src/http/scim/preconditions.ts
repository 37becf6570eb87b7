import { AppError } from "../../errors.ts";

/** What a change depends on (RFC 7644 section 3.14, RFC 9110 section 13.1): the headers as they came. */
export interface Preconditions {
  ifMatch?: string | undefined;
  ifNoneMatch?: string | undefined;
}

/** Throws `precondition_failed` when the version that is there is not one that the client means to change. */
export function requireVersion(
  { ifMatch, ifNoneMatch }: Preconditions,
  { type, id, version }: { type: string; id: string; version: string },
): void {
  if (ifMatch !== undefined && !isMatch(ifMatch, version))
    throw new AppError("precondition_failed", `The ${type} ${id} has changed since version ${ifMatch.slice(0, 60)}: read it again.`);
  if (ifNoneMatch !== undefined && isMatch(ifNoneMatch, version))
    throw new AppError("precondition_failed", `The ${type} ${id} is what If-None-Match says it must not be: it stays as it is.`);
}

/** Whether an If-Match or If-None-Match header names this version. Tags are compared weakly (RFC 9110 section 8.8.3.2): ours are weak. */
export function isMatch(header: string, version: string): boolean {
  if (header.trim() === "*") return true;
  const strip = (tag: string) => tag.trim().replace(/^W\//i, "");
  return header.split(",").some((tag) => strip(tag) === strip(version));
}
