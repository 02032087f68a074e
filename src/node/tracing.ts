// The tracer that the configuration asks for. What OpenTelemetry needs is loaded only if it is to be used.

import type { OtlpTracerDeps, RunningTracer } from "../adapters/telemetry/otlp-tracer.ts";
import { readHeaderFile } from "../adapters/telemetry/header-file.ts";
import type { Config } from "../config/index.ts";
import { noTracer } from "../ports/index.ts";

/** @throws MeshError `telemetry/bad-header-file` */
export async function tracerFor(
  config: Config["telemetry"]["tracing"],
  deps: OtlpTracerDeps,
  version: string,
): Promise<RunningTracer> {
  const { endpoint, sampleRatio, beaconSampleRatio, headersFile } = config;
  if (endpoint === "off") return { ...noTracer, stop: () => Promise.resolve() };
  const headers = headersFile === null ? {} : readHeaderFile(headersFile);
  const { createOtlpTracer } = await import("../adapters/telemetry/otlp-tracer.ts");
  return createOtlpTracer(deps, { endpoint, headers, sampleRatio, beaconSampleRatio, version });
}
