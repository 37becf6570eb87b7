import type { AttributeObject, AttributeValue, TargetAccount } from "../../connectors/contract.ts";
import { comparable } from "../../connectors/kit/comparable-id.ts";
import { storableText } from "../../connectors/kit/storable-text.ts";
import { isObject } from "../directory/attributes.ts";
import { deliveredGroup } from "./bring-group.ts";

/** Whether what stands at the target no longer says what we delivered. What others added beside it is theirs. Pure. */
export function hasDrifted(account: TargetAccount, { delivered, active }: { delivered: AttributeObject | null; active: boolean }): boolean {
  return isOtherwiseActive(account, active) || driftedAttributes(account, { delivered, active }).length > 0;
}

/** Whether somebody is active there who should not be, or the other way round, as far as it tells. */
export function isOtherwiseActive(account: TargetAccount, active: boolean): boolean {
  return account.active !== undefined && account.active !== active;
}

/** The attributes that no longer say what we delivered; of whoever is disabled nobody asks. */
export function driftedAttributes(
  { attributes }: TargetAccount,
  { delivered, active }: { delivered: AttributeObject | null; active: boolean },
): string[] {
  return active ? Object.keys(delivered ?? {}).filter((name) => !holds(attributes[name], delivered?.[name])) : [];
}

/** What of the account we speak of in our deliveries, as it stands: the next update starts from here. */
export function asItStands({ attributes }: TargetAccount, delivered: AttributeObject | null): AttributeObject {
  return Object.fromEntries(
    Object.keys(delivered ?? {}).flatMap((name) => (attributes[name] === undefined ? [] : [[name, keepable(attributes[name])]])),
  );
}

/** The same value without what PostgreSQL can't keep: it differs from what was delivered either way. */
function keepable(value: AttributeValue | undefined): AttributeValue | undefined {
  if (typeof value === "string") return storableText(value);
  if (Array.isArray(value)) return (value as readonly AttributeValue[]).map(keepable) as AttributeValue;
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [storableText(name), keepable(inner)]));
}

/** The same of a group: another name, or a member that we put there and that is there no more. Members whom others added are theirs. */
export function groupHasDrifted(group: TargetAccount, delivered: AttributeObject | null): boolean {
  const { attributes, members } = deliveredGroup(delivered);
  if (!holds(group.attributes, attributes ?? {})) return true;
  const held = heldBy(group);
  return held !== undefined && members.some((id) => !held.has(comparable(id)));
}

/** What of the group we speak of in our deliveries, as it stands. */
export function groupAsItStands(group: TargetAccount, delivered: AttributeObject | null): AttributeObject {
  const { attributes, members } = deliveredGroup(delivered);
  const held = heldBy(group);
  return { attributes: asItStands(group, attributes), members: held ? members.filter((id) => held.has(comparable(id))) : members };
}

/** To be asked by what is `comparable`; undefined where the target does not tell its members. */
function heldBy({ members }: TargetAccount): Set<string> | undefined {
  return members && new Set(members.map(comparable));
}

/** Every value of `wanted` is in `held`; the elements of a list in any order, and no others. */
function holds(held: AttributeValue | undefined, wanted: AttributeValue | undefined): boolean {
  if (wanted === undefined || wanted === null) return true;
  if (Array.isArray(wanted)) {
    const elements: readonly AttributeValue[] = Array.isArray(held) ? held : [];
    return (
      elements.length === wanted.length &&
      (wanted as readonly AttributeValue[]).every((item) => elements.some((element) => holds(element, item)))
    );
  }
  if (isObject(wanted)) return isObject(held) && Object.entries(wanted).every(([name, value]) => holds(held[name], value));
  return held === wanted;
}
