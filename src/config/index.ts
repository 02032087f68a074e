// The configuration room's door: text in, frozen configuration or every problem at once out.

export type { Config } from "./config.ts";
export { type ConfigDifference, configDifference } from "./difference.ts";
export { durationMs, durationText } from "./duration.ts";
export { type ConfigValue, effectiveConfig, type EffectiveKey } from "./effective.ts";
export { type ConfigKey, configKeys, configLimits, isPolicyRight, policyRights } from "./keys.ts";
export {
  ConfigError,
  type ConfigErrorCode,
  type ConfigProblem,
  parseConfig,
  policyLines,
  problemText,
} from "./parse.ts";
export type { MetricsListen } from "./schema.ts";
