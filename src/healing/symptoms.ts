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
  /** The alert that tells of it, whose page docs/runbooks/<alert>.md says what to do. */
  readonly alert: string;
  /** A state that is meant or that lasts, not something that happens: no incident is made of it. */
  readonly lasting: boolean;
}

/** Alerts of those that have none of their own. */
const genericAlerts: Readonly<Record<Severity, string>> = {
  error: "MeshdHealthError",
  warning: "MeshdHealthWarning",
  info: "MeshdHealthNotice",
};

const is = (severity: Severity, title: string, more: Partial<Symptom> = {}): Symptom => ({
  ...{ title, severity, dependsOn: [], timeToVisibleMs: 0, lasting: false },
  alert: genericAlerts[severity],
  ...more,
});

const stored = { alert: "MeshdCredentialUnusable" };
const lasting = { lasting: true };

const catalogue = {
  "node/unenrolled": is("warning", "in no mesh", { alert: "MeshdUnenrolled", ...lasting }),
  "node/starting": is("info", "joins the mesh", { alert: "MeshdStartStuck", ...lasting }),
  "node/stopping": is("info", "leaves the mesh", lasting),
  "node/stalled": is("error", "the mesh machine stopped working"),
  "node/slow": is("info", "the event loop lags", {
    dependsOn: ["mesh/overloaded", "node/memory-growing"],
    timeToVisibleMs: 3_000,
    alert: "MeshdEventLoopLag",
  }),
  "node/log-level": is("info", "logs at another level than configured", lasting),
  "node/disk-filling": is("warning", "the disk of state_dir runs full", {
    timeToVisibleMs: 3_000,
    alert: "MeshdStateDiskFilling",
  }),
  "node/memory-growing": is("warning", "memory grows towards its limit", {
    timeToVisibleMs: 5_000,
    alert: "MeshdMemoryHigh",
  }),
  "node/socket-gone": is("warning", "nobody can call a socket of the daemon"),
  "node/clock-stepped": is("info", "the wall clock stepped", { alert: "MeshdClockSkew" }),
  "identity/expired": is("error", "the SVID has expired", {
    dependsOn: ["node/clock-stepped", "identity/renewal-overdue", "mesh/isolated"],
    alert: "MeshdSvidExpired",
  }),
  "identity/not-yet-valid": is("error", "the stored SVID is not yet valid", stored),
  "identity/untrusted": is("error", "the stored SVID has no trusted root", stored),
  "identity/revoked": is("error", "the mesh has shut this node out", { ...stored, ...lasting }),
  "identity/classical-denied": is("error", "a classical SVID is not permitted", {
    ...stored,
    ...lasting,
  }),
  "identity/source-silent": is("warning", "the Workload API gives no SVID", {
    alert: "MeshdSvidRenewalFailing",
  }),
  "identity/classical": is("info", "a classical chain vouches for a node", lasting),
  "identity/authority-ending": is("warning", "the signing authority ends, none is prepared", {
    alert: "MeshdAuthorityEnding",
    ...lasting,
  }),
  "identity/signature-invalid": is("error", "the stored SVID's signature is wrong", stored),
  "identity/node-id-mismatch": is("error", "the stored SVID is of other keys", stored),
  "identity/renewal-overdue": is("warning", "the SVID runs out and is not renewed", {
    dependsOn: ["mesh/isolated", "node/clock-stepped"],
    timeToVisibleMs: 2_000,
    alert: "MeshdSvidRenewalFailing",
  }),
  "workload/issuer-silent": is("warning", "no issuer answers about workloads", {
    dependsOn: ["mesh/isolated"],
    alert: "MeshdWorkloadIssuerSilent",
  }),
  "workload/users-hidden": is("warning", "callers of the Workload API look alike", lasting),
  "mesh/isolated": is("warning", "no peer is connected", {
    dependsOn: ["identity/expired", "node/clock-stepped", "handshake/failing"],
    alert: "MeshdIsolated",
  }),
  "mesh/peers-lost": is("warning", "connections fell away", {
    dependsOn: ["mesh/isolated", "node/slow", "mesh/unhealthy"],
    timeToVisibleMs: 1_000,
    alert: "MeshdPartitioned",
  }),
  "mesh/peer-unreachable": is("info", "a live member has no link that works", {
    dependsOn: ["mesh/isolated", "mesh/peers-lost"],
    timeToVisibleMs: 1_000,
    alert: "MeshdProbesFailing",
  }),
  "mesh/links-flapping": is("warning", "links come and go", {
    dependsOn: ["node/slow", "mesh/isolated"],
    timeToVisibleMs: 5_000,
    alert: "MeshdSuspicionsFlapping",
  }),
  "mesh/links-slow": is("info", "round trips are longer than usual", {
    dependsOn: ["node/slow"],
    timeToVisibleMs: 10_000,
    alert: "MeshdProbeRttHigh",
  }),
  "mesh/view-stale": is("warning", "few live members are heard of", {
    dependsOn: ["mesh/isolated", "node/slow"],
    timeToVisibleMs: 3_000,
    alert: "MeshdBeaconsSilent",
  }),
  "mesh/unhealthy": is("warning", "a large part of the mesh is not well", {
    dependsOn: ["mesh/isolated"],
    timeToVisibleMs: 2_000,
    alert: "MeshdPeersDead",
  }),
  "mesh/quarantined": is("warning", "members are in quarantine", {
    alert: "MeshdPeersQuarantined",
    ...lasting,
  }),
  "mesh/overloaded": is("warning", "more arrives than is taken", {
    timeToVisibleMs: 3_000,
    alert: "MeshdBeaconsRateLimited",
  }),
  "handshake/failing": is("warning", "handshakes with peers fail", {
    dependsOn: ["node/clock-stepped", "identity/expired"],
    timeToVisibleMs: 3_000,
    alert: "MeshdHandshakeFailures",
  }),
  "crypto/engine-unsound": is("warning", "the crypto engine fails its self-test"),
  "crypto/engine-fallback": is("warning", "a slower crypto engine is in use", {
    alert: "MeshdSlowEngine",
    ...lasting,
  }),
  "state/write-failed": is("error", "the state cannot be written", {
    dependsOn: ["node/disk-filling"],
    alert: "MeshdStateWriteFailed",
  }),
  "audit/write-failed": is("error", "the audit log cannot be written", {
    dependsOn: ["node/disk-filling"],
    alert: "MeshdAuditWriteFailed",
  }),
  "audit/broken": is("error", "the audit log was changed", {
    alert: "MeshdAuditBroken",
    ...lasting,
  }),
  "federation/stale": is("warning", "a federated trust bundle is stale", {
    alert: "MeshdFederationStale",
  }),
  "learning/adversary": is("info", "this node may poison its updates", {
    alert: "MeshdAdversaryEnabled",
    ...lasting,
  }),
  "learning/rounds-void": is("warning", "training rounds bring no new model", {
    dependsOn: ["mesh/isolated", "mesh/peers-lost", "mesh/unhealthy"],
    alert: "MeshdLearningRoundsHeld",
  }),
  "learning/split": is("error", "participants compute a round unlike", {
    alert: "MeshdLearningDisagreement",
  }),
  "learning/trainer-absent": is("warning", "this node's own trainer is not attached", lasting),
  "learning/kernels-unavailable": is("warning", "the wasm kernels do not run", lasting),
  "learning/anomalous": is("info", "this node behaves unlike the mesh's usual self", {
    timeToVisibleMs: 30_000,
  }),
  "healing/frozen": is("info", "an operator froze healing", lasting),
  "healing/halted": is("warning", "healing holds still: too much is unwell", lasting),
  "healing/playbooks-refused": is("warning", "the operator's playbooks were refused", lasting),
  "healing/knowledge-rebuilt": is("warning", "the file of incidents was damaged", lasting),
  "healing/knowledge-lost": is("warning", "incidents are not kept on disk", lasting),
  "healing/sensor-missing": is("info", "a sensor gives no reading", {
    timeToVisibleMs: 10_000,
    ...lasting,
  }),
} as const satisfies Record<string, Symptom>;

export type SymptomCode = keyof typeof catalogue;

/** Every condition by its code. */
export const symptoms: Readonly<Record<SymptomCode, Symptom>> = catalogue;

/** All codes, in the catalogue's order. */
export const symptomCodes = Object.keys(catalogue) as readonly SymptomCode[];
