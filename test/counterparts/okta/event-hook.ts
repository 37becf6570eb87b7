import { randomUUID } from "node:crypto";

export interface EventHook {
  url: string;
  /** The value of the Authorization header, as the administrator entered it. */
  secret: string;
}

/** Okta's one-time verification: whether the endpoint gave the challenge back. */
export async function verifyEventHook({ url, secret }: EventHook): Promise<boolean> {
  const challenge = randomUUID();
  const answer = await fetch(url, { headers: { authorization: secret, "x-okta-verification-challenge": challenge } });
  const text = await answer.text();
  return answer.status === 200 && (JSON.parse(text) as { verification?: unknown }).verification === challenge;
}

/** One delivery with these events, as Okta sends it; returns the status of the answer. */
export async function deliverEvents({ url, secret }: EventHook, events: readonly { uuid: string; eventType: string }[]): Promise<number> {
  const answer = await fetch(url, {
    method: "POST",
    headers: { authorization: secret, "content-type": "application/json" },
    body: JSON.stringify(eventDelivery(events)),
  });
  await answer.text();
  return answer.status;
}

export function eventDelivery(events: readonly { uuid: string; eventType: string }[]): Record<string, unknown> {
  return {
    eventType: "com.okta.event_hook",
    eventTypeVersion: "1.0",
    cloudEventsVersion: "0.1",
    source: "https://example.okta.com/api/v1/eventHooks/who8vt36qfNpCGz9H1e6",
    eventId: randomUUID(),
    eventTime: new Date().toISOString(),
    contentType: "application/json",
    data: {
      events: events.map(({ uuid, eventType }) => ({
        uuid,
        eventType,
        version: "0",
        severity: "INFO",
        published: new Date().toISOString(),
        outcome: { result: "SUCCESS" },
        actor: { id: "00u1", type: "User" },
        target: [{ id: "00u2", type: "User" }],
      })),
    },
  };
}
