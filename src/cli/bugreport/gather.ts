// What a bug report is made of: every answer of the daemon that can be had, the host's facts, and what could not be had.

import { execFile } from "node:child_process";
import {
  arch,
  cpus,
  freemem,
  hostname,
  loadavg,
  platform,
  release,
  totalmem,
  uptime,
  userInfo,
} from "node:os";
import type { Command } from "commander";
import {
  type ControlClient,
  type EffectiveConfig,
  effectiveConfigSchema,
  type Status,
} from "../../control/index.ts";
import { errorCode } from "../../foundation/index.ts";
import { clientOf } from "../answer.ts";
import type { Cli } from "../cli.ts";
import { examine } from "../commands/doctor.ts";
import { configYaml } from "../config-yaml.ts";
import { offline } from "../offline.ts";
import { Anonymous } from "./anonymous.ts";

/** A file of the report. */
export interface ReportFile {
  readonly name: string;
  readonly text: string;
}

const JOURNAL_LINES = 500;
const JOURNAL_TIMEOUT_MS = 5_000;
const JOURNAL_BYTES_MAX = 4 * 2 ** 20;

/** Everything, made anonymous. Fails for nothing: what cannot be had is named in `report.json`. */
export async function gather(
  cli: Cli,
  command: Command,
  { config, version }: { readonly config: string; readonly version: string },
): Promise<ReportFile[]> {
  const client = clientOf(cli, command);
  const missing: Record<string, string> = {};
  const part = async <T>(name: string, get: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await get();
    } catch (error) {
      missing[name] = errorCode(error);
      return undefined;
    }
  };
  const status = await part("status", () => client.status());
  const found = {
    status,
    beacons: await part("beacons", () => client.beacons()),
    identity: await part("identity", () => client.identity()),
    doctor: await part("doctor", () => examine(cli, command, config)),
    host: hostFacts(),
  };
  const effective = await part("config", () => effectiveConfig(client, config));
  const metrics = await part("metrics", () => client.metrics());
  const logs = await part("logs", () => client.logs());
  const texts = {
    "config.yml": effective === undefined ? undefined : configYaml(effective),
    "metrics.txt": metrics?.text,
    "log.jsonl": logs === undefined ? await journal() : lines(logs.lines),
  };
  const anonymous = new Anonymous();
  learnNames(anonymous, status);
  for (const text of [JSON.stringify(found), ...Object.values(texts)])
    if (text !== undefined) anonymous.learnFrom(text);
  const report = {
    schemaVersion: 1,
    createdAt: new Date(cli.screen.nowMs()).toISOString(),
    meshctl: version,
    meshd: status?.node.version ?? null,
    missing,
    logLinesDropped: logs?.dropped ?? null,
  };
  return [
    { name: "README.txt", text: README },
    json("report.json", report),
    ...Object.entries(found).flatMap(([name, value]) =>
      value === undefined ? [] : [json(`${name}.json`, anonymous.json(value))],
    ),
    ...Object.entries(texts).flatMap(([name, text]) =>
      text === undefined ? [] : [{ name, text: eachLine(anonymous, name, text) }],
    ),
  ];
}

const README = `What this report holds: the daemon's answers to meshctl, its configuration with defaults, metrics, its last log lines,
what meshctl doctor found, and facts about the host. Names, ids, addresses and trust domains are pseudonyms: the same
one for the same value within this report. Secrets are not in it. Look through it before you pass it on.
`;

function json(name: string, value: unknown): ReportFile {
  return { name, text: `${JSON.stringify(value, null, 2)}\n` };
}

const lines = (all: readonly string[]): string => all.map((text) => `${text}\n`).join("");

/** Of metrics only label values: their names are ours, and a node may be called like a part of one. */
function eachLine(anonymous: Anonymous, name: string, text: string): string {
  if (name !== "metrics.txt") return anonymous.text(text);
  return text.replace(/"((?:[^"\\]|\\.)*)"/g, (_, value: string) => `"${anonymous.text(value)}"`);
}

function learnNames(anonymous: Anonymous, status: Status | undefined): void {
  anonymous.learn("HOST", hostname());
  anonymous.learn("HOST", hostname().split(".")[0]);
  const { username } = userInfo();
  if (username !== "root") anonymous.learn("USER", username);
  if (status === undefined) return;
  const { node, peers, learning } = status;
  anonymous.learn("DOMAIN", node.trustDomain);
  if (node.zone !== "default") anonymous.learn("ZONE", node.zone);
  for (const { name } of [node, ...peers, ...(learning?.participants ?? [])])
    anonymous.learn("NAME", name);
  anonymous.learn("NAME", learning?.name);
}

async function effectiveConfig(client: ControlClient, config: string): Promise<EffectiveConfig> {
  try {
    return await client.config();
  } catch {
    return offline({ verb: "config", config }, effectiveConfigSchema); // its error is the one that counts
  }
}

/** Without a daemon to ask, what it said last; `undefined` where there is no journal. */
function journal(): Promise<string | undefined> {
  const args = ["-u", "meshd", "-n", String(JOURNAL_LINES), "-o", "cat", "--no-pager", "-q"];
  return new Promise((resolve) => {
    execFile(
      "journalctl",
      args,
      { timeout: JOURNAL_TIMEOUT_MS, maxBuffer: JOURNAL_BYTES_MAX },
      (error, text) => resolve(error === null && text !== "" ? text : undefined),
    );
  });
}

function hostFacts(): object {
  const all = cpus();
  return {
    platform: platform(),
    release: release(),
    arch: arch(),
    cpus: all.length,
    cpu: all[0]?.model ?? null,
    memoryBytes: totalmem(),
    memoryFreeBytes: freemem(),
    load: loadavg(),
    uptimeSeconds: Math.round(uptime()),
    node: process.version,
  };
}
