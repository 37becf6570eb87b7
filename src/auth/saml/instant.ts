/** xs:dateTime in UTC, as SAML writes it (saml-core-2.0 section 1.3.3). */
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z$/;

/** Undefined for what is no such instant. */
export function instantOf(text: string | undefined): Date | undefined {
  if (text === undefined || !INSTANT.test(text)) return undefined;
  const instant = new Date(text);
  return Number.isNaN(instant.getTime()) ? undefined : instant;
}

/** Whether now is before the instant, by clocks that may differ by so much; an instant that could not be read is over. */
export function isBefore(instant: Date | undefined, { now, skewMs }: { now: Date; skewMs: number }): boolean {
  return instant !== undefined && now.getTime() - skewMs < instant.getTime();
}

/** Whether the instant has come. */
export function isFrom(instant: Date | undefined, { now, skewMs }: { now: Date; skewMs: number }): boolean {
  return instant !== undefined && now.getTime() + skewMs >= instant.getTime();
}
