import { Fault } from "../contract.ts";
import type { HttpAnswer, HttpRequest } from "../kit/http.ts";

/** 428 is the word for it (RFC 6585 section 3); some answer a change that names no version with 412. */
export const VERSION_DEMANDED: readonly number[] = [412, 428];

export interface VersionedOptions {
  /** What sentences call the application. */
  system: string;
  change: (request: HttpRequest) => Promise<HttpAnswer>;
  /** What the resource stands at now; undefined where the application does not tell. */
  version: () => Promise<string | undefined>;
}

/**
 * A change that says what it changes, whatever else is there. Where the application takes none without the version that it was made
 * from, that is read and named: whoever is to leave would stay in. Throws `rejected` where it tells none.
 */
export async function changeByVersion(request: HttpRequest, { system, change, version }: VersionedOptions): Promise<HttpAnswer> {
  const answer = await change({ ...request, expect: [...(request.expect ?? []), ...VERSION_DEMANDED] });
  if (!VERSION_DEMANDED.includes(answer.status)) return answer;
  const named = await version();
  if (named === undefined)
    throw new Fault(
      "rejected",
      `${system} answers ${answer.status} to a change that does not name the version that it was made from, and tells none (RFC 7644 section 3.14).`,
    );
  return change({ ...request, headers: { ...request.headers, "if-match": named } });
}
