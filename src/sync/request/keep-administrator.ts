import { keepingAnAdministrator, lockAdministrators, touchesAdministrators, type Touching } from "../../access/last-administrator.ts";
import type { Work } from "../../db/database.ts";
import { AppError } from "../../errors.ts";

/**
 * Waits for its turn among all that may take the last administrator's rights away, where this change touches one. To be called
 * before the request locks anything else: the order is administrators, rules, people, grants.
 */
export async function lockWhereSteering(work: Work, touching: Touching): Promise<void> {
  if (await touchesAdministrators(work, touching)) await lockAdministrators(work.sql);
}

/**
 * Does what a client or a provider asks, and throws `held`, with the field `administrator`, when nobody is left afterwards who steers
 * the organisation, or nobody for good: then the caller rolls back. Where no administrator is touched it costs one look.
 */
export async function keepingSteered<T>(
  work: Work,
  { connection, ...touching }: Touching & { connection: { name: string } },
  act: () => Promise<T>,
): Promise<T> {
  if (!(await touchesAdministrators(work, touching))) return act();
  const refused = (message: string) =>
    new AppError("held", `${connection.name}: ${message} Nothing was changed.`, { field: "administrator" });
  return keepingAnAdministrator(work, act, { refused });
}
