// Playbooks from YAML. A file is taken whole or not at all: one error names every problem in it.

import * as z from "zod";
import { MeshError } from "../../foundation/index.ts";
import { readYaml, type YamlFile } from "../../foundation/yaml-file.ts";
import { type ActionKind, actionKinds } from "../incident.ts";
import { type ObservationName, observationNames } from "../observation.ts";
import { healingDefaults } from "../options.ts";
import { type SymptomCode, symptomCodes } from "../symptoms.ts";
import { type Playbook, radii } from "./playbook.ts";

/** Limits of a playbook file. */
export const playbookLimits = {
  fileBytesMax: 64 * 1024,
  playbooksMax: 64,
  stepsMax: 8,
  aliasesMax: 32,
  problemsMax: 20,
} as const;

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const duration = (minMs: number, maxMs: number) =>
  z.string().transform((text, context) => {
    const [, digits, unit] = /^(\d{1,7})(ms|s|m|h)$/.exec(text) ?? [];
    const ms = Number(digits) * (units[unit ?? ""] ?? NaN);
    if (ms >= minMs && ms <= maxMs) return ms;
    const message = `a duration like 30s or 5m, ${minMs} ms to ${maxMs} ms`;
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  });

const bounds = z
  .strictObject({ min: z.number().optional(), max: z.number().optional() })
  .refine(({ min, max }) => min !== undefined || max !== undefined, "bounds: min, max or both");
const observed = z.partialRecord(z.enum(observationNames as readonly [ObservationName]), bounds);
const codes = z.array(z.enum(symptomCodes as readonly [SymptomCode])).max(symptomCodes.length);

const step = z.strictObject({
  action: z.enum(actionKinds),
  target: z.string().min(1).max(128).optional(),
  level: z.enum(["act", "advise"]).default("act"),
  time_limit: duration(100, 600_000).prefault("30s"),
  check_within: duration(100, 3_600_000).prefault("15s"),
  check: observed.default({}),
});

const playbook = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,47}$/, "a name of lower case letters, digits and -"),
  for: codes.min(1),
  unless: codes.default([]),
  when: observed.default({}),
  radius: z.enum(radii),
  cooldown: duration(1_000, 86_400_000).prefault("5m"),
  steps: z.array(step).min(1).max(playbookLimits.stepsMax),
});

const file = z.strictObject({
  playbooks: z
    .array(playbook)
    .max(playbookLimits.playbooksMax)
    .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, "names that differ"),
});

/**
 * Reads a playbook file. `filename` is for messages only; `can`: what the node's actuators can do.
 * @throws MeshError `healing/bad-playbooks` with every problem, at most `playbookLimits.problemsMax`
 */
export function parsePlaybooks(
  text: string,
  filename: string,
  can: ReadonlySet<ActionKind>,
): readonly Playbook[] {
  const { value, lineOf } = usableYaml(text, filename);
  const checked = file.safeParse(value);
  if (!checked.success) {
    const problems = checked.error.issues.map(({ path, message }) => {
      const line = lineOf(path);
      const at = line === null ? "" : `line ${line}: `;
      return `${at}${path.map(String).join(".") || "the file"}: ${message}`;
    });
    throw bad(filename, problems);
  }
  const problems = checked.data.playbooks.flatMap(({ name, steps, radius }) =>
    steps.flatMap(({ action, time_limit: limitMs, check_within: checkMs }) => [
      ...(radius !== "none" && limitMs + checkMs > DISRUPTION_MS
        ? [`${name}: ${action} may disturb for ${DISRUPTION_MS / 1_000} s at most, check included`]
        : []),
      ...(can.has(action) ? [] : [`${name}: this node has no action ${action}`]),
      ...(radius === "none" && disruptive.has(action)
        ? [`${name}: ${action} disturbs, its radius cannot be none`]
        : []),
    ]),
  );
  if (problems.length > 0) throw bad(filename, problems);
  return checked.data.playbooks.map(playbookOf);
}

/** Half of what a node's claims count for without a pause: what it begins in the first half it ends in the second. */
const DISRUPTION_MS = 5 * healingDefaults.claimMs;

/** Actions that some of the node's work suffers from while they run: the budget of the mesh counts them. */
const disruptive: ReadonlySet<ActionKind> = new Set([
  "quarantine-peer",
  "shed-load",
  "restart-part",
]);

function playbookOf({ cooldown, steps, ...rest }: z.output<typeof playbook>): Playbook {
  return {
    ...rest,
    when: rest.when as Playbook["when"],
    cooldownMs: cooldown,
    steps: steps.map(
      ({ time_limit: timeLimitMs, check_within: checkMs, target, check, ...one }) => ({
        ...one,
        check: check as Playbook["when"],
        ...(target !== undefined && { target }),
        timeLimitMs,
        checkMs,
      }),
    ),
  };
}

function usableYaml(text: string, filename: string): YamlFile {
  const { fileBytesMax: bytesMax, aliasesMax } = playbookLimits;
  const yaml = readYaml(text, { bytesMax, aliasesMax });
  if (!("faults" in yaml)) return yaml;
  const problems = yaml.faults.map(({ message, line }) => {
    if (yaml.kind === "too-long") return `at most ${bytesMax} bytes, it has ${message}`;
    return line === null ? message : `line ${line}: ${message}`;
  });
  throw bad(filename, problems);
}

function bad(filename: string, problems: readonly string[]): MeshError<"healing/bad-playbooks"> {
  const told = problems.slice(0, playbookLimits.problemsMax);
  return new MeshError(
    "healing/bad-playbooks",
    `Cannot use the playbooks of ${filename}, none of them is taken:\n${told.map((line) => `  ${line}\n`).join("")}Correct the file and reload; docs/healing.md has every key.`,
    { file: filename, problems: told },
  );
}
