/** An error as the Directory API writes it. */
export class GoogleError extends Error {
  readonly status: number;
  readonly reason: string;
  readonly retryAfter: string | undefined;

  constructor(status: number, reason: string, message: string, retryAfter?: string) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfter = retryAfter;
  }

  body(): unknown {
    return {
      error: {
        code: this.status,
        message: this.message,
        errors: [{ message: this.message, domain: domainOf(this.reason), reason: this.reason }],
      },
    };
  }
}

function domainOf(reason: string): string {
  return /^(userRateLimit|rateLimit|quota|dailyLimit|accessNot)/.test(reason) ? "usageLimits" : "global";
}

export function notFound(what: string): GoogleError {
  return new GoogleError(404, "notFound", `Resource Not Found: ${what}`);
}

export function invalid(what: string): GoogleError {
  return new GoogleError(400, "invalid", `Invalid Input: ${what}`);
}
