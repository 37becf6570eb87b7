import { request, type Agent } from "node:http";

/** What one browser keeps between requests. */
export interface BenchBrowser {
  get(path: string): Promise<{ status: number; text: string }>;
  post(path: string, fields: Record<string, string>): Promise<{ status: number; text: string }>;
  csrf(): string;
}

export interface Where {
  port: number;
  agent: Agent;
}

/** A browser without more than cookies and forms, over connections that are kept open. */
export function openBenchBrowser({ port, agent }: Where): BenchBrowser {
  const cookies = new Map<string, string>();
  let page = "";
  const send = (method: string, path: string, body?: string) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const call = request(
        {
          ...{ host: "127.0.0.1", port, agent, method, path },
          headers: {
            Cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; "),
            ...(body === undefined
              ? {}
              : {
                  "Content-Type": "application/x-www-form-urlencoded",
                  "Content-Length": Buffer.byteLength(body),
                  Origin: `http://127.0.0.1:${port}`,
                }),
          },
        },
        (answer) => {
          for (const line of answer.headers["set-cookie"] ?? []) {
            const [name = "", value = ""] = (line.split(";")[0] ?? "").split("=");
            if (value === "") cookies.delete(name);
            else cookies.set(name, value);
          }
          const chunks: Buffer[] = [];
          answer.on("data", (chunk: Buffer) => chunks.push(chunk));
          answer.on("end", () => {
            const text = Buffer.concat(chunks).toString("utf8");
            if (text.includes('name="csrf"')) page = text;
            resolve({ status: answer.statusCode ?? 0, text });
          });
        },
      );
      call.on("error", reject);
      call.end(body);
    });
  const csrf = () => /name="csrf" value="([^"]+)"/.exec(page)?.[1] ?? "";
  return {
    csrf,
    get: (path) => send("GET", path),
    post: (path, fields) => send("POST", path, new URLSearchParams({ csrf: csrf(), ...fields }).toString()),
  };
}
