import type { Page } from "playwright-core";

/** What Chromium takes for the authenticator of the device: its passkeys can be found without a name. */
export interface Authenticator {
  /** Whether its user gives the finger, or the PIN, that it asks for. */
  verifies(verified: boolean): Promise<void>;
  /** How many passkeys it keeps. */
  kept(): Promise<number>;
}

/**
 * Chromium's own virtual authenticator, for all pages of this tab.
 * @see https://chromedevtools.github.io/devtools-protocol/tot/WebAuthn/
 */
export async function giveAuthenticator(page: Page): Promise<Authenticator> {
  const devTools = await page.context().newCDPSession(page);
  await devTools.send("WebAuthn.enable");
  const { authenticatorId } = await devTools.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return {
    verifies: (verified) => devTools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: verified }).then(() => undefined),
    kept: async () => (await devTools.send("WebAuthn.getCredentials", { authenticatorId })).credentials.length,
  };
}
