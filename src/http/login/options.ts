import type { Logger } from "pino";
import type { Config } from "../../config.ts";
import type { Database } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import type { CostsInUse } from "../../auth/passwords/costs-in-use.ts";
import type { Turns } from "../../auth/passwords/turns.ts";
import type { AttemptLimits } from "../../auth/risk/attempt-limits.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";
import type { Texts } from "./texts.ts";

/** What the login door is wired with. */
export interface LoginOptions {
  db: Database;
  keyRing: KeyRing;
  log: Logger;
  now: () => Date;
  settings: SignInSettings;
  /** Where browsers reach this server, without a slash at the end: `https://rollcall.example.com`. */
  baseUrl: string;
  limits: AttemptLimits;
  /** How passwords are looked at: so many at once, and with what costs for names of nobody. */
  verifying: { turns: Turns; costs: CostsInUse };
  texts: Texts;
  /** What connections may reach. */
  network?: Config["outbound"] | undefined;
}
