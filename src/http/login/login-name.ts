import { z } from "zod";

/** As long as an e-mail address may be: 64 octets, @, 255 octets (RFC 5321 section 4.5.3.1). */
const LONGEST = 320;

/** What people type as their name: a user name or an e-mail address. */
export const loginName = z.string().trim().min(1).max(LONGEST);
