import { pino, stdTimeFunctions, type DestinationStream, type Logger } from "pino";
import { PinoPretty } from "pino-pretty";

/** Field names whose values never reach a log, at any depth that we log. */
const SECRET_FIELDS = [
  "password",
  "bindPassword",
  "secret",
  "secrets",
  "token",
  "authorization",
  "cookie",
  "set-cookie",
  "key",
  "masterKey",
  "clientSecret",
  "DATABASE_URL",
  "databaseUrl",
];

export interface LogOptions {
  level: string;
  /** Where lines go; standard error when absent, so that standard output stays for answers. */
  destination?: DestinationStream;
  pretty?: boolean;
}

/** JSON lines, pretty on a terminal, secrets redacted. */
export function createLog(options: LogOptions): Logger {
  const pretty = options.pretty ?? (options.destination === undefined && process.stderr.isTTY);
  const paths = SECRET_FIELDS.flatMap((name) => [quote(name), `*${quote(name)}`, `*.*${quote(name)}`, `*.*.*${quote(name)}`]);
  const destination =
    options.destination ?? (pretty ? PinoPretty({ destination: 2, sync: true }) : pino.destination({ dest: 2, sync: true }));
  return pino({ level: options.level, timestamp: stdTimeFunctions.isoTime, redact: { paths, censor: "[redacted]" } }, destination);
}

function quote(name: string): string {
  return `["${name}"]`;
}
