// What a changed file means for a running daemon: which keys SIGHUP applies, which need a restart.

import { type Config, changedKeys } from "./config.ts";
import { configKeys } from "./keys.ts";

/** Changed keys by their path in the file. */
export interface ConfigDifference {
  /** Applied by SIGHUP. */
  readonly reload: readonly string[];
  /** Take effect after a restart only. */
  readonly restart: readonly string[];
}

/** Compares the running configuration with a new one; both lists are empty when nothing changed. */
export function configDifference(running: Config, next: Config): ConfigDifference {
  const changed = changedKeys(running, next);
  const reloads = (key: string): boolean => configKeys[key]?.reload === true;
  return {
    reload: changed.filter(reloads),
    restart: changed.filter((key) => !reloads(key)),
  };
}
