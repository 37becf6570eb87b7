import { z } from "zod";
import type { Conversation } from "../../contract.ts";
import type { Recording, RecordingWriter } from "./file.ts";
import { requestKey, type Redactor } from "./redact.ts";
import { heard, nothingLeft, saidOfFault } from "./said.ts";

const answerSchema = z.strictObject({
  status: z.number().int(),
  headers: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
  text: z.string(),
});

/** Writes down every request and its answer, without credentials. */
export function recordHttp({ writer, redactor }: { writer: RecordingWriter; redactor: Redactor }): Conversation {
  return {
    async exchange(request, send) {
      const key = requestKey(redactor.request(request));
      try {
        const answer = await send();
        await writer.write(key, redactor.answer(answer));
        return answer;
      } catch (error) {
        const said = saidOfFault(error);
        if (said) await writer.write(key, redactor.value(said));
        throw error;
      }
    },
  };
}

/** Answers from the recording; nothing is sent. */
export function replayHttp({ recording, redactor }: { recording: Recording; redactor: Redactor }): Conversation {
  return {
    async exchange(request) {
      const asked = redactor.request(request);
      const taken = await recording.take(requestKey(asked));
      if (taken === undefined) throw nothingLeft(`${asked.method} ${asked.url}`);
      const said = heard(answerSchema, taken.said);
      return { ...said, headers: Object.fromEntries(Object.entries(said.headers).filter(([name]) => !WAITS.test(name))) };
    },
  };
}

/** Headers that ask for a wait: a replay waits for nobody. */
const WAITS = /^(retry-after|x-rate-?limit-.*|ratelimit.*|x-ms-throttle-.*|x-ms-resource-unit)$/;
