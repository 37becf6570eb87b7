/**
 * What our statements rest on, set on every connection: a server, a database or a role may have been given other defaults.
 */
export const SESSION = [
  // In these forms instants, days, intervals, bytes and numbers are read back.
  "datestyle = 'ISO, MDY'",
  "intervalstyle = 'postgres'",
  "bytea_output = 'hex'",
  "extra_float_digits = 1",
  "timezone = 'UTC'",
  // Whoever waits for a lock sees what the one before wrote, instead of an error.
  "default_transaction_isolation = 'read committed'",
  // Jobs and migrations take as long as they take, and who shows that a node lives says nothing for days. What a request may take is limited by its pool.
  "statement_timeout = 0",
  "lock_timeout = 0",
  "idle_in_transaction_session_timeout = 0",
  "idle_session_timeout = 0",
  // Statements take milliseconds, and compiling one a tenth of a second. Before PostgreSQL 18 each that may not scan in sequence would be compiled.
  "jit = off",
  // As it is for memory and solid-state disks.
  "random_page_cost = 1.1",
]
  .map((setting) => `set ${setting}`)
  .join("; ");
