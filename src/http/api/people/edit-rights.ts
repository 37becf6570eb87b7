import { askedByRules } from "../../../access/asked-by-rules.ts";
import { personBehind } from "../../../access/policy.ts";
import { requireMayShutOutOrLetIn } from "../../../access/shutting-out.ts";
import { relationTo } from "../../../access/relation.ts";
import type { AttributeObject } from "../../../../connectors/contract.ts";
import { primaryEmail } from "../../../directory/attributes.ts";
import { listCustomAttributes } from "../../../directory/custom-attributes.ts";
import { MATCHED_BY, notEditableBy, visibleTo } from "../../../directory/person-edit-rights.ts";
import { AppError } from "../../../errors.ts";
import type { ApiCall } from "../route.ts";

/** Refuses attributes that the caller may not change about this person (P2, P7). Throws `forbidden` naming each. */
export async function refuseForeignAttributes(
  call: ApiCall,
  { personId, asked, before, after }: { personId: string; asked: readonly string[]; before: AttributeObject; after: AttributeObject },
): Promise<void> {
  const { sql } = call;
  if (asked.length === 0) return;
  const reach = await call.reach("rollcall.people.edit");
  const relation = await relationTo(sql, { reach, personId });
  const oneself = personId === personBehind(call.caller);
  // By these an account is matched, and a link to sign in is sent to the address: who writes them could become that person.
  const readdressed = isReaddressed({ asked, before, after });
  if (readdressed || asked.some((key) => MATCHED_BY.has(key)))
    await requireMayShutOutOrLetIn(call, { caller: call.caller, personId, onceIn: true });
  if (relation === "administrator" && (!oneself || reach.organisation)) return;
  const refused = new Set(notEditableBy(relation, { keys: asked, catalogue: await listCustomAttributes(sql) }));
  if (readdressed) refused.add("emails");
  // In one's own unit, too: an account of somebody else would become one's own.
  for (const key of asked.filter((each) => oneself && MATCHED_BY.has(each))) refused.add(key);
  // What rules would give an administrator is asked after the change.
  if (relation !== "administrator") for (const key of await askedByRules(sql, asked)) refused.add(key);
  const [first] = refused;
  if (first === undefined) return;
  const problems = [...refused].map((field) => ({ field, message: "is left to administrators" }));
  throw new AppError("forbidden", `${first} is left to administrators: it says who somebody is, or a rule asks for it.`, {
    field: first,
    problems,
  });
}

/** Whether the address by which accounts are matched becomes another. Pure. */
export function isReaddressed({
  asked,
  before,
  after,
}: {
  asked: readonly string[];
  before: AttributeObject;
  after: AttributeObject;
}): boolean {
  return asked.includes("emails") && primaryEmail(before)?.toLowerCase() !== primaryEmail(after)?.toLowerCase();
}

/** Refuses attributes that the caller does not see, before anything is said about their values. Throws `forbidden`. */
export async function refuseHiddenAttributes(
  call: ApiCall,
  { personId, given }: { personId: string; given: readonly string[] },
): Promise<void> {
  if (given.length === 0) return;
  const relation = await relationTo(call.sql, { reach: await call.reach("rollcall.people.view"), personId });
  const catalogue = await listCustomAttributes(call.sql);
  const shown = new Set(visibleTo(relation, catalogue).map(({ key }) => key.toLowerCase()));
  const hidden = given.find(
    (key) => !shown.has(key.toLowerCase()) && catalogue.some((each) => each.key.toLowerCase() === key.toLowerCase()),
  );
  if (hidden !== undefined) throw new AppError("forbidden", `custom.${hidden} is left to administrators.`, { field: `custom.${hidden}` });
}
