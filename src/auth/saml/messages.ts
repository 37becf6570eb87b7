import type { SamlSettings } from "../../../connectors/saml/config.ts";
import type { NameId } from "./assertion.ts";
import { BINDINGS, NAME_ID_FORMATS, NAMESPACES, SUCCESS } from "./names.ts";
import { escaped } from "./xml/escape.ts";

/** What every message of ours begins with (saml-core-2.0 section 3.2). */
export interface Frame {
  id: string;
  at: Date;
  /** The address that it is sent to. */
  destination: string;
  /** Our entity ID. */
  issuer: string;
}

/** How long the identity provider may take a request to sign somebody out. */
const GOOD_FOR_MS = 5 * 60_000;

export interface AuthnRequest extends Frame {
  acsUrl: string;
  settings: Pick<SamlSettings, "nameIdFormat" | "forceAuthn" | "authnContext" | "authnContextComparison">;
  /** Nobody is to be asked for anything: who is not signed in there already is not. */
  passive?: boolean;
}

/** Asks for a sign-in (AuthnRequest, section 3.4.1). Pure, as all here. */
export function authnRequest({ acsUrl, settings, passive = false, ...frame }: AuthnRequest): string {
  const { nameIdFormat, forceAuthn, authnContext, authnContextComparison } = settings;
  const format = nameIdFormat === "unspecified" ? "" : attributes({ Format: NAME_ID_FORMATS[nameIdFormat] });
  const classes = authnContext.map((each) => `<saml:AuthnContextClassRef>${escaped(each)}</saml:AuthnContextClassRef>`).join("");
  const asked = classes && `<samlp:RequestedAuthnContext Comparison="${authnContextComparison}">${classes}</samlp:RequestedAuthnContext>`;
  return message("AuthnRequest", {
    frame,
    more: {
      ...(forceAuthn && !passive ? { ForceAuthn: "true" } : {}),
      ...(passive ? { IsPassive: "true" } : {}),
      ProtocolBinding: BINDINGS.post,
      AssertionConsumerServiceURL: acsUrl,
    },
    body: `<samlp:NameIDPolicy${format} AllowCreate="true"/>${asked}`,
  });
}

/** Asks for somebody to be signed out (LogoutRequest, section 3.7.1). */
export function logoutRequest({ nameId, sessionIndex, ...frame }: Frame & { nameId: NameId; sessionIndex: string | undefined }): string {
  const { value, format: Format, nameQualifier: NameQualifier, spNameQualifier: SPNameQualifier } = nameId;
  const qualifiers = attributes({ NameQualifier, SPNameQualifier, Format });
  const session = sessionIndex === undefined ? "" : `<samlp:SessionIndex>${escaped(sessionIndex)}</samlp:SessionIndex>`;
  return message("LogoutRequest", {
    frame,
    more: { NotOnOrAfter: new Date(frame.at.getTime() + GOOD_FOR_MS).toISOString() },
    body: `<saml:NameID${qualifiers}>${escaped(value)}</saml:NameID>${session}`,
  });
}

/** Answers such a request: everything was signed out (LogoutResponse, section 3.7.2). */
export function logoutResponse({ inResponseTo, ...frame }: Frame & { inResponseTo: string }): string {
  return message("LogoutResponse", {
    frame,
    more: { InResponseTo: inResponseTo },
    body: `<samlp:Status><samlp:StatusCode Value="${SUCCESS}"/></samlp:Status>`,
  });
}

function message(name: string, { frame, more, body }: { frame: Frame; more: Readonly<Record<string, string>>; body: string }): string {
  const { id, at, destination, issuer } = frame;
  const own = attributes({ ID: id, Version: "2.0", IssueInstant: at.toISOString(), Destination: destination, ...more });
  return `<samlp:${name} xmlns:samlp="${NAMESPACES.protocol}" xmlns:saml="${NAMESPACES.assertion}"${own}><saml:Issuer>${escaped(issuer)}</saml:Issuer>${body}</samlp:${name}>`;
}

function attributes(values: Readonly<Record<string, string | undefined>>): string {
  return Object.entries(values)
    .flatMap(([name, value]) => (value === undefined ? [] : [` ${name}="${escaped(value)}"`]))
    .join("");
}
