// The control room's door: the contract, the API over a NodeControl, and its client.

export { createControlApp, errorAnswer, type UnexpectedErrorListener } from "./app.ts";
export { ControlClient, type ControlClientOptions } from "./client.ts";
export {
  type Beacons,
  CONTROL_SCHEMA_VERSION,
  controlLimits,
  type Enrolled,
  type ErrorAnswer,
  type FlStarted,
  type FlStartRequest,
  type FlStatus,
  type FlStopped,
  flStartRequestSchema,
  type Health,
  type Identity,
  type InitRequest,
  initRequestSchema,
  type JoinRequest,
  joinRequestSchema,
  type LearningStatus,
  logLevels,
  type LogLevelRequest,
  type LogState,
  type Peer,
  type Peers,
  type Status,
  type Token,
  type TokenRequest,
  tokenRequestSchema,
} from "./contract.ts";
export {
  type ControlErrorCode,
  type ErrorStatus,
  type ExitStatus,
  exitStatus,
  statusOfError,
} from "./errors.ts";
export type { Body, NodeControl } from "./node-control.ts";
