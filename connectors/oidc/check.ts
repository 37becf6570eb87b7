import type { CheckResult, OpenOptions } from "../contract.ts";
import { discoveryUrl, readMetadata, tokenAlgorithms, type ProviderMetadata } from "../kit/openid-metadata.ts";
import { fetchText } from "../kit/send.ts";
import type { OidcSettings } from "./config.ts";

const MOST_BYTES = 256 * 1024;

/** Whether the provider answers as this issuer, has keys, and can do what is asked of it. Signs nobody in. */
export async function checkOidc(options: OpenOptions<OidcSettings>): Promise<CheckResult[]> {
  const { issuer } = options.settings;
  const results: CheckResult[] = [];
  let metadata: ProviderMetadata;
  try {
    metadata = readMetadata(await read(options, discoveryUrl(issuer)), issuer);
    results.push({ name: "Discovery", ok: true, message: `${issuer} answers as the issuer` });
  } catch (error) {
    return [{ name: "Discovery", ok: false, message: `${issuer}: ${messageOf(error)}. Check the issuer.` }];
  }
  try {
    const { keys } = JSON.parse(await read(options, metadata.jwks_uri)) as { keys?: unknown };
    if (!Array.isArray(keys) || keys.length === 0) throw new Error("the key set is empty");
    results.push({ name: "Keys", ok: true, message: `${keys.length} keys for its signatures` });
  } catch (error) {
    results.push({ name: "Keys", ok: false, message: `${metadata.jwks_uri}: ${messageOf(error)}` });
  }
  return [...results, ...abilities(metadata, options.settings)];
}

async function read({ settings, network }: OpenOptions<OidcSettings>, url: string): Promise<string> {
  const { status, text } = await fetchText({ url, network, timeoutMs: settings.timeoutMs, maxBytes: MOST_BYTES });
  if (status !== 200) throw new Error(`it answered ${status}`);
  return text;
}

function abilities(metadata: ProviderMetadata, settings: OidcSettings): CheckResult[] {
  const algorithms = tokenAlgorithms(metadata);
  const methods = metadata.token_endpoint_auth_methods_supported ?? ["client_secret_basic"];
  const offline = settings.refreshHours !== undefined && metadata.scopes_supported?.includes("offline_access") === false;
  return [
    {
      name: "Signatures",
      ok: algorithms.length > 0,
      message: algorithms.length > 0 ? `tokens signed by ${algorithms.join(", ")}` : "it signs tokens by no algorithm with a public key",
    },
    {
      name: "Client authentication",
      ok: methods.includes(settings.clientAuthentication),
      message: methods.includes(settings.clientAuthentication)
        ? settings.clientAuthentication
        : `it takes ${methods.join(", ")}, and clientAuthentication is ${settings.clientAuthentication}`,
    },
    ...(offline ? [{ name: "Refresh", ok: false, message: "it offers no offline_access: leave out refreshHours" }] : []),
  ];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
