/** What a setting is called in an identity provider's own console. */
export interface ConsoleWords {
  /** Our entity ID there. */
  entityId: string;
  /** Where responses are posted. */
  acsUrl: string;
  /** Where its metadata come from. */
  metadata: string;
  certificates: string;
}

const ANY: ConsoleWords = {
  entityId: "our entity ID (audience, relying party identifier)",
  acsUrl: "our address for responses (ACS URL)",
  metadata: "its metadata",
  certificates: "its signing certificates",
};

const KNOWN: readonly { at: RegExp; words: ConsoleWords }[] = [
  {
    at: /^https:\/\/sts\.windows\.net\//,
    words: {
      entityId: "Identifier (Entity ID)",
      acsUrl: "Reply URL (Assertion Consumer Service URL)",
      metadata: "App Federation Metadata Url",
      certificates: "SAML Certificates",
    },
  },
  {
    at: /^https?:\/\/(?:www|[a-z0-9-]+)\.(?:okta|oktapreview|okta-emea)\.com\//,
    words: {
      entityId: "Audience URI (SP Entity ID)",
      acsUrl: "Single sign-on URL",
      metadata: "Metadata URL (Sign On)",
      certificates: "SAML Signing Certificates",
    },
  },
  {
    at: /^https:\/\/accounts\.google\.com\/o\/saml2/,
    words: { entityId: "Entity ID", acsUrl: "ACS URL", metadata: "Download metadata", certificates: "Certificates (Security, Set up SSO)" },
  },
];

/** The words of the console that an identity provider is looked after in, told by its entity ID; those of SAML for one that is not known. Pure. */
export function consoleWords(entityId: string): ConsoleWords {
  return KNOWN.find(({ at }) => at.test(entityId))?.words ?? ANY;
}
