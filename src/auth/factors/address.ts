import { AppError } from "../../errors.ts";
import type { SentKind } from "./kinds.ts";

const PHONE = /^\+[1-9]\d{6,14}$/;
const EMAIL =
  /^[^\s@\p{Cc}<>()[\],;:\\"]{1,64}@(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+$/u;

/** A number as E.164 has it, or an e-mail address; trimmed, without a number's spaces and dashes. Throws `invalid`. Pure. */
export function parseAddress(kind: SentKind, text: string): string {
  if (kind === "sms") {
    const number = text.trim().replaceAll(/[\s()./-]/g, "");
    if (PHONE.test(number)) return number;
    throw new AppError("invalid", "address: must be a number with its country code: +358 40 1234567.", { field: "address" });
  }
  const address = text.trim();
  if (EMAIL.test(address)) return address;
  throw new AppError("invalid", "address: must be an e-mail address.", { field: "address" });
}

/** As much of it as its owner needs to tell it apart: `+358…67`, `a…@example.com`. Pure. */
export function maskAddress(kind: SentKind, address: string): string {
  if (kind === "sms") return `${address.slice(0, 3)}…${address.slice(-2)}`;
  const at = address.lastIndexOf("@");
  return `${[...address][0] ?? ""}…${address.slice(at)}`;
}
