export type { Buggify } from "./buggify.ts";
export type { HttpAnswer, HttpHandler, HttpRequest } from "./http.ts";
export type { LogFields, Logger } from "./logger.ts";
export type { Meter, MetricDeclaration, MetricLabels } from "./meter.ts";
export type { Random } from "./random.ts";
export type { Clock, MonoMs, Now, WallMs } from "./time.ts";
export { noTracer } from "./tracer.ts";
export type { Span, SpanAttributes, SpanOptions, Tracer } from "./tracer.ts";
