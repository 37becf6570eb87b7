-- Whether a browser that brings a SAML response waits for one is asked by the hash of its cookie.
CREATE INDEX "saml_requests_browser_idx" ON "saml_requests" ("browser");
