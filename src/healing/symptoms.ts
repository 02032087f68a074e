// The catalogue of conditions: whatever can be wrong with a node has one entry here. `meshctl status`, /ready, the metric
// meshd_health_issue, the alerts, docs/healing.md and the healing loop all read it, so one word means one thing everywhere.

export type Severity = "info" | "warning" | "error";

/** What there is to know about a condition before it occurs. */
export interface Symptom {
  /** A few words, for a table and for an alert. */
  readonly title: string;
  /** `error`: the node cannot do its work, and /ready says so. */
  readonly severity: Severity;
  /** Conditions that explain this one while they stand: it is then a consequence, not a cause. */
  readonly dependsOn: readonly string[];
  /** It must stand so long before anybody is told: what passes by itself meanwhile is the weather. */
  readonly timeToVisibleMs: number;
  /** The page under docs/runbooks/; without one, its row in docs/healing.md says what to do. */
  readonly runbook?: string;
}

const at = (
  severity: Severity,
  title: string,
  more: Partial<Omit<Symptom, "severity" | "title">> = {},
): Symptom => ({ title, severity, dependsOn: [], timeToVisibleMs: 0, ...more });

const stored = { runbook: "MeshdCredentialUnusable" };

const catalogue = {
  "node/unenrolled": at("warning", "in no mesh", { runbook: "MeshdUnenrolled" }),
  "node/stalled": at("error", "the mesh machine stopped working"),
  "node/slow": at("info", "the event loop lags", { runbook: "MeshdEventLoopLag" }),
  "node/log-level": at("info", "logs at another level than configured"),
  "node/disk-filling": at("warning", "the disk of state_dir runs full", {
    timeToVisibleMs: 10_000,
    runbook: "MeshdStateDiskFilling",
  }),
  "node/memory-growing": at("warning", "memory grows towards its limit", {
    timeToVisibleMs: 30_000,
    runbook: "MeshdMemoryHigh",
  }),
  "node/clock-stepped": at("warning", "the wall clock stepped", { runbook: "MeshdClockSkew" }),
  "identity/expired": at("error", "the SVID has expired", {
    dependsOn: ["node/clock-stepped", "identity/svid-expiring", "mesh/isolated"],
    runbook: "MeshdSvidExpired",
  }),
  "identity/not-yet-valid": at("error", "the stored SVID is not yet valid", stored),
  "identity/untrusted": at("error", "the stored SVID has no trusted root", stored),
  "identity/signature-invalid": at("error", "the stored SVID's signature is wrong", stored),
  "identity/node-id-mismatch": at("error", "the stored SVID is of other keys", stored),
  "identity/svid-expiring": at("warning", "the SVID runs out and is not renewed", {
    dependsOn: ["mesh/isolated", "node/clock-stepped"],
    timeToVisibleMs: 5_000,
    runbook: "MeshdSvidRenewalFailing",
  }),
  "workload/issuer-silent": at("warning", "no issuer answers about workloads", {
    dependsOn: ["mesh/isolated"],
    runbook: "MeshdWorkloadIssuerSilent",
  }),
  "workload/users-hidden": at("warning", "callers of the Workload API cannot be told apart"),
  "mesh/isolated": at("warning", "no peer is connected", {
    dependsOn: ["identity/expired", "node/clock-stepped", "handshake/failing"],
    runbook: "MeshdIsolated",
  }),
  "mesh/peers-lost": at("warning", "connections fell away", {
    dependsOn: ["mesh/isolated", "node/slow", "mesh/unhealthy"],
    timeToVisibleMs: 3_000,
    runbook: "MeshdPartitioned",
  }),
  "mesh/peer-unreachable": at("info", "a live member is not connected", {
    dependsOn: ["mesh/isolated", "mesh/peers-lost"],
    timeToVisibleMs: 3_000,
    runbook: "MeshdProbesFailing",
  }),
  "mesh/links-flapping": at("warning", "links come and go", {
    dependsOn: ["node/slow", "mesh/isolated"],
    timeToVisibleMs: 5_000,
    runbook: "MeshdSuspicionsFlapping",
  }),
  "mesh/view-stale": at("warning", "few beacons of live members arrive", {
    dependsOn: ["mesh/isolated", "node/slow"],
    timeToVisibleMs: 5_000,
    runbook: "MeshdBeaconsSilent",
  }),
  "mesh/unhealthy": at("warning", "a large part of the mesh is not well", {
    dependsOn: ["mesh/isolated"],
    timeToVisibleMs: 3_000,
    runbook: "MeshdPeersDead",
  }),
  "mesh/quarantined": at("warning", "members are in quarantine", {
    runbook: "MeshdPeersQuarantined",
  }),
  "mesh/overloaded": at("warning", "more arrives than is worked off", {
    timeToVisibleMs: 3_000,
    runbook: "MeshdBeaconsRateLimited",
  }),
  "handshake/failing": at("warning", "handshakes with peers fail", {
    dependsOn: ["node/clock-stepped", "identity/expired"],
    timeToVisibleMs: 5_000,
    runbook: "MeshdHandshakeFailures",
  }),
  "crypto/engine-fallback": at("warning", "a slower crypto engine is in use", {
    runbook: "MeshdSlowEngine",
  }),
  "crypto/engine-failing": at("error", "the crypto engine gives wrong answers"),
  "state/write-failed": at("error", "the state cannot be written", {
    dependsOn: ["node/disk-filling"],
    runbook: "MeshdStateWriteFailed",
  }),
  "audit/write-failed": at("error", "the audit log cannot be written", {
    dependsOn: ["node/disk-filling"],
    runbook: "MeshdAuditWriteFailed",
  }),
  "audit/broken": at("error", "the audit log was changed", { runbook: "MeshdAuditBroken" }),
  "federation/stale": at("warning", "a federated trust bundle is stale", {
    runbook: "MeshdFederationStale",
  }),
  "learning/adversary": at("info", "this node may poison its updates", {
    runbook: "MeshdAdversaryEnabled",
  }),
  "learning/rounds-void": at("warning", "training rounds bring no new model", {
    dependsOn: ["mesh/isolated", "mesh/peers-lost", "mesh/unhealthy"],
    runbook: "MeshdLearningRoundsHeld",
  }),
  "learning/split": at("error", "participants compute a round unlike", {
    runbook: "MeshdLearningDisagreement",
  }),
  "learning/trainer-absent": at("warning", "this node's own trainer is not attached"),
  "learning/kernels-unavailable": at("warning", "the wasm kernels do not run"),
  "learning/anomalous": at("info", "this node behaves unlike the mesh's usual self", {
    timeToVisibleMs: 30_000,
  }),
  "healing/frozen": at("info", "an operator froze healing"),
  "healing/halted": at("warning", "healing holds still: too much of the mesh is unwell", {
    dependsOn: ["mesh/unhealthy"],
  }),
  "healing/playbooks-refused": at("warning", "the operator's playbooks were refused"),
  "healing/sensor-missing": at("info", "a sensor gives no reading", { timeToVisibleMs: 10_000 }),
} as const satisfies Record<string, Symptom>;

export type SymptomCode = keyof typeof catalogue;

/** Every condition by its code. */
export const symptoms: Readonly<Record<SymptomCode, Symptom>> = catalogue;

/** All codes, in the catalogue's order. */
export const symptomCodes = Object.keys(catalogue) as readonly SymptomCode[];
