// A desk of local trainers behind a real control socket, with an order of two tensors when a test wants one.

import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import type { TestContext } from "node:test";
import { systemClock } from "../../../src/adapters/clock.ts";
import { createNativeEngine } from "../../../src/adapters/crypto/native.ts";
import {
  modelSpec,
  type RoundTrainer,
  type TaskManifest,
  type TrainedRound,
  type TrainerFailureCode,
} from "../../../src/learning/index.ts";
import type { Result } from "../../../src/foundation/index.ts";
import { TrainerDesk } from "../../../src/node/learning/trainer-desk.ts";
import { serveNode } from "../control/served-node.ts";

export const spec = modelSpec([
  { name: "b", shape: [2] },
  { name: "w", shape: [2, 3] },
]);
export const startWeights = Float32Array.of(0, 1, 2, 3, 4, 5, 6, 7);

/** Counts by metric and label values. */
export class Counts {
  readonly all = new Map<string, number>();
  count(name: string, labels: Readonly<Record<string, string>> = {}, by = 1): void {
    const key = [name.replace(/^meshd_learning_/, ""), ...Object.values(labels)].join(" ");
    this.all.set(key, (this.all.get(key) ?? 0) + by);
  }
  set(name: string, value: number): void {
    this.all.set(name.replace(/^meshd_learning_/, ""), value);
  }
  observe(): void {}
  of(key: string): number {
    return this.all.get(key) ?? 0;
  }
}

export interface Served {
  readonly desk: TrainerDesk;
  readonly socketPath: string;
  readonly meter: Counts;
  /** Logged codes and messages at warning. */
  readonly warnings: string[];
  /** Begins a task. */
  open(taskId?: string, leaseMs?: number): RoundTrainer;
}

export async function serveDesk(t: TestContext): Promise<Served> {
  const meter = new Counts();
  const warnings: string[] = [];
  const silent = (): void => undefined;
  const logger = {
    debug: silent,
    info: silent,
    error: silent,
    warn: (fields: object, message: string) => {
      warnings.push(`${message} ${"code" in fields ? String(fields.code) : ""}`.trim());
    },
  };
  const desk = new TrainerDesk({
    engine: createNativeEngine(),
    clock: systemClock,
    meter,
    logger,
  });
  const { socketPath } = await serveNode(t, { trainer: () => desk });
  const open = (taskId = "t1", leaseMs = 30_000): RoundTrainer => {
    const task = { taskId, name: "a task", rounds: 9 } as TaskManifest;
    const trainer = desk.open({ task, spec, initialWeights: startWeights, leaseMs });
    t.after(() => trainer.stop());
    return trainer;
  };
  return { desk, socketPath, meter, warnings, open };
}

/** Gives an order. */
export function order(
  trainer: RoundTrainer,
  over: { round?: number; deadlineMs?: number; weights?: Float32Array; factor?: number } = {},
): Promise<Result<TrainedRound, TrainerFailureCode>> {
  const { round = 1, deadlineMs = 20_000, weights = startWeights, factor = 1 } = over;
  return trainer.train({ round, deadlineMs, weights, learningRateFactor: factor });
}

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
  /** The body as JSON: the fields that tests look at. */
  readonly json: {
    readonly task?: { readonly taskId: string } | null;
    readonly order?: {
      readonly taskId: string;
      readonly round: number;
      readonly base: string;
      readonly lease: string;
      readonly leaseMs: number;
      readonly deadlineMs: number;
      readonly learningRateFactor: number;
    } | null;
    readonly deadlineMs?: number;
    readonly error?: { readonly code: string; readonly message: string };
  };
}

/** A request that a test may break off. */
export function send(
  socketPath: string,
  method: string,
  path: string,
  body: string | Uint8Array = "",
): { readonly request: ClientRequest; readonly answer: Promise<Answer> } {
  const call = request({ socketPath, method, path: `/v1/trainer/${path}`, agent: false });
  const answer = once(call, "response").then(async ([response]) => {
    const parts: Buffer[] = [];
    for await (const part of response as IncomingMessage) parts.push(part as Buffer);
    const whole = Buffer.concat(parts);
    const json = whole[0] === 0x7b ? (JSON.parse(whole.toString()) as Answer["json"]) : {};
    return { status: (response as IncomingMessage).statusCode ?? 0, body: whole, json };
  });
  answer.catch(() => undefined);
  call.end(body);
  return { request: call, answer };
}
