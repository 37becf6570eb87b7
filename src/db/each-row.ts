import pg from "pg";

export interface RowQuery {
  name?: string | undefined;
  text: string;
  values: readonly unknown[];
}

/**
 * Runs a statement and hands over each row as it comes, for answers that shall not stand in memory whole. Nothing waits for
 * `onRow`: what it passes on slowly it holds itself, and the connection is free again as soon as the server has sent all.
 * Throws what the statement or `onRow` threw; rows may have come before.
 */
export async function eachRow<R extends object>(
  pool: Pick<pg.Pool, "connect">,
  { name, text, values }: RowQuery,
  onRow: (row: R) => void,
): Promise<void> {
  const client = await pool.connect();
  try {
    await new Promise<void>((resolve, reject) => {
      const query = new pg.Query<R>({ text, values: [...values], ...(name === undefined ? {} : { name }) });
      let failure: unknown;
      query.on("row", (row) => {
        if (failure !== undefined) return;
        try {
          onRow(row);
        } catch (error) {
          failure = error;
        }
      });
      query.on("error", reject);
      query.on("end", () => (failure === undefined ? resolve() : reject(failure as Error)));
      client.query(query);
    });
    client.release();
  } catch (error) {
    // It may be the connection that failed: another takes its place.
    client.release(true);
    throw error;
  }
}
