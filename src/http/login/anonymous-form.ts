import { newSecret } from "../../auth/sessions/session.ts";
import { secretIn, setSecret } from "./cookies.ts";
import { csrfOf } from "./same-origin.ts";
import type { Visit } from "./visit.ts";

/** Forms before anybody is known are bound to a cookie of the browser, of which nothing is kept here; those of a session to the session. */
export function anonymousForm(visit: Visit): Pick<Visit, "csrf"> {
  if (visit.session) return visit;
  const known = secretIn(visit.request, "signIn");
  if (known !== undefined) return { csrf: csrfOf(known) };
  const { secret } = newSecret();
  setSecret(visit.response, { cookie: "signIn", secret });
  return { csrf: csrfOf(secret) };
}
