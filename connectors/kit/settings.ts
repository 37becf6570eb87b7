import { z } from "zod";

/** A proxy of the connection's own. Its password is a secret: name `proxy.password` in the connector's secretFields. */
export const proxySettings = z.strictObject({
  url: z
    .url({ protocol: /^https?$/, error: "must be the URL of an HTTP proxy, such as http://proxy.example.com:3128" })
    .refine((value) => !URL.canParse(value) || new URL(value).username === "", "must not hold a user: give user and password beside it"),
  user: z.string().min(1).max(256).optional(),
  password: z.string().min(1).max(1024).optional(),
});
export type ProxySettings = z.output<typeof proxySettings>;

/** Settings that every connector over HTTP has: spread them into its schema. */
export const httpSettings = {
  /** PEM of the CA that signed the server's certificate, when it is a private one. */
  ca: z.string().includes("-----BEGIN CERTIFICATE-----", { message: "must be a certificate in PEM" }).optional(),
  proxy: proxySettings.optional(),
  /** Longest wait for one answer, in milliseconds. */
  timeoutMs: z.number().int().min(100).max(600_000).default(30_000),
};
