// Serves a fake node on a real socket in a directory of its own, cleaned up after the test.

import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { startControlServer } from "../../../src/adapters/http/control-server.ts";
import {
  ControlClient,
  createControlApp,
  type NodeControl,
  type UnexpectedErrorListener,
} from "../../../src/control/index.ts";
import { fakeNode } from "./fake-node.ts";

/** A path for a socket that no other test uses. */
export function socketPathFor(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "mesh-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, "c.sock");
}

/** A served node and a client of it. */
export async function serveNode(
  t: TestContext,
  part: Partial<NodeControl> = {},
  onUnexpectedError?: UnexpectedErrorListener,
): Promise<{ node: ReturnType<typeof fakeNode>; client: ControlClient; socketPath: string }> {
  const node = fakeNode(part);
  const socketPath = socketPathFor(t);
  const app = createControlApp(node, { ...(onUnexpectedError && { onUnexpectedError }) });
  const server = await startControlServer({ app, socketPath });
  t.after(() => server.stop());
  return { node, client: new ControlClient({ socketPath, timeoutMs: 5_000 }), socketPath };
}

/** An answer over HTTP; `json` of one that is JSON. */
export interface Answer {
  readonly status: number;
  readonly isJson: boolean;
  readonly json: {
    schemaVersion: number;
    error?: { code: string; message: string; details: Record<string, unknown> };
  };
}

/** A request without the client, as any program can send it. */
export function exchange(
  socketPath: string,
  method: string,
  path: string,
  body = "",
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, method, path, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () => {
        const isJson = response.headers["content-type"] === "application/json";
        const json = (isJson ? JSON.parse(text) : {}) as Answer["json"];
        resolve({ status: response.statusCode ?? 0, isJson, json });
      });
    });
    call.on("error", reject);
    call.end(body);
  });
}
