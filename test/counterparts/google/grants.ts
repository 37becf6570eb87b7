import { generateKeyPairSync, randomBytes } from "node:crypto";
import { jwtVerify } from "jose";

const GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/** One for all domains: making one takes longer than most tests do. */
const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ALL = ["user.readonly", "group.readonly", "orgunit.readonly", "user", "user.security", "group.member"];

export interface Delegation {
  /** The service account's key file, as Google Cloud gives it out. */
  keyFile: string;
  /** Scopes that the Admin console delegates to the service account. */
  delegated: Set<string>;
  /** Scopes of an access token; undefined when it is not, or no longer, good. */
  scopesOf(token: string): readonly string[] | undefined;
  /** Ends every token before its time. */
  endTokens(): void;
  /** How many tokens were given out. */
  given: number;
  /** The answer of the token endpoint to a form. */
  grant(form: URLSearchParams, audience: string): Promise<{ status: number; body: unknown }>;
}

export interface DelegationOptions {
  now: () => Date;
  /** Whether there is such an administrator, who is not suspended. */
  isUser: (email: string) => boolean;
}

/** Google's token endpoint for a service account with domain-wide delegation. */
export function openDelegation({ now, isUser }: DelegationOptions): Delegation {
  const email = "sync@fake-project.iam.gserviceaccount.com";
  const tokens = new Map<string, { scopes: string[]; endsAt: number }>();
  const no = (error: string, error_description: string, status = 400) => ({ status, body: { error, error_description } });
  const delegation: Delegation = {
    keyFile: JSON.stringify({
      type: "service_account",
      project_id: "fake-project",
      private_key_id: "0123456789abcdef",
      private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
      client_email: email,
      client_id: "112233445566778899001",
      token_uri: "https://oauth2.googleapis.com/token",
    }),
    delegated: new Set(ALL.map((name) => `https://www.googleapis.com/auth/admin.directory.${name}`)),
    given: 0,
    scopesOf(token) {
      const found = tokens.get(token);
      return found !== undefined && found.endsAt > now().getTime() ? found.scopes : undefined;
    },
    endTokens: () => tokens.clear(),
    async grant(form, audience) {
      if (form.get("grant_type") !== GRANT) return no("unsupported_grant_type", "Invalid grant_type");
      let claims;
      try {
        claims = (
          await jwtVerify(form.get("assertion") ?? "", publicKey, { algorithms: ["RS256"], audience, issuer: email, currentDate: now() })
        ).payload;
      } catch (error) {
        const text = error instanceof Error ? error.message : "";
        return /exp|iat|timestamp/.test(text)
          ? no(
              "invalid_grant",
              "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.",
            )
          : no("invalid_grant", "Invalid JWT Signature.");
      }
      const { iat = 0, exp = 0, sub, scope } = claims;
      if (exp - iat > 3600)
        return no(
          "invalid_grant",
          "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.",
        );
      if (sub === undefined || !isUser(sub)) return no("invalid_grant", "Invalid email or User ID");
      const scopes = String(scope).split(" ");
      if (!scopes.every((each) => delegation.delegated.has(each)))
        return no(
          "unauthorized_client",
          "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.",
          401,
        );
      const access_token = `ya29.${randomBytes(24).toString("base64url")}`;
      tokens.set(access_token, { scopes, endsAt: now().getTime() + 3_599_000 });
      delegation.given += 1;
      return { status: 200, body: { access_token, expires_in: 3599, token_type: "Bearer" } };
    },
  };
  return delegation;
}
