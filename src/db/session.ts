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
  // A node that is cut off, or whose machine lost its power, says no farewell: the server would keep its locks for two hours, and with them its jobs and whoever waits for a row of it.
  "tcp_keepalives_idle = 10",
  "tcp_keepalives_interval = 5",
  "tcp_keepalives_count = 4",
  "tcp_user_timeout = 30000",
  // Statements take milliseconds, and compiling one a tenth of a second. Before PostgreSQL 18 each that may not scan in sequence would be compiled.
  "jit = off",
  // As it is for memory and solid-state disks.
  "random_page_cost = 1.1",
]
  .map((setting) => `set ${setting}`)
  .join("; ");
