// The door of the healing room.

export {
  type ActionKind,
  actionKinds,
  type ActionOutcome,
  actionOutcomes,
  type Cause,
  type Evidence,
  type Incident,
  INCIDENT_ACTIONS_MAX,
  INCIDENT_SIMILAR_MAX,
  INCIDENT_SYMPTOMS_MAX,
  type IncidentOutcome,
  incidentOutcomes,
  type SeenSymptom,
  type SimilarIncident,
  type TakenAction,
} from "./incident.ts";
export {
  type ArchivedIncident,
  type IncidentArchive,
  MemoryArchive,
  type Whose,
} from "./knowledge/archive.ts";
export {
  KnowledgeBase,
  knowledgeDefaults,
  type KnowledgeOptions,
} from "./knowledge/knowledge-base.ts";
export {
  decodeNotice,
  encodeNotice,
  type Notice,
  type NoticeBody,
  type NoticeCode,
  noticeContext,
} from "./exchange/notice.ts";
export { NoticeDesk, type NoticeVerdict } from "./exchange/notice-desk.ts";
export { explain, type ExplanationLine, explanationSteps } from "./explain.ts";
export { HealingMachine, type HealingMachineDeps } from "./machine.ts";
export { healingMetrics, meterEffect, meterNotice, meterView } from "./metrics.ts";
export { parsePlaybooks, playbookLimits } from "./plan/parse.ts";
export type { Playbook } from "./plan/playbook.ts";
export { shippedPlaybooks } from "./plan/shipped.ts";
export type {
  Claim,
  HealingEffect,
  HealingEvent,
  HealingProtocol,
  HealingView,
} from "./machine-types.ts";
export {
  FEATURES,
  featuresOf,
  type ObservationName,
  observationNames,
  observationScales,
  type PeerReading,
  PEERS_READ_MAX,
  type RaisedCondition,
  type Reading,
} from "./observation.ts";
export { healingDefaults, type HealingOptions } from "./options.ts";
export type { ActionEnd, ActionOrder, Actuators, Knowledge, Sensors } from "./ports.ts";
export {
  type Severity,
  type Symptom,
  type SymptomCode,
  symptomCodes,
  symptoms,
} from "./symptoms.ts";
