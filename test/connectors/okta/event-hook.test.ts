import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { HookCall } from "../../../connectors/contract.ts";
import { receiveEventHook } from "../../../connectors/okta/event-hook.ts";
import { eventDelivery } from "../../counterparts/okta/event-hook.ts";

const SECRET = "a-secret-of-the-event-hook";
const authorised = { authorization: SECRET };
const receive = (call: Partial<HookCall>, secret: string | undefined = SECRET) =>
  receiveEventHook({ method: "POST", query: {}, headers: authorised, ...call }, { secret });

describe("Okta's event hook", () => {
  test("is verified once, by its challenge", () => {
    const headers = { ...authorised, "x-okta-verification-challenge": "QtEwcz7s" };
    expect(receive({ method: "GET", headers })).toEqual({ status: 200, body: { verification: "QtEwcz7s" } });
    expect(receive({ method: "GET" })).toEqual({ status: 400 });
  });

  test("is refused without its secret, and where none is set", () => {
    const body = eventDelivery([{ uuid: "1", eventType: "user.lifecycle.suspend" }]);
    expect(receive({ body, headers: {} })).toBe("refused");
    expect(receive({ body, headers: { authorization: `${SECRET}x` } })).toBe("refused");
    expect(receiveEventHook({ method: "POST", query: {}, headers: authorised, body }, { secret: undefined })).toBe("refused");
  });

  test("hints at what kind of thing changed; what we do not read is no hint", () => {
    const body = eventDelivery([
      { uuid: "1", eventType: "user.lifecycle.deactivate" },
      { uuid: "2", eventType: "group.user_membership.remove" },
      { uuid: "3", eventType: "user.session.start" },
      { uuid: "2", eventType: "group.user_membership.remove" },
    ]);
    expect(receive({ body })).toEqual({ status: 204, hint: { kinds: ["user", "group"], events: ["1", "2"] } });
    expect(receive({ body: eventDelivery([{ uuid: "4", eventType: "user.session.start" }]) })).toEqual({ status: 204 });
  });

  test("an id with a zero byte, which can't be kept, is refused and not sent again for ever", () => {
    expect(receive({ body: eventDelivery([{ uuid: "a\0b", eventType: "user.lifecycle.create" }]) })).toEqual({ status: 400 });
  });

  test("whatever it is sent is answered, never thrown at", () => {
    fc.assert(
      fc.property(fc.anything(), fc.constantFrom("GET" as const, "POST" as const), (body, method) => {
        const answer = receive({ body, method });
        expect([204, 400]).toContain(answer === "refused" ? answer : answer.status);
      }),
    );
  });
});
