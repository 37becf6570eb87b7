import type { AttributeObject, AttributeValue, TargetAccount } from "../../connectors/contract.ts";
import { isObject } from "../directory/attributes.ts";

/** Whether what stands at the target no longer says what we delivered. What others added beside it is theirs. Pure. */
export function hasDrifted(account: TargetAccount, { delivered, active }: { delivered: AttributeObject | null; active: boolean }): boolean {
  if (account.active !== undefined && account.active !== active) return true;
  return active && !holds(account.attributes, delivered ?? {});
}

/** What of the account we speak of in our deliveries, as it stands: the next update starts from here. */
export function asItStands({ attributes }: TargetAccount, delivered: AttributeObject | null): AttributeObject {
  return Object.fromEntries(
    Object.keys(delivered ?? {}).flatMap((name) => (attributes[name] === undefined ? [] : [[name, attributes[name]]])),
  );
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
