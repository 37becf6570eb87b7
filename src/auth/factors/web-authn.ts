/** The library of WebAuthn's ceremonies, loaded with the first passkey: it takes half a second, which no start has to wait for. */
export const webAuthn = () => import("@simplewebauthn/server");
