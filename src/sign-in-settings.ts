import { z } from "zod";

const minutes = (most: number) => z.coerce.number().int().min(1).max(most);

/** So many attempts within so many minutes; those that succeed are given back. */
const budget = (usual: { attempts: number; minutes: number }) =>
  z
    .strictObject({
      attempts: z.coerce.number().int().min(1).max(1_000_000).default(usual.attempts),
      minutes: minutes(60 * 24).default(usual.minutes),
    })
    .prefault({});

/** `Name <local@domain>` or a bare address, without anything that could end a header or name a second mailbox. */
const mailbox = z
  .string()
  .max(320)
  .regex(
    /^([^\p{Cc}<>,;:"\\]{1,100} )?<?[^\s\p{Cc}<>,;:"@]{1,64}@[A-Za-z0-9.-]{1,253}>?$/u,
    "must be an address such as Rollcall <rollcall@example.com>",
  );

/** Where secrets and links are sent: encrypted, but to this machine, and without a password in the address, which would be logged. */
const outside = z.url({ protocol: /^https?$/, error: "must be an https address" }).superRefine((text, ctx) => {
  if (!URL.canParse(text)) return;
  const { protocol, hostname, username, password } = new URL(text);
  if (protocol === "http:" && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname))
    ctx.addIssue({ code: "custom", message: "must be an https address; http is for this machine alone" });
  if (username !== "" || password !== "")
    ctx.addIssue({ code: "custom", message: "must hold no user and password: they have settings of their own" });
});

/** What is filled into what an SMS provider is sent. */
const FILLED: ReadonlySet<string> = new Set(["to", "from", "text", "id", "user", "secret", "basic"]);
const template = z
  .string()
  .max(2000)
  .superRefine((text, ctx) => {
    for (const [, name = ""] of text.matchAll(/\{(\w+)\}/g))
      if (!FILLED.has(name)) ctx.addIssue({ code: "custom", message: `knows no {${name}}; there are {${[...FILLED].join("}, {")}}` });
  });
const isOneLine = (text: string) => !/[\r\n\0]/.test(text);
const ONE_LINE = "must be one line";

const count = z.coerce.number().int().min(1).max(1_000_000);
const days = z.coerce.number().int().min(1).max(3650);
/** Patterns that somebody can't cause at another's account without that person's credentials. */
const RESPONDED = ["network_change", "dormant_waking", "factor_fatigue", "recovery_removal", "token_place"] as const;

