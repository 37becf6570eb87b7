import type { Work } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { canReach, tellPerson } from "../../directory/notices.ts";
import { AppError } from "../../errors.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";
import { unsettledAddress } from "../addresses/standing.ts";
import { createLink, linkUrl, type LinkPurpose } from "./links.ts";

export interface HandingOut {
  personId: string;
  purpose: LinkPurpose;
  /** `send`: to the person's e-mail address, in their language. `show`: to whoever asks, who hands it over. */
  delivery: "send" | "show";
  keyRing: KeyRing;
  settings: SignInSettings;
  /** Where browsers reach this server. */
  baseUrl: string;
  /** Earlier links of this purpose go on to work. */
  keepEarlier?: boolean;
}

export interface HandedOut {
  until: Date;
  /** The link, where it is to be shown; null where it was sent. */
  link: string | null;
}

/**
 * Makes a link of one use and hands it over (G1, G2); an earlier one of the same purpose works no more, unless it is to be kept. Throws
 * `conflict` for somebody for whom there is none in their state, and where nothing can be sent to them, or an address is new: the link can
 * be shown then.
 */
export async function handOutLink(
  work: Work,
  { personId, purpose, delivery, keyRing, settings, baseUrl, keepEarlier = false }: HandingOut,
): Promise<HandedOut> {
  if (delivery === "send") await requireReachable(work, { personId, settings });
  if (delivery === "send" && purpose === "reset") await requireSettled(work, { personId, settings });
  const { token, until } = await createLink(work, {
    personId,
    purpose,
    hours: purpose === "invitation" ? settings.links.invitationHours : settings.links.resetHours,
    delivery: delivery === "send" ? "sent" : "shown",
    keepEarlier,
  });
  const link = linkUrl(baseUrl, token);
  if (delivery === "show") return { until, link };
  const notice = purpose === "invitation" ? "invitation" : "password.reset";
  await tellPerson(work, { keyRing, personId, notice, data: { link, until } });
  return { until, link: null };
}

async function requireReachable({ sql }: Work, { personId, settings }: Pick<HandingOut, "personId" | "settings">): Promise<void> {
  if (!canReach(settings))
    throw new AppError(
      "conflict",
      "No e-mail service is set up here: have the link shown (`--show`, or delivery: show) and hand it over yourself.",
      { field: "delivery" },
    );
  if (!(await hasAddress({ sql }, personId)))
    throw new AppError(
      "conflict",
      "This person has no e-mail address: have the link shown (`--show`, or delivery: show) and hand it over yourself.",
      { field: "delivery" },
    );
}

/** An address that came a moment ago may be somebody else's: whoever asks for a link looks who takes it. */
async function requireSettled({ ctx, sql }: Work, { personId, settings }: Pick<HandingOut, "personId" | "settings">): Promise<void> {
  const waiting = await unsettledAddress(sql, { personId, now: ctx.now(), settings: settings.addresses });
  if (!waiting) return;
  const why =
    waiting.until === null
      ? "The person says that their e-mail address is not theirs"
      : `The e-mail address of this person was changed, and no link is sent there before ${waiting.until.toISOString()}`;
  throw new AppError("conflict", `${why}: have the link shown (\`--show\`, or delivery: show) and hand it over yourself.`, {
    field: "delivery",
  });
}

async function hasAddress({ sql }: Pick<Work, "sql">, personId: string): Promise<boolean> {
  const { rowCount } = await sql.query("select from people where id = $1 and email is not null", [personId]);
  return Boolean(rowCount);
}

/**
 * Sends somebody who was just saved as invited their invitation, where the settings say so and they can be reached; nothing happens to
 * others. Returns whether it was.
 */
export async function inviteWhenSaved(work: Work, options: Omit<HandingOut, "purpose" | "delivery">): Promise<boolean> {
  const { personId, settings } = options;
  if (!settings.links.inviteWhenSaved || !canReach(settings) || !(await hasAddress(work, personId))) return false;
  const { rowCount } = await work.sql.query("select from people where id = $1 and state = 'invited' and active", [personId]);
  if (!rowCount) return false;
  await handOutLink(work, { ...options, purpose: "invitation", delivery: "send" });
  return true;
}
