import pg from "pg";

/** Whether a transaction was given up for another one's sake (a deadlock, a serialization failure): the same again succeeds. */
export function lostToAnother(error: unknown): boolean {
  return error instanceof pg.DatabaseError && (error.code === "40P01" || error.code === "40001");
}
