import { AppError } from "../../errors.ts";

/** What a message was refused for, so that a log and a test can tell one from another. */
export type RefusalField =
  | "xml" // not the XML that is read here
  | "shape" // parts that are missing, doubled or out of place
  | "algorithm"
  | "signature"
  | "encryption"
  | "status" // the identity provider itself says no
  | "issuer"
  | "destination"
  | "recipient"
  | "audience"
  | "time"
  | "subject"
  | "context" // the way that the person proved themselves in
  | "in_response_to"
  | "replay"
  | "version";

/**
 * A SAML message that is not believed. The sentence is for the log and for whoever looks after the connection; people who
 * sign in are told no more than that it did not work.
 */
export function refused(field: RefusalField, sentence: string, cause?: unknown): AppError {
  return new AppError("unauthenticated", sentence, { field: `saml.${field}`, ...(cause === undefined ? {} : { cause }) });
}
