// What the learning room measures. The machine moves these through the Meter port.

import type { MetricDeclaration } from "../ports/index.ts";
import { protocolRefusalCodes, transferResults, updateRefusalCodes } from "./codes.ts";
import { localRefusalCodes } from "./trainer/local-order.ts";
import { trainerFailureCodes } from "./trainer/round-trainer.ts";

/** Metrics of the learning room. */
export const learningMetrics: readonly MetricDeclaration[] = [
  {
    name: "meshd_learning_tasks_running",
    kind: "gauge",
    help: "Training tasks that this node takes part in now: 0 or 1.",
  },
  {
    name: "meshd_learning_round",
    kind: "gauge",
    help: "Last round of the training task that this node finished; 0 before the first.",
  },
  {
    name: "meshd_learning_loss",
    kind: "gauge",
    help: "Mean loss of this node's model on the test samples after the last round: cross-entropy (nats), or half the squared reconstruction error of a telemetry model.",
  },
  {
    name: "meshd_learning_accuracy_ratio",
    kind: "gauge",
    help: "Share of test samples that this node's model names rightly after the last round, 0 to 1.",
  },
  {
    name: "meshd_learning_anomaly_ratio",
    kind: "gauge",
    help: "How unlike the mesh's usual self this node behaved in the last seconds: what a trained telemetry model cannot reproduce, as a share of the channels' ranges; 0 without such a model.",
  },
  {
    name: "meshd_learning_rounds_total",
    kind: "counter",
    help: "Rounds this node closed: 'aggregated' took a new model, 'held' kept its own for want of a quorum, 'caught-up' adopted the peers' newest, 'void' was certified without a new model.",
    labels: { result: ["aggregated", "held", "caught-up", "void"] },
  },
  {
    name: "meshd_learning_updates_received_total",
    kind: "counter",
    help: "Updates of peers that passed the gate and entered an aggregation.",
  },
  {
    name: "meshd_learning_updates_rejected_total",
    kind: "counter",
    help: "Updates of peers that were refused: by the gate with its code, or as 'learning/outlier' because they lie far off and too few others count them as neighbours.",
    labels: { code: [...updateRefusalCodes, "learning/outlier"] },
  },
  {
    name: "meshd_learning_pulls_failed_total",
    kind: "counter",
    help: "Pulls that brought no update: the peer was unreachable, gone or out of time.",
  },
  {
    name: "meshd_learning_trainer_failures_total",
    kind: "counter",
    help: "Rounds that went on without this node's own update: its trainer gave none by the deadline ('late') or none that can be used ('failed').",
    labels: { code: trainerFailureCodes },
  },
  {
    name: "meshd_learning_trainer_updates_total",
    kind: "counter",
    help: "Updates that local trainers sent to this node, by what became of them.",
    labels: { result: ["accepted", ...localRefusalCodes] },
  },
  {
    name: "meshd_learning_trainers_lost_total",
    kind: "counter",
    help: "Local trainers that took a round's order and were not heard of until their lease ran out.",
  },
  {
    name: "meshd_learning_trainer_attached",
    kind: "gauge",
    help: "1 while a local trainer waits for a round here or works on one.",
  },
  {
    name: "meshd_learning_round_duration_seconds",
    kind: "histogram",
    help: "Time from the start of a round's training until its model was aggregated.",
    buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120],
  },
  {
    name: "meshd_learning_certificates_total",
    kind: "counter",
    help: "Rounds that this node saw certified: 'set' with a new model, 'void' without.",
    labels: { result: ["set", "void"] },
  },
  {
    name: "meshd_learning_views_total",
    kind: "counter",
    help: "Views of round agreements that this node began. More than one a round: proposers are slow, silent or lie.",
  },
  {
    name: "meshd_learning_equivocations_total",
    kind: "counter",
    help: "Participants proven to have signed two things where they may sign one; each is out of the task from then on.",
  },
  {
    name: "meshd_learning_divergences_total",
    kind: "counter",
    help: "Rounds in which this node computed another result than was certified: a fault here, or an attack on the computation.",
  },
  {
    name: "meshd_learning_splits_total",
    kind: "counter",
    help: "Certified rounds in which all results were here and none had a quorum: participants computed it unlike.",
  },
  {
    name: "meshd_learning_void_rounds",
    kind: "gauge",
    help: "Newest certified rounds in a row that brought no new model; 0 after one that did.",
  },
  {
    name: "meshd_learning_phase_duration_seconds",
    kind: "histogram",
    help: "Time that certified rounds spent in a phase on this node: collecting updates, agreeing on the set, computing, certifying.",
    labels: { phase: ["collecting", "agreeing", "computing", "certifying"] },
    buckets: [0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120],
  },
  {
    name: "meshd_learning_pauses_total",
    kind: "counter",
    help: "Times that certified rounds paused here because the disk refused what must be kept; they go on from what it has.",
  },
  {
    name: "meshd_learning_transfers_total",
    kind: "counter",
    help: "Attempts to get an update or model from one holder: 'whole' brought all that was lacking, the others say why not.",
    labels: { result: transferResults },
  },
  {
    name: "meshd_learning_announcements_total",
    kind: "counter",
    help: "Announcements in the DHT that this node has updates and models of a task.",
    labels: { result: ["done", "failed"] },
  },
  {
    name: "meshd_learning_provider_searches_total",
    kind: "counter",
    help: "Searches of the DHT for participants when no known holder gave an update or model; 'found': some were connected by it.",
    labels: { result: ["found", "none", "failed"] },
  },
  {
    name: "meshd_learning_providers_refused_total",
    kind: "counter",
    help: "Providers of a task in the DHT that are no participants of it, or may not train: they were not dialled.",
  },
  {
    name: "meshd_learning_transfer_bytes_total",
    kind: "counter",
    help: "Bytes of updates and models of certified rounds that came whole from other participants.",
  },
  {
    name: "meshd_learning_memory_bytes",
    kind: "gauge",
    help: "Memory that updates and models of certified rounds take, of learning.memory_mebibytes.",
  },
  {
    name: "meshd_learning_memory_refusals_total",
    kind: "counter",
    help: "Updates and models that were not fetched or kept because learning.memory_mebibytes has no room for them.",
  },
  {
    name: "meshd_learning_messages_refused_total",
    kind: "counter",
    help: "Messages of the round protocol that were refused, by code; late, doubled and early ones are among them.",
    labels: { code: protocolRefusalCodes },
  },
];