/** How people sign in: a part each, with its defaults. Read as `config.signIn`. */
export const signInSettings = z.strictObject({
  session: z
    .strictObject({
      /** Ends after so long without a request. */
      idleMinutes: minutes(60 * 24 * 30).default(30),
      /** Ends after so long, however busy. */
      absoluteMinutes: minutes(60 * 24 * 90).default(12 * 60),
      /** Most sessions of one person at once. */
      most: z.coerce.number().int().min(1).max(100).default(5),
      /** What a sign-in beyond `most` does: end the oldest session, or be refused. */
      beyond: z.enum(["end-oldest", "refuse"]).default("end-oldest"),
      /** For how long after proving oneself sensitive actions may be taken. */
      stepUpMinutes: minutes(24 * 60).default(10),
    })
    .prefault({}),
  factors: z
    .strictObject({
      /** What may be enrolled; what is enrolled already goes on to work. */
      allowed: z
        .array(z.enum(["totp", "sms", "email", "passkey"]))
        .min(1)
        .default(["totp", "sms", "email", "passkey"]),
      /** The name under which authenticator apps and passkeys file it. */
      issuer: z
        .string()
        .regex(/^[^:\p{Cc}]{1,60}$/u, "must be a name of at most 60 characters without a colon")
        .default("Rollcall"),
      /** For how long a code that was sent is good. */
      codeMinutes: minutes(60).default(5),
      /** Most codes sent to one person within an hour. */
      codesAnHour: z.coerce.number().int().min(1).max(100).default(10),
    })
    .prefault({}),
  password: z
    .strictObject({
      /** What hashing costs (RFC 9106). A stored hash of other costs is made anew when its owner signs in. */
      argon2: z
        .strictObject({
          memoryKiB: z.coerce.number().int().min(8).max(1_048_576).default(19_456),
          passes: z.coerce.number().int().min(1).max(50).default(2),
          lanes: z.coerce.number().int().min(1).max(16).default(1),
        })
        .prefault({}),
      /** How many passwords are compared at once, each with `argon2.memoryKiB` and a thread of its own; how many more wait for that. */
      verifications: z
        .strictObject({
          atOnce: z.coerce.number().int().min(1).max(128).default(3),
          waiting: z.coerce.number().int().min(0).max(10_000).default(200),
        })
        .prefault({}),
      minLength: z.coerce.number().int().min(8).max(64).default(12),
      /** How many of lower case, upper case, digits and others there must be; not asked from `passphraseLength` on. */
      classes: z.coerce.number().int().min(1).max(4).default(3),
      passphraseLength: z.coerce.number().int().min(8).max(128).default(20),
      /** Least score of zxcvbn, 0 to 4: 3 withstands 10^8 guesses, 4 withstands 10^10. */
      minScore: z.coerce.number().int().min(0).max(4).default(3),
      /** How many of the last passwords, the present one included, may not be used again. */
      history: z.coerce.number().int().min(0).max(24).default(5),
      /** File of SHA-1 hashes of passwords that are known to others, in order, a line each. */
      breachedFile: z.string().min(1).optional(),
      /** For how long a temporary password works. */
      temporaryHours: z.coerce.number().int().min(1).max(720).default(72),
    })
    .prefault({}),
  links: z
    .strictObject({
      invitationHours: z.coerce.number().int().min(1).max(720).default(6),
      resetHours: z.coerce.number().int().min(1).max(72).default(1),
      /** Whether somebody who is saved as `invited` is sent an invitation at once. */
      inviteWhenSaved: z.boolean().default(true),
      /** Between two resets that are asked for; twice as long after each one that is not used, up to `resetHours`. */
      resetEveryMinutes: minutes(60).default(5),
    })
    .prefault({}),
  addresses: z
    .strictObject({
      /** For so long no link to set another password goes to an address that is new; 0 = it does at once. */
      waitHours: z.coerce.number().int().min(0).max(720).default(24),
      /** Connections whose addresses are good at once, unless the connection itself was changed within `waitHours`. */
      vouchedConnections: z.array(z.string().min(1).max(100)).max(100).default([]),
      /** Of more changes by one connection within an hour old addresses are not told: 0 = never. */
      mostTold: z.coerce.number().int().min(0).max(1_000_000).default(200),
    })
    .prefault({}),
  limits: z
    .strictObject({
      /** From a device on which its owner has signed in before: a budget that nobody else can use up. */
      device: budget({ attempts: 10, minutes: 15 }),
      /** Of one account, from all other devices together. */
      account: budget({ attempts: 10, minutes: 15 }),
      /** Of one network (an IPv4 /24, an IPv6 /48), known devices left aside. */
      network: budget({ attempts: 100, minutes: 15 }),
      /** Of all there is, known devices left aside. */
      overall: budget({ attempts: 3000, minutes: 1 }),
      /** Ways to an identity provider, passkeys asked for and step-ups begun from one network, whether or not anybody then signs in. */
      beginnings: budget({ attempts: 600, minutes: 5 }),
    })
    .prefault({}),
  notify: z
    .strictObject({
      /** What texts call this installation: the organisation's name. */
      name: z
        .string()
        .regex(/^[^\p{Cc}]{1,60}$/u, "must be a name of at most 60 characters")
        .default("Rollcall"),
      /** For whom has no language of their own, or one that there are no texts in: the name of a file in config/languages. */
      language: z
        .string()
        .regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/, "must be a language tag such as en or pt-BR")
        .default("en"),
      email: z
        .strictObject({
          /** `smtp`, or `webhook`: the operator's own system sends them. */
          provider: z.enum(["off", "smtp", "webhook"]).default("off"),
          from: mailbox.default("Rollcall <rollcall@localhost>"),
          replyTo: mailbox.optional(),
          smtp: z
            .strictObject({
              host: z.string().min(1).max(253).default("127.0.0.1"),
              port: z.coerce.number().int().min(1).max(65535).default(587),
              /** starttls: nothing is sent before the connection is encrypted. tls: from the first byte. none: for a relay on this machine. */
              security: z.enum(["starttls", "tls", "none"]).default("starttls"),
              user: z.string().min(1).optional(),
              password: z.string().min(1).optional(),
              /** File with the certificate (PEM) of the authority that signed the server's, where the system does not know it. */
              caFile: z.string().min(1).optional(),
              timeoutSeconds: z.coerce.number().int().min(1).max(300).default(30),
              /** Most connections of a node to the server. */
              connections: z.coerce.number().int().min(1).max(50).default(2),
            })
            .prefault({}),
          /** Signs what is sent (RFC 6376), where the server does not. */
          dkim: z
            .strictObject({ domain: z.string().min(1).max(253), selector: z.string().min(1).max(63), keyFile: z.string().min(1) })
            .optional(),
        })
        .prefault({}),
      sms: z
        .strictObject({
          provider: z.enum(["off", "http", "webhook"]).default("off"),
          http: z
            .strictObject({
              url: outside.optional(),
              format: z.enum(["json", "form"]).default("json"),
              /** Fields of the body; {to}, {from}, {text}, {id}, {user} and {secret} are filled in. */
              fields: z.record(z.string().min(1).max(100), template).default({ to: "{to}", from: "{from}", text: "{text}" }),
              /** Headers, filled in likewise; {basic} is user and secret as HTTP Basic wants them. */
              headers: z
                .record(
                  z.string().regex(/^(?!(host|content-.*|transfer-encoding|connection)$)[a-z0-9-]{1,64}$/i),
                  template.refine(isOneLine, ONE_LINE),
                )
                .default({ Authorization: "Bearer {secret}" }),
              from: z.string().max(20).default("Rollcall"),
              user: z.string().max(200).refine(isOneLine, ONE_LINE).default(""),
              secret: z.string().max(2000).refine(isOneLine, ONE_LINE).default(""),
              timeoutSeconds: z.coerce.number().int().min(1).max(120).default(15),
            })
            .prefault({}),
        })
        .prefault({}),
      /** The operator's own system: messages where a provider is `webhook`, and events such as incidents. */
      webhook: z
        .strictObject({
          url: outside.optional(),
          /** At least 32 characters: HMAC-SHA256 over the time and the body proves that it was us. */
          secret: z.string().min(32, "must be at least 32 characters").optional(),
          timeoutSeconds: z.coerce.number().int().min(1).max(120).default(15),
        })
        .prefault({}),
    })
    .superRefine((notify, ctx) => {
      const needsWebhook = [notify.email.provider, notify.sms.provider].includes("webhook");
      const { url, secret } = notify.webhook;
      if ((needsWebhook || secret !== undefined) && url === undefined)
        ctx.addIssue({ code: "custom", path: ["webhook", "url"], message: "must be given for a provider that is `webhook`" });
      if (url !== undefined && secret === undefined)
        ctx.addIssue({ code: "custom", path: ["webhook", "secret"], message: "must be given beside the url" });
      const { provider, http } = notify.sms;
      const sent = [...Object.values(http.fields), ...Object.values(http.headers)].join(" ");
      const sms = (field: string, message: string) => ctx.addIssue({ code: "custom", path: ["sms", "http", field], message });
      if (provider === "http" && http.url === undefined) sms("url", "must be given for the provider http");
      for (const name of provider === "http" ? ["to", "text"] : [])
        if (!sent.includes(`{${name}}`)) sms("fields", `must hold {${name}}, or nobody gets the message`);
      if (provider === "http" && http.secret === "" && /\{(secret|basic)\}/.test(sent))
        sms("secret", "must be given where {secret} or {basic} is sent (ROLLCALL_SMS_SECRET)");
      if ((notify.email.smtp.user === undefined) !== (notify.email.smtp.password === undefined))
        ctx.addIssue({ code: "custom", path: ["email", "smtp", "password"], message: "user and password go together" });
    })
    .prefault({}),
  risk: z
    .strictObject({
      /** Failures of one account, with no success between. */
      manyFailures: z.strictObject({ failures: count.default(10), minutes: minutes(24 * 60).default(15) }).prefault({}),
      /** One network that fails at many accounts, with few attempts each: `mostEach`, or more while they are not many failures by themselves. */
      spraying: z
        .strictObject({ accounts: count.default(10), minutes: minutes(24 * 60).default(60), mostEach: count.default(5) })
        .prefault({}),
      /** Failures at many accounts from many networks, far beyond what usually fails. */
      stuffing: z
        .strictObject({
          accounts: count.default(100),
          networks: count.default(20),
          minutes: minutes(24 * 60).default(15),
          failuresPerSuccess: count.default(5),
        })
        .prefault({}),
      /** Two places of one person within minutes, the second of which they have not come from for so many days. */
      networkChange: z.strictObject({ minutes: minutes(24 * 60).default(30), knownDays: days.default(90) }).prefault({}),
      /** Somebody signs in who had not for so long. */
      dormant: z.strictObject({ days: days.default(90) }).prefault({}),
      /** Challenges sent, or answered wrongly, shortly before one is accepted. */
      factorFatigue: z.strictObject({ challenges: count.default(5), minutes: minutes(24 * 60).default(15) }).prefault({}),
      /** A token comes from a network that it has not come from for `knownDays`; of a new token everything is new for `learnDays`. */
      tokenPlace: z.strictObject({ learnDays: days.default(7), knownDays: days.default(90) }).prefault({}),
      /** A factor is removed so soon after a recovery code was used. */
      recoveryRemoval: z.strictObject({ minutes: minutes(7 * 24 * 60).default(60) }).prefault({}),
      /** A CSV file of networks and what place each is: `192.0.2.0/24,Helsinki`. Within one place no change of network is looked at. */
      placesFile: z.string().min(1).optional(),
      /** What is done at once to whom an incident is about. Only for patterns that take somebody's right credentials: by others an attacker could have people locked out. */
      responses: z.partialRecord(z.enum(RESPONDED), z.enum(["none", "end-sessions", "suspend"])).default({}),
      /** An incident that happens again within so many days of its closing is opened again; later it is a new one. */
      reopenDays: days.default(30),
      /** For how long attempts are kept. */
      keepDays: days.default(180),
    })
    .prefault({}),
});

export type SignInSettings = z.output<typeof signInSettings>;
