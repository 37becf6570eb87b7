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
  /** Lines go out together, a tenth of a second late at most, and at the end of the process: for servers, where each write costs a request time. */
  buffered?: boolean;
}

const LONGEST_BUFFERED_MS = 100;

/** JSON lines, pretty on a terminal, secrets redacted. */
export function createLog(options: LogOptions): Logger {
  const pretty = options.pretty ?? (options.destination === undefined && process.stderr.isTTY);
  const paths = SECRET_FIELDS.flatMap((name) => [quote(name), `*${quote(name)}`, `*.*${quote(name)}`, `*.*.*${quote(name)}`]);
  const destination =
    options.destination ??
    (pretty ? PinoPretty({ destination: 2, sync: true }) : options.buffered ? bufferedErrors() : pino.destination({ dest: 2, sync: true }));
  return pino({ level: options.level, timestamp: stdTimeFunctions.isoTime, redact: { paths, censor: "[redacted]" } }, destination);
}

function bufferedErrors(): DestinationStream {
  const destination = pino.destination({ dest: 2, sync: false, minLength: 8192, periodicFlush: LONGEST_BUFFERED_MS });
  process.on("exit", () => destination.flushSync());
  return destination;
}

/** The same log for lines whose fields are known to hold no secret: looking for one in each costs more than writing it. */
export function unredacted(log: Logger): Logger {
  return log.child({}, { redact: [] });
}

function quote(name: string): string {
  return `["${name}"]`;
}
