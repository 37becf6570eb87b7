import type { LemonLdapOptions } from "./server.ts";

/** Its configuration as its own files hold it (lmConf-1.json): people of its demonstration mode, each with their name as password. */
export function configuration({ folder, url, keys, serviceProvider }: LemonLdapOptions & { folder: string; url: string }): string {
  return JSON.stringify({
    cfgNum: 1,
    cfgAuthor: "test",
    cfgDate: 1_700_000_000,
    key: "only for tests",
    portal: `${url}/`,
    domain: "127.0.0.1",
    cookieName: "lemonldap",
    securedCookie: 0,
    sameSite: "Lax",
    authentication: "Demo",
    userDB: "Same",
    passwordDB: "Null",
    captcha: "::Captcha::None",
    requireToken: 0,
    demoExportedVars: { cn: "cn", mail: "mail", uid: "uid" },
    whatToTrace: "uid",
    globalStorage: "Apache::Session::File",
    globalStorageOptions: storage(`${folder}/sessions`),
    persistentStorage: "Apache::Session::File",
    persistentStorageOptions: storage(`${folder}/persistent`),
    issuerDBSAMLActivation: 1,
    samlServicePrivateKeySig: keys.privateKey,
    samlServicePublicKeySig: keys.certificate,
    samlServiceUseCertificateInResponse: 1,
    samlSPMetaDataXML: { rollcall: { samlSPMetaDataXML: serviceProvider } },
    samlSPMetaDataOptions: {
      rollcall: {
        samlSPMetaDataOptionsSignSSOMessage: 1,
        samlSPMetaDataOptionsSignSLOMessage: 1,
        samlSPMetaDataOptionsCheckSSOMessageSignature: 1,
        samlSPMetaDataOptionsCheckSLOMessageSignature: 1,
        samlSPMetaDataOptionsNameIDFormat: "unspecified",
        samlSPMetaDataOptionsNameIDSessionKey: "uid",
      },
    },
    samlSPMetaDataExportedAttributes: { rollcall: { cn: "1;cn;;", mail: "1;mail;;" } },
    locationRules: {},
    exportedHeaders: {},
  });
}

export function ini(folder: string): string {
  return `[all]
logLevel = warn
logger = Lemonldap::NG::Common::Logger::Std
[configuration]
type = File
dirName = ${folder}/conf
localStorage = Cache::NullCache
[portal]
templateDir = /usr/share/lemonldap-ng/portal/templates
staticPrefix = /static
languages = en
`;
}

/** Its pictures of letters want a library that nothing here needs. */
export const APPLICATION = `BEGIN {
  package Lemonldap::NG::Portal::Captcha::None;
  use Mouse;
  extends "Lemonldap::NG::Portal::Main::Plugin";
  sub init { 1 }
  $INC{"Lemonldap/NG/Portal/Captcha/None.pm"} = 1;
}
use Lemonldap::NG::Portal::Main;
Lemonldap::NG::Portal::Main->run({});
`;

function storage(directory: string): Record<string, string> {
  return {
    Directory: directory,
    LockDirectory: `${directory}/lock`,
    generateModule: "Lemonldap::NG::Common::Apache::Session::Generate::SHA256",
  };
}
