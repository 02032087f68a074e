// What a daemon runs with, and what its file says meanwhile.

import {
  type Config,
  configDifference,
  effectiveConfig,
  type EffectiveKey,
  parseConfig,
  policyLines,
} from "../config/index.ts";
import type { Body, EffectiveConfig } from "../control/index.ts";

/** The text of a configuration file, and where it was read. */
export interface ConfigSource {
  readonly file: string;
  readonly text: string;
}

/** Remembers the start, because a key that needs a restart keeps the value it had then. */
export class ConfigView {
  readonly #start: ConfigSource;
  #latest: ConfigSource;

  constructor(start: ConfigSource) {
    this.#start = start;
    this.#latest = start;
  }

  get file(): string {
    return this.#start.file;
  }

  /** The file was read again and applied as far as that goes. */
  reloaded(latest: ConfigSource): void {
    this.#latest = latest;
  }

  /** Lines of the rules that are in force. */
  policyLines(rules: number): (number | null)[] {
    return policyLines(this.#latest.text, this.#latest.file, rules);
  }

  effective(): Body<EffectiveConfig> {
    const restartPending = changedForRestart(this.#start, this.#latest);
    const atStart = new Map(keysOf(this.#start).map((key) => [key.key, key]));
    const keys = keysOf(this.#latest).map((latest) =>
      restartPending.includes(latest.key) ? (atStart.get(latest.key) ?? latest) : latest,
    );
    return { file: this.#start.file, keys: mutable(keys), restartPending };
  }

  /** Keys whose value in this text, the file's of now, needs a restart. @throws ConfigError `config/invalid` */
  pendingIn(text: string): string[] {
    return changedForRestart(this.#start, { file: this.#start.file, text });
  }
}

/** The effective configuration of a file that no daemon runs with. @throws ConfigError `config/invalid` */
export function effectiveOf(source: ConfigSource): Body<EffectiveConfig> {
  return { file: source.file, keys: mutable(keysOf(source)), restartPending: [] };
}

function keysOf({ text, file }: ConfigSource): EffectiveKey[] {
  return effectiveConfig(text, file);
}

function changedForRestart(before: ConfigSource, after: ConfigSource): string[] {
  const read = ({ text, file }: ConfigSource): Config => parseConfig(text, file);
  return [...configDifference(read(before), read(after)).restart];
}

/** JSON's own types, which the contract speaks, know no readonly. */
function mutable(keys: readonly EffectiveKey[]): Body<EffectiveConfig>["keys"] {
  return structuredClone(keys) as Body<EffectiveConfig>["keys"];
}
