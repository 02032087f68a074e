// What the load program tells, and how meshctl shows it.

import type { LoadOptions, LoadStep } from "../load/index.ts";
import type { Screen } from "./cli.ts";
import { type Cell, cell, type Column, renderTable } from "./table.ts";

export type { LoadOptions, LoadStep };

/** One line of the load program's output. */
export type LoadLine =
  | { readonly progress: string }
  | { readonly step: LoadStep }
  | { readonly error: { readonly code: string; readonly message: string } };

const columns: readonly Column[] = [
  { head: "peers", align: "right" },
  { head: "connected", align: "right" },
  { head: "heartbeat p50", align: "right" },
  { head: "p99", align: "right" },
  { head: "state p99", align: "right" },
  { head: "probe p99", align: "right" },
  { head: "accepted/s", align: "right" },
  { head: "delivered", align: "right" },
  { head: "CPU", align: "right" },
  { head: "RSS", align: "right" },
  { head: "loop lag p99", align: "right" },
];

/** The steps as a table for people. */
export function drawSteps(steps: readonly LoadStep[], screen: Screen): string {
  return renderTable(columns, steps.map(row), screen);
}

function row(step: LoadStep): Cell[] {
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  const p99 = (latency: LoadStep["state"]): string => (latency.count === 0 ? "–" : ms(latency.p99));
  const texts = [
    String(step.peers),
    String(step.connected),
    ms(step.heartbeat.p50),
    p99(step.heartbeat),
    p99(step.state),
    p99(step.probe),
    step.acceptedPerSecond.toFixed(0),
    `${(100 * step.deliveredRatio).toFixed(1)} %`,
    `${step.cpuPercent.toFixed(0)} %`,
    `${(step.rssBytes / 1e6).toFixed(0)} MB`,
    ms(step.eventLoopLagP99Ms),
  ];
  return texts.map((text) => cell(text, step.broken ? "bad" : "plain"));
}
