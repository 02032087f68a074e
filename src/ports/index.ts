export type { LogFields, Logger } from "./logger.ts";
export type { Meter, MetricDeclaration, MetricLabels } from "./meter.ts";
export type { Random } from "./random.ts";
export type { Clock, MonoMs, Now, WallMs } from "./time.ts";
