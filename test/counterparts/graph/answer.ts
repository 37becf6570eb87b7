import type { Properties } from "./tenant.ts";

export interface Asked {
  method: string;
  /** Below the version. */
  path: string;
  query: URLSearchParams;
  headers: Readonly<Record<string, string | undefined>>;
  body: Properties;
}

export interface Answer {
  status: number;
  headers?: Record<string, string>;
  /** JSON, or a text as it is. */
  body?: Properties | string;
}

/** An error as Microsoft Graph words it. */
export function failure(status: number, code: string, message: string, headers: Record<string, string> = {}): Answer {
  const innerError = { date: "2026-01-01T00:00:00", "request-id": "0", "client-request-id": "0" };
  return { status, headers, body: { error: { code, message, innerError } } };
}

export function notFound(id: string): Answer {
  return failure(
    404,
    "Request_ResourceNotFound",
    `Resource '${id}' does not exist or one of its queried reference-property objects are not present.`,
  );
}

export function badRequest(message: string, code = "Request_BadRequest"): Answer {
  return failure(400, code, message);
}
