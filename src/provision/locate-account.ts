import { Fault, type AttributeObject, type AttributeValue, type Target, type TargetAccount } from "../../connectors/contract.ts";
import type { Provision } from "../connections/definition.ts";
import { isObject } from "../directory/attributes.ts";
import type { Holder } from "./holder.ts";
import type { Projection } from "./row.ts";

export interface LocateOptions {
  target: Pick<Target, "find">;
  match: Provision["match"];
  /** Compare with everything that is there. */
  thorough?: boolean;
}

/** By each matching attribute in turn; the first that finds anything decides. Two matches are a dispute for a human. */
export async function locate(
  sought: AttributeObject,
  { target, match, thorough = false }: LocateOptions,
): Promise<TargetAccount | undefined> {
  for (const attribute of match) {
    const value = sought[attribute];
    if (value === undefined || value === null || value === "") continue;
    const found = await target.find("user", { [attribute]: value }, { thorough });
    const [only] = found;
    if (found.length > 1) {
      throw new Fault(
        "rejected",
        `${found.length} accounts at the target match this person by ${attribute} (${found.map(({ nativeId }) => nativeId).join(", ")}). Remove the wrong one there, then retry.`,
      );
    }
    if (only) return only;
  }
  return undefined;
}

export interface UnconfirmedOptions {
  /** Whose that account or group is, when it is somebody else's. */
  holderOf: (nativeId: string) => Promise<Holder | undefined>;
  /** Whether somebody else, whose account is not known yet, is or was to have this name there. */
  namedElsewhere: (name: string) => Promise<boolean>;
}

/**
 * The account that a delivery made and did not live to tell of, by what was sent then: nothing like it was there just before. Whoever
 * has the name since keeps theirs.
 */
export async function locateAttempted(row: Projection, options: LocateOptions & UnconfirmedOptions): Promise<TargetAccount | undefined> {
  if (row.deliveredState !== "attempted") return undefined;
  const sent = row.delivered ?? row.desired ?? {};
  const found = await locate(sent, options);
  const { match } = options;
  return found && (await isOwn(found, { ...options, sent, desired: row.desired, match, name: sent["userName"] })) ? found : undefined;
}

/**
 * The account of somebody whose id the application does not know any more, under another one: some make ids of names, or of addresses, and
 * whoever leaves would stay in there. Whose account it is said to be otherwise, by our own id or by every address, is not theirs.
 */
export async function locateMoved(row: Projection, options: LocateOptions & UnconfirmedOptions): Promise<TargetAccount | undefined> {
  for (const sent of [row.delivered, row.desired]) {
    const found = sent ? await locate(sent, options) : undefined;
    if (!sent || !found || found.nativeId === row.nativeId) continue;
    if (await isOwn(found, { ...options, sent, desired: null, name: sent["userName"] })) return found;
  }
  return undefined;
}

export interface OwnOptions extends UnconfirmedOptions {
  sent: AttributeObject;
  desired: AttributeObject | null;
  match: readonly string[];
  /** Of what was sent. */
  name: AttributeValue | undefined;
}

/** Whether what was found by what was sent is what was made of it. */
export async function isOwn(found: TargetAccount, { sent, desired, match, name, holderOf, namedElsewhere }: OwnOptions): Promise<boolean> {
  if (await holderOf(found.nativeId)) return false;
  // Under the name that the person has still, it is theirs whoever made it: that is what matching says.
  if (match.some((attribute) => desired !== null && isSame(sent[attribute], desired[attribute]))) return true;
  const told = isAsSent(found.attributes, sent);
  if (told !== undefined) return told;
  if (await namedElsewhere(String(name ?? ""))) return false;
  // Whose account became known between the first question and this one is not named any more, and linked.
  return !(await holderOf(found.nativeId));
}

/**
 * Whether an account is the one that was made of what was sent: by the id that we gave it, where the application keeps that; otherwise it
 * has none of our addresses, or undefined: nothing speaks against it. Pure.
 */
export function isAsSent(found: AttributeObject, sent: AttributeObject): boolean | undefined {
  const [theirs, ours] = [found["externalId"], sent["externalId"]];
  if (typeof theirs === "string" && typeof ours === "string") return theirs === ours;
  const [held, given] = [addressesOf(found), addressesOf(sent)];
  return held.length > 0 && given.length > 0 && !given.some((address) => held.includes(address)) ? false : undefined;
}

function addressesOf({ emails }: AttributeObject): string[] {
  return Array.isArray(emails)
    ? (emails as readonly AttributeValue[]).flatMap((email) =>
        isObject(email) && typeof email["value"] === "string" ? [email["value"].toLowerCase()] : [],
      )
    : [];
}

function isSame(left: AttributeValue | undefined, right: AttributeValue | undefined): boolean {
  return left !== undefined && left !== null && left !== "" && JSON.stringify(left) === JSON.stringify(right);
}
