// A real Prometheus and a real Alertmanager on loopback for tests, with their data in a directory that goes with the test.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type Cleanup, scratch, until } from "../../integration/node/harness.ts";

export interface ActiveAlert {
  readonly state: "pending" | "firing";
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

interface Answer<T> {
  readonly status: "success" | "error";
  readonly error?: string;
  readonly data: T;
}

/** The HTTP API of a Prometheus. */
export class Prometheus {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async get<T>(path: string): Promise<Answer<T>> {
    const response = await fetch(`${this.#url}/api/v1/${path}`);
    return (await response.json()) as Answer<T>;
  }

  async query(expression: string): Promise<readonly Sample[]> {
    const answer = await this.get<{ result: Sample[] }>(
      `query?query=${encodeURIComponent(expression)}`,
    );
    assert.equal(answer.status, "success", `${expression}: ${answer.error ?? ""}`);
    return answer.data.result;
  }

  async alerts(): Promise<readonly ActiveAlert[]> {
    return (await this.get<{ alerts: ActiveAlert[] }>("alerts")).data.alerts;
  }
}

/** A port that is free now; the programs cannot be asked which one they took. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  assert.ok(typeof bound === "object" && bound !== null);
  server.close();
  await once(server, "close");
  return bound.port;
}

/** Starts a program and waits until it says that it is ready; it ends with the test. */
async function serve(t: Cleanup, program: string, args: string[], url: string): Promise<void> {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
  t.after(async () => {
    if (child.exitCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  });
  await until(`${program} to be ready`, async () => {
    assert.equal(child.exitCode, null, log);
    return fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  });
}

/** @param config the text of prometheus.yml; rule files and targets stand beside it in `directory` */
export async function startPrometheus(
  t: Cleanup,
  directory: string,
  config: string,
): Promise<Prometheus> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const file = join(directory, "prometheus.yml");
  writeFileSync(file, config);
  await serve(
    t,
    "prometheus",
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(directory, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=warn",
    ],
    url,
  );
  return new Prometheus(url);
}

/** Gives the address. */
export async function startAlertmanager(t: Cleanup, config: string): Promise<string> {
  const directory = scratch(t);
  const port = await freePort();
  const file = join(directory, "alertmanager.yml");
  writeFileSync(file, config);
  await serve(
    t,
    "prometheus-alertmanager",
    [
      `--config.file=${file}`,
      `--storage.path=${join(directory, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--cluster.listen-address=",
      "--log.level=warn",
    ],
    `http://127.0.0.1:${port}`,
  );
  return `127.0.0.1:${port}`;
}
