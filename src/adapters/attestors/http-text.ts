// One request to a service of the platform, bounded in size and time.

import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";

export interface TextRequest {
  readonly url: string;
  readonly method: "GET" | "PUT" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** PEM of the authorities that are trusted instead of the host's. */
  readonly ca?: Buffer;
  readonly bytesMax: number;
  readonly timeoutMs: number;
}

/** The body of an answer with a status of 2xx. @throws Error for anything else; its message names no header and no body */
export function requestText(options: TextRequest): Promise<string> {
  const { url, method, headers, body, ca, bytesMax, timeoutMs } = options;
  const send = url.startsWith("https:") ? httpsRequest : httpRequest;
  const signal = AbortSignal.timeout(timeoutMs);
  return new Promise((resolve, reject) => {
    const call = send(
      url,
      { method, headers, signal, agent: false, ...(ca && { ca, minVersion: "TLSv1.2" }) },
      (response) => {
        const parts: Buffer[] = [];
        let bytes = 0;
        response.on("data", (part: Buffer) => {
          bytes += part.length;
          if (bytes > bytesMax) call.destroy(new Error("the answer is too long"));
          else parts.push(part);
        });
        response.once("error", reject);
        response.once("end", () => {
          const { statusCode = 0 } = response;
          if (statusCode < 200 || statusCode > 299) reject(new Error(`it answers ${statusCode}`));
          else resolve(Buffer.concat(parts).toString("utf8"));
        });
      },
    );
    call.once("error", reject);
    call.end(body);
  });
}
