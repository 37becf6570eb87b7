/** An error as Okta's API answers it. */
export class OktaError extends Error {
  readonly status: number;
  readonly code: string;
  readonly causes: readonly string[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: string,
    summary: string,
    { causes = [], headers = {} }: { causes?: readonly string[]; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(summary);
    this.name = "OktaError";
    this.status = status;
    this.code = code;
    this.causes = causes;
    this.headers = headers;
  }

  body(): object {
    return {
      errorCode: this.code,
      errorSummary: this.message,
      errorLink: this.code,
      errorId: "oaeQ1w2e3r4t5y6u7i8o9p0",
      errorCauses: this.causes.map((errorSummary) => ({ errorSummary })),
    };
  }
}

export const notFound = (id: string, type: "User" | "UserGroup") =>
  new OktaError(404, "E0000007", `Not found: Resource not found: ${id} (${type})`);
export const invalid = (what: string, cause: string) =>
  new OktaError(400, "E0000001", `Api validation failed: ${what}`, { causes: [cause] });
export const invalidCriteria = () => new OktaError(400, "E0000031", "Invalid search criteria.");
export const forbidden = () => new OktaError(403, "E0000006", "You do not have permission to perform the requested action");
