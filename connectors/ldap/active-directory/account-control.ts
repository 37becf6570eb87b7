/** The bit of userAccountControl that disables an account (ADS_UF_ACCOUNTDISABLE, MS-ADTS 2.2.16). */
const ACCOUNT_DISABLED = 0x2;

/** 100 ns between 1601, where Windows counts from, and 1970. */
const EPOCH = 116_444_736_000_000_000n;
/** What accountExpires holds when it never does (MS-ADA1 2.2). */
const NEVER = new Set([0n, 0x7fff_ffff_ffff_ffffn]);

/** Whether an account may sign in; undefined when userAccountControl is not to be read. */
export function isEnabled(userAccountControl: string | undefined): boolean | undefined {
  const flags = parseFlags(userAccountControl);
  return flags === undefined ? undefined : (flags & ACCOUNT_DISABLED) === 0;
}

/** The same flags with only ACCOUNTDISABLE set or cleared; undefined when they are no flags. */
export function withDisabled(userAccountControl: string | undefined, disabled: boolean): string | undefined {
  const flags = parseFlags(userAccountControl);
  if (flags === undefined) return undefined;
  return String(disabled ? flags | ACCOUNT_DISABLED : flags & ~ACCOUNT_DISABLED);
}

function parseFlags(value: string | undefined): number | undefined {
  return value !== undefined && /^-?\d{1,10}$/.test(value) ? Number(value) : undefined;
}

/** A FILETIME in decimal digits as ISO 8601; undefined for never, and for what is none. */
export function formatFileTime(value: string): string | undefined {
  if (!/^\d{1,19}$/.test(value)) return undefined;
  const ticks = BigInt(value);
  if (NEVER.has(ticks)) return undefined;
  const time = new Date(Number((ticks - EPOCH) / 10_000n));
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}
