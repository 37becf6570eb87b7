import type { SimpleSamlPhpOptions } from "./server.ts";

/** Us, as the identity provider is to know us. */
export interface ServiceProvider {
  entityId: string;
  acsUrl: string;
  sloUrl: string;
  /** Base64 of our certificate: our requests are checked with it, and assertions encrypted for it. */
  certificate: string;
  encrypt: boolean;
  /** Encrypt names, too. */
  encryptNames?: boolean;
}

const DEFAULTS = "/usr/share/simplesamlphp/config/config.php";
const RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";

export function configuration({ folder, url }: { folder: string; url: string }): string {
  return `<?php
require '${DEFAULTS}';
$config = array_merge($config, ${php({
    baseurlpath: `${url}/`,
    certdir: `${folder}/cert/`,
    loggingdir: `${folder}/log/`,
    datadir: `${folder}/data/`,
    tempdir: `${folder}/tmp`,
    metadatadir: `${folder}/config/metadata/`,
    secretsalt: "a salt for tests only",
    "auth.adminpassword": "for tests only",
    timezone: "UTC",
    "logging.handler": "file",
    "statistics.out": [],
    "enable.saml20-idp": true,
    "module.enable": { core: true, saml: true, exampleauth: true, ldap: true },
    "session.cookie.secure": false,
    // Without TLS browsers take no cookie that goes everywhere.
    "session.cookie.samesite": "Lax",
    "store.type": "sql",
    "store.sql.dsn": `sqlite:${folder}/data/store.sq3`,
    "session.phpsession.savepath": `${folder}/sessions`,
  })});
`;
}

/** People by name and password: those of a directory, or a list of our own. */
export function authSources({ directory, users = {} }: Pick<SimpleSamlPhpOptions, "directory" | "users">): string {
  if (directory) {
    const attributes = ["uid", "mail", "cn", "sn", "entryUUID", "memberOf"];
    const { url: hostname, dnPattern: dnpattern } = directory;
    const people = { 0: "ldap:LDAP", hostname, enable_tls: false, dnpattern, attributes };
    return `<?php\n$config = ${php({ admin: ["core:AdminPassword"], people })};\n`;
  }
  const known = Object.entries(users).map(([name, { password, attributes }]) => [`${name}:${password}`, attributes] as const);
  return `<?php\n$config = ${php({ admin: ["core:AdminPassword"], people: { 0: "exampleauth:UserPass", ...Object.fromEntries(known) } })};\n`;
}

/** The one binding that its metadata name for what we send. */
export type Binding = "HTTP-Redirect" | "HTTP-POST";

export function hostedProvider(entityId: string, { binding = "HTTP-Redirect" }: { binding?: Binding | undefined } = {}): string {
  const spoken = [`urn:oasis:names:tc:SAML:2.0:bindings:${binding}`];
  return `<?php\n$metadata['${entityId}'] = ${php({
    host: "__DEFAULT__",
    privatekey: "idp.key",
    certificate: "idp.pem",
    auth: "people",
    "signature.algorithm": RSA_SHA256,
    "saml20.sign.response": true,
    "saml20.sign.assertion": true,
    NameIDFormat: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
    SingleSignOnServiceBinding: spoken,
    SingleLogoutServiceBinding: spoken,
    "attributes.NameFormat": "urn:oasis:names:tc:SAML:2.0:attrname-format:basic",
  })};\n`;
}

export function remoteProvider({ entityId, acsUrl, sloUrl, certificate, encrypt, encryptNames = false }: ServiceProvider): string {
  return `<?php\n$metadata['${entityId}'] = ${php({
    AssertionConsumerService: acsUrl,
    SingleLogoutService: sloUrl,
    "simplesaml.nameidattribute": "uid",
    certData: certificate,
    "validate.authnrequest": true,
    "validate.logout": true,
    "sign.logout": true,
    "assertion.encryption": encrypt,
    "nameid.encryption": encryptNames,
  })};\n`;
}

/** PHP's own server knows no path behind a script's name; this gives it what Apache would. */
export function router(www: string): string {
  return `<?php
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if (preg_match('#^/simplesaml(/.*?\\.php)(/.*)?$#', $path, $found) && is_file('${www}' . $found[1])) {
  $_SERVER['SCRIPT_NAME'] = '/simplesaml' . $found[1];
  $_SERVER['PHP_SELF'] = $_SERVER['SCRIPT_NAME'] . ($found[2] ?? '');
  $_SERVER['SCRIPT_FILENAME'] = '${www}' . $found[1];
  if (isset($found[2])) $_SERVER['PATH_INFO'] = $found[2]; else unset($_SERVER['PATH_INFO']);
  chdir(dirname($_SERVER['SCRIPT_FILENAME']));
  require $_SERVER['SCRIPT_FILENAME'];
  return true;
}
return false;
`;
}

type Value = string | boolean | readonly Value[] | { readonly [key: string]: Value };

/** A value as PHP writes it; keys that are numbers become positions. */
function php(value: Value): string {
  if (typeof value === "string") return `'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  if (typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return `[${value.map(php).join(", ")}]`;
  return `[${Object.entries(value)
    .map(([key, each]) => `${/^\d+$/.test(key) ? key : php(key)} => ${php(each)}`)
    .join(", ")}]`;
}
