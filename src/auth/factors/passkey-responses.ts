import { z } from "zod";

const base64url = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .regex(/^[A-Za-z0-9_-]+$/, "must be base64url");

/** A credential's id has at most 1,023 bytes (WebAuthn section 4). */
const credentialId = base64url(1364);
const clientDataJSON = base64url(4096);
const type = z.literal("public-key");
const attachment = z.enum(["platform", "cross-platform"]).nullish();

/** What a browser answers `navigator.credentials.create()` with (WebAuthn, RegistrationResponseJSON). Extensions are asked for by nobody, and left out. */
export const registrationResponse = z.object({
  id: credentialId,
  rawId: credentialId,
  type,
  authenticatorAttachment: attachment,
  response: z.object({
    clientDataJSON,
    attestationObject: base64url(16_384),
    transports: z
      .array(z.string().regex(/^[a-z-]{1,20}$/))
      .max(10)
      .default([]),
  }),
});

/** What a browser answers `navigator.credentials.get()` with (WebAuthn, AuthenticationResponseJSON). */
export const authenticationResponse = z.object({
  id: credentialId,
  rawId: credentialId,
  type,
  authenticatorAttachment: attachment,
  response: z.object({
    clientDataJSON,
    authenticatorData: base64url(4096),
    signature: base64url(8192),
    userHandle: base64url(100).nullish(),
  }),
});

export type RegistrationResponse = z.output<typeof registrationResponse>;
export type AuthenticationResponse = z.output<typeof authenticationResponse>;

const clientData = z.object({ challenge: base64url(200) });

/** The challenge that a response says it answers; undefined when it says none. Whether it does is proved by its signature. Pure. */
export function challengeOf(response: { response: { clientDataJSON: string } }): string | undefined {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(response.response.clientDataJSON, "base64url").toString("utf8"));
    return clientData.safeParse(parsed).data?.challenge;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
