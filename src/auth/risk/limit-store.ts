import type { Database } from "../../db/database.ts";

interface LimiterStatement {
  name: string;
  text: string;
  values: unknown[];
}

/** Moments in milliseconds, among the numbers that the library sends: counts and durations are far smaller. */
const FIRST_MOMENT = 1_000_000_000_000;

/**
 * What RateLimiterPostgres takes for a client: our pool for single statements, with our clock in place of the machine's, which the
 * library reads by itself.
 */
export function limitStore({ requestPool }: Pick<Database, "requestPool">, now: () => Date) {
  return {
    async query({
      name,
      text,
      values,
    }: LimiterStatement): Promise<{ rows: { points: number; expire: number | null }[]; rowCount: number }> {
      const ahead = now().getTime() - Date.now();
      const ours = values.map((value) => (typeof value === "number" && value > FIRST_MOMENT ? value + ahead : value));
      const { rows, rowCount } = await requestPool.query<{ points: number; expire: number | null }>({ name, text, values: ours });
      return {
        rows: rows.map(({ points, expire }) => ({ points, expire: expire === null ? null : expire - ahead })),
        rowCount: rowCount ?? 0,
      };
    },
  };
}
