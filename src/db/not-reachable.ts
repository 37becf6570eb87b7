import pg from "pg";
import { AppError, messageOf } from "../errors.ts";
import { databaseIsGone } from "./failures.ts";

/** What Node.js says of certificates and of TLS. */
const OF_TLS = /^(CERT_|DEPTH_ZERO_|ERR_SSL_|ERR_TLS_|SELF_SIGNED_|UNABLE_TO_)/;

/** Why a database could not be opened, in our words, with what to do; the URL is named without its password. What is no such reason comes back as it is. */
export function notReachable(url: string, error: unknown): unknown {
  const { hostname, port, pathname } = new URL(url);
  const place = `${hostname}:${port || "5432"}${pathname}`;
  const { code = "", syscall, path } = error as NodeJS.ErrnoException;
  const wrong = (message: string) => new AppError("misconfigured", message, { field: "DATABASE_URL", cause: error });
  if (databaseIsGone(error) || (code === "ENOENT" && syscall === "connect")) {
    const why = code === "" || error instanceof pg.DatabaseError ? messageOf(error) : code;
    return new AppError("unavailable", `PostgreSQL at ${place} does not answer (${why}). Is DATABASE_URL right, and the server running?`, {
      field: "DATABASE_URL",
      cause: error,
    });
  }
  if (code === "28P01" || messageOf(error).startsWith("SASL: "))
    return wrong(`PostgreSQL at ${place} refuses the user or password of DATABASE_URL.`);
  if (code === "28000") return wrong(`PostgreSQL at ${place} does not let the user of DATABASE_URL in: ${messageOf(error)}.`);
  if (code === "3D000") return wrong(`There is no database ${pathname.slice(1)} at ${hostname}: create it, or change DATABASE_URL.`);
  if (code === "42501")
    return wrong(
      `The user of DATABASE_URL may not set up the database ${place}: ${messageOf(error)}. It must own it, and be allowed to create extensions.`,
    );
  if (OF_TLS.test(code))
    return wrong(
      `The certificate of PostgreSQL at ${place} is not accepted: ${messageOf(error)}. Name the CA of it, and the host as it is named there: ?sslmode=verify-full&sslrootcert=/path/to/ca.pem`,
    );
  if (messageOf(error) === "The server does not support SSL connections")
    return wrong(`PostgreSQL at ${place} offers no TLS, which the sslmode of DATABASE_URL asks for.`);
  if (syscall === "open") return wrong(`DATABASE_URL names the file ${path}, which can't be read (${code}).`);
  return error;
}
