import { z } from "zod";

/** Signatures that a public key checks. A shared secret is none of them: whoever reads the key set could sign with it. */
export const SIGNING_ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
] as const;

const url = z.url({ protocol: /^https?$/ }).max(2000);
const names = z.array(z.string().max(200)).max(200);

/** OpenID Connect Discovery 1.0 section 3, as far as it is used; what else a document says is left out. */
const metadata = z.object({
  issuer: z.string().max(2000),
  authorization_endpoint: url,
  token_endpoint: url,
  jwks_uri: url,
  userinfo_endpoint: url.optional(),
  end_session_endpoint: url.optional(),
  revocation_endpoint: url.optional(),
  pushed_authorization_request_endpoint: url.optional(),
  require_pushed_authorization_requests: z.boolean().optional(),
  request_parameter_supported: z.boolean().optional(),
  require_signed_request_object: z.boolean().optional(),
  request_object_signing_alg_values_supported: names.optional(),
  response_types_supported: names.optional(),
  id_token_signing_alg_values_supported: names.optional(),
  code_challenge_methods_supported: names.optional(),
  scopes_supported: names.optional(),
  token_endpoint_auth_methods_supported: names.optional(),
  authorization_response_iss_parameter_supported: z.boolean().optional(),
});

export type ProviderMetadata = z.output<typeof metadata>;

/** Where an issuer's discovery document is (section 4). */
export function discoveryUrl(issuer: string): string {
  return `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
}

/**
 * A discovery document, read. It must be the issuer's own, to the letter (section 4.3), and name nothing without TLS where the issuer
 * has it. Throws an Error that says what is wrong.
 */
export function readMetadata(text: string, issuer: string): ProviderMetadata {
  const parsed = metadata.safeParse(JSON.parse(text));
  if (!parsed.success) {
    const [first] = parsed.error.issues;
    throw new Error(`its discovery document is wrong at ${first?.path.join(".") ?? "its root"}: ${first?.message ?? ""}`);
  }
  const said = parsed.data;
  if (said.issuer !== issuer) throw new Error(`its discovery document is of another issuer: ${said.issuer.slice(0, 200)}`);
  const open = Object.entries(said).find(
    ([name, value]) => (name.endsWith("_endpoint") || name === "jwks_uri") && typeof value === "string" && value.startsWith("http:"),
  );
  if (open && issuer.startsWith("https:")) throw new Error(`its discovery document names ${open[0]} without TLS`);
  return said;
}

/** The algorithms by which this provider's tokens may be signed: what it says, of those that a public key checks; RS256 where it says nothing. */
export function tokenAlgorithms({ id_token_signing_alg_values_supported: said = ["RS256"] }: ProviderMetadata): string[] {
  return SIGNING_ALGORITHMS.filter((algorithm) => said.includes(algorithm));
}
