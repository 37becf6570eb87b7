import type { Derivation } from "../../access/explain.ts";
import { relationTo } from "../../access/relation.ts";
import { listCustomAttributes } from "../../directory/custom-attributes.ts";
import { visibleTo } from "../../directory/person-edit-rights.ts";
import type { ApiCall } from "./route.ts";

/**
 * Derivations as the caller may see them: a condition that holds for somebody says what their attributes are, and is left out where it
 * speaks of one of the organisation's own that is kept from the caller.
 */
export async function toldConditions(
  call: ApiCall,
  { personId, derivations }: { personId: string; derivations: readonly Derivation[] },
): Promise<Derivation[]> {
  if (!derivations.some(({ rule }) => rule?.condition)) return [...derivations];
  const catalogue = await listCustomAttributes(call.sql);
  const relation = await relationTo(call.sql, { reach: await call.reach("rollcall.people.view"), personId });
  const shown = new Set(visibleTo(relation, catalogue));
  const hidden = catalogue.filter((attribute) => !shown.has(attribute)).map(({ key }) => key);
  return derivations.map((derivation) => {
    const { rule } = derivation;
    if (!rule?.condition || !speaksOf(rule.condition, hidden)) return derivation;
    return { ...derivation, rule: { ...rule, condition: null, attributes: [] } };
  });
}

/** By the names as words, so that it errs towards leaving out; all of them may be read by way of `profile`. */
function speaksOf(condition: string, keys: readonly string[]): boolean {
  return keys.length > 0 && [...keys, "profile"].some((key) => new RegExp(`(?<![\\w-])${key}(?![\\w-])`, "i").test(condition));
}
