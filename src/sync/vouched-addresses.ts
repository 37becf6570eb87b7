import type { AttributeObject, AttributeValue } from "../../connectors/contract.ts";
import { keepsItsLetters } from "../directory/letter-case.ts";

/** Which addresses a provider vouches for: all that it names, none, or these alone (lower case). */
export type Vouched = boolean | readonly string[];

export interface VouchedOptions {
  vouched: Vouched;
  /** Domains, in lower case, whose addresses the provider hands out itself: whatever it says of them holds. */
  domains: readonly string[];
}

/** RFC 5321 section 4.1.2, wide: a quoted part may hold blanks, and whatever else holds an @ and no blank counts, too. */
const ADDRESS = /^(?:"[^"]*"|\S+)@\S+$/;

/**
 * What a provider says, without the e-mail addresses that it doesn't vouch for, under whatever names they stand: an address that
 * somebody has only typed in must neither find a person nor become one's. Pure.
 */
export function withoutUnvouched(attributes: AttributeObject, options: VouchedOptions): AttributeObject {
  return Object.fromEntries(
    Object.entries(attributes).flatMap(([name, value]) => {
      const kept = keptOf(value, options);
      return kept === undefined ? [] : [[name, kept]];
    }),
  );
}

function keptOf(value: AttributeValue | undefined, options: VouchedOptions): AttributeValue | undefined {
  if (typeof value === "string") return isAddress(value) && !isVouched(value, options) ? undefined : value;
  if (Array.isArray(value)) {
    return (value as readonly (string | AttributeObject)[]).flatMap((each) => {
      const kept = keptOf(each, options);
      return kept === undefined ? [] : [kept];
    }) as readonly string[] | readonly AttributeObject[];
  }
  return typeof value === "object" && value !== null ? withoutUnvouched(value as AttributeObject, options) : value;
}

function isAddress(text: string): boolean {
  return ADDRESS.test(text.trim());
}

function isVouched(text: string, { vouched, domains }: VouchedOptions): boolean {
  if (!keepsItsLetters(text)) return false;
  const address = text.trim().toLowerCase();
  if (vouched === true) return true;
  if (vouched !== false && vouched.includes(address)) return true;
  return domains.includes(address.slice(address.lastIndexOf("@") + 1));
}
