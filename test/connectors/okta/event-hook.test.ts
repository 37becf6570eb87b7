import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { receiveEventHook, recentEvents, type EventHookCall } from "../../../connectors/okta/event-hook.ts";

const SECRET = "a-secret-of-the-event-hook";
const authorised = { authorization: SECRET };
const receive = (call: Partial<EventHookCall>, isNew = recentEvents(), secret: string | undefined = SECRET) =>
  receiveEventHook({ method: "POST", headers: authorised, ...call }, { secret, isNew });
const delivery = (...events: readonly { uuid: string; eventType: string }[]) => ({
  eventType: "com.okta.event_hook",
  eventTypeVersion: "1.0",
  cloudEventsVersion: "0.1",
  eventId: "b5a188b9-5ece-4636-b041-482ffda96311",
  data: { events },
});

describe("Okta's event hook", () => {
  test("is verified once, by its challenge", () => {
    const headers = { ...authorised, "x-okta-verification-challenge": "QtEwcz7s" };
    expect(receive({ method: "GET", headers })).toEqual({ status: 200, body: { verification: "QtEwcz7s" } });
    expect(receive({ method: "GET" })).toEqual({ status: 400 });
  });

  test("is refused without its secret, and where none is set", () => {
    const body = delivery({ uuid: "1", eventType: "user.lifecycle.suspend" });
    expect(receive({ body, headers: {} })).toEqual({ status: 401 });
    expect(receive({ body, headers: { authorization: `${SECRET}x` } })).toEqual({ status: 401 });
    expect(receiveEventHook({ method: "POST", headers: authorised, body }, { secret: undefined, isNew: () => true })).toEqual({
      status: 401,
    });
  });

  test("hints at what kind of thing changed; what we do not read is no hint", () => {
    const body = delivery(
      { uuid: "1", eventType: "user.lifecycle.deactivate" },
      { uuid: "2", eventType: "group.user_membership.remove" },
      { uuid: "3", eventType: "user.session.start" },
    );
    expect(receive({ body })).toEqual({ status: 204, hint: { kinds: ["user", "group"], events: ["1", "2", "3"] } });
    expect(receive({ body: delivery({ uuid: "4", eventType: "user.session.start" }) })).toEqual({ status: 204 });
  });

  test("any order and repetition of deliveries hints once for each event", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 100 }), (sent) => {
        const isNew = recentEvents();
        const hinted = sent.flatMap((number) => {
          const body = delivery({ uuid: `e${number}`, eventType: "user.lifecycle.suspend" });
          return receive({ body }, isNew).hint?.events ?? [];
        });
        expect(hinted).toEqual([...new Set(sent)].map((number) => `e${number}`));
      }),
    );
  });

  test("whatever it is sent is answered, never thrown at", () => {
    fc.assert(
      fc.property(fc.anything(), fc.string(), (body, method) => {
        expect([204, 400, 401, 405]).toContain(receive({ body, method }).status);
      }),
    );
  });

  test("remembers so many events and no more", () => {
    const isNew = recentEvents(2);
    expect(["1", "2", "3", "3", "2", "1"].map(isNew)).toEqual([true, true, true, false, false, true]);
  });
});
