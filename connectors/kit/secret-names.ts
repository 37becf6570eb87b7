/** Names under which credentials travel, in forms, queries and JSON, whatever their spelling (`client_secret`, `clientSecret`). */
const SECRET_NAMES: ReadonlySet<string> = new Set([
  "accesstoken",
  "apikey",
  "apitoken",
  "assertion",
  "authorization",
  "clientassertion",
  "clientsecret",
  "clientstate",
  "codeverifier",
  "cookie",
  "idtoken",
  "passcode",
  "passphrase",
  "passwd",
  "password",
  "privatekey",
  "refreshtoken",
  "secret",
  "secretanswer",
  "setcookie",
  "sharedsecret",
  "sig",
  "temporarypassword",
  "unicodepwd",
  "userpassword",
  "xgoogchanneltoken",
]);

/** Whether what stands under this name is a credential. */
export function isSecretName(name: string): boolean {
  return SECRET_NAMES.has(name.toLowerCase().replace(/[^a-z0-9]/g, ""));
}

export const REDACTED = "[redacted]";

/** A text without these secrets, the longest first, so that no part of one is left. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  return [...secrets].sort((a, b) => b.length - a.length).reduce((clean, secret) => clean.replaceAll(secret, REDACTED), text);
}

/** The whole header, and its last word: `Bearer abc` must not come back as `abc` either. */
export function secretParts(header: string): string[] {
  return [header, header.split(" ").at(-1) ?? header].filter((part) => part.length >= 4);
}
