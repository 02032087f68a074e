// What an operator is told about each key: its rule, the hint when it is broken, and whether a
// running daemon takes a new value on SIGHUP. The schema checks, this table explains.

/** One key of the configuration. `[]` in a path stands for any entry of a list. */
export interface ConfigKey {
  /** What the value must be, as "must be …" continues. */
  readonly rule: string;
  /** What to write instead. */
  readonly hint: string;
  /** Whether SIGHUP applies a change; otherwise the daemon must be restarted. */
  readonly reload: boolean;
}

/** The rights a policy rule can give, each checked where a stream opens or a message is validated. */
export const policyRights = [
  "mesh.join",
  "mesh.classical",
  "beacon.publish",
  "mesh.release",
  "fl.train",
  "fl.coordinate",
  "issuer.attest",
  "control.read",
  "control.write",
] as const;

/** A right of {@link policyRights}, or that to an exposed port, or to all of them. */
export type PolicyRight = (typeof policyRights)[number] | `tunnel.connect:${number | "*"}`;

const TUNNEL_RIGHT = /^tunnel\.connect:(?:\*|[1-9]\d{0,4})$/;

/** Whether a text is the name of a right. */
export function isPolicyRight(text: string): text is PolicyRight {
  const isTunnel = TUNNEL_RIGHT.test(text) && !(Number(text.replace(/.*:/, "")) > 65_535);
  return isTunnel || (policyRights as readonly string[]).includes(text);
}

/** By what a node may join, beside a token. */
export const attestorTypes = ["x509pop", "k8s_psat", "aws_iid"] as const;

/** Limits of the configuration, in the unit of each key. */
export const configLimits = {
  fileBytesMax: 256 * 1024,
  aliasesMax: 32,
  problemsMax: 100,
  /** After the first faults of syntax the rest are echoes. */
  yamlFaultsMax: 5,
  addressesMax: 64,
  policyRulesMax: 256,
  rolesMax: 64,
  /** Ports of each kind, as many as a daemon takes. */
  tunnelsMax: 64,
  portMax: 65_535,
  peerCharsMax: 2048,
  pathBytesMax: 4096,
  /** `sun_path` of Linux holds 108 bytes with the closing zero. */
  socketPathBytesMax: 107,
  endpointCharsMax: 2048,
  anchorCharsMax: 1024,
  /** Accounts, regions, service accounts. */
  allowListMax: 64,
  heartbeatIntervalMs: { min: 100, max: 60_000 },
  connectionsTarget: { min: 1, max: 1024 },
  relayReservations: { min: 1, max: 1024 },
  relayTimeMs: { min: 60_000, max: 86_400_000 },
  relayMebibytes: { min: 1, max: 65_536 },
  learningMebibytes: { min: 1, max: 65_536 },
  auditMebibytes: { min: 8, max: 65_536 },
  svidLifetimeMs: { min: 60_000, max: 90 * 86_400_000 },
  authorityLifetimeMs: { min: 3_600_000, max: 3650 * 86_400_000 },
  authorityPrepareMs: { min: 0, max: 365 * 86_400_000 },
  clockSkewMs: { min: 0, max: 600_000 },
  healingActionsAtOnce: { min: 1, max: 16 },
  healingActionsPerWindow: { min: 1, max: 1_000 },
  flapWindowMs: { min: 1_000, max: 86_400_000 },
  issuerGraceMs: { min: 0, max: 30 * 86_400_000 },
} as const;

const rightsHint = `choose from ${policyRights.join(", ")}, tunnel.connect:<port>, tunnel.connect:*`;
const addressHint = "write a multiaddr, such as /ip4/0.0.0.0/tcp/4001";

/** Every key there is, by its path in the file. */
export const configKeys: Readonly<Record<string, ConfigKey>> = {
  state_dir: {
    rule: "an absolute path",
    hint: "name the directory that keeps keys and state, such as /var/lib/meshd",
    reload: false,
  },
  "control.socket": {
    rule: `an absolute path of at most ${configLimits.socketPathBytesMax} bytes`,
    hint: "name a socket such as /run/meshd/control.sock; the kernel allows no longer path",
    reload: false,
  },
  "mesh.listen": {
    rule: `a list of 1 to ${configLimits.addressesMax} TCP multiaddrs`,
    hint: addressHint,
    reload: false,
  },
  "mesh.listen[]": { rule: "a TCP multiaddr", hint: addressHint, reload: false },
  "mesh.announce": {
    rule: `a list of at most ${configLimits.addressesMax} TCP multiaddrs`,
    hint: "leave it empty to announce what the node listens on",
    reload: false,
  },
  "mesh.announce[]": {
    rule: "a TCP multiaddr",
    hint: "write how others reach this node, such as /dns4/node1.example.org/tcp/4001",
    reload: false,
  },
  "mesh.bootstrap": {
    rule: `a list of at most ${configLimits.addressesMax} TCP multiaddrs`,
    hint: "leave it empty on the first node; a join token brings addresses of its own",
    reload: true,
  },
  "mesh.bootstrap[]": {
    rule: "a TCP multiaddr",
    hint: "copy an address from `meshctl status` of a running node",
    reload: true,
  },
  "mesh.mdns": {
    rule: "true or false",
    hint: "write true to find peers of the local network",
    reload: false,
  },
  "mesh.relay": {
    rule: "auto, server, client or off",
    hint: "auto lets relays help while peers see this node behind a NAT; server carries others, so write it on hosts that all can reach",
    reload: false,
  },
  "mesh.relay_reservations": {
    rule: `a whole number from ${configLimits.relayReservations.min} to ${configLimits.relayReservations.max}`,
    hint: "how many nodes a relay may be the way to",
    reload: false,
  },
  "mesh.relay_time": {
    rule: "a duration from 1m to 24h",
    hint: "write how long a relay carries one connection before its ends make a new one, such as 1h",
    reload: false,
  },
  "mesh.relay_mebibytes": {
    rule: `a whole number from ${configLimits.relayMebibytes.min} to ${configLimits.relayMebibytes.max}`,
    hint: "how much a relay carries for one connection, both ways together",
    reload: false,
  },
  "mesh.relay_bulk": {
    rule: "true or false",
    hint: "true lets models and tunnels of this node go through relays too",
    reload: false,
  },
  "mesh.upnp": {
    rule: "true or false",
    hint: "true asks the router by UPnP to let peers in",
    reload: false,
  },
  "mesh.zone": {
    rule: "1 to 32 of a-z, 0-9 and '-', starting with a letter or digit",
    hint: "name the site or rack, such as berlin-1, or write auto to leave it to the mesh",
    reload: false,
  },
  "mesh.handshake_policy": {
    rule: "pq-required or interop",
    hint: "keep pq-required unless peers of other libp2p stacks must connect",
    reload: false,
  },
  "mesh.heartbeat_interval": {
    rule: "a duration from 100ms to 60s",
    hint: "write a number and ms or s, such as 1s; lower finds failures sooner and sends more",
    reload: false,
  },
  "mesh.connections_target": {
    rule: `a whole number from ${configLimits.connectionsTarget.min} to ${configLimits.connectionsTarget.max}`,
    hint: "8 to 32 suits most hosts; each connection costs memory",
    reload: false,
  },
  "crypto.engine": {
    rule: "auto, wasm, native or noble",
    hint: "auto takes wasm, and native where the host has no WebAssembly SIMD",
    reload: false,
  },
  "identity.svid_lifetime": {
    rule: "a duration from 1m to 90d",
    hint: "write a number and s, m, h or d, such as 24h; renewal comes at half of it",
    reload: false,
  },
  "identity.authority_lifetime": {
    rule: "a duration from 1h to 3650d, or off",
    hint: "on issuers: after how long an authority is replaced by itself, such as 365d",
    reload: false,
  },
  "identity.authority_prepare": {
    rule: "a duration from 0s to 365d",
    hint: "on issuers: how long a new authority is published before it signs; longer than other trust domains take to fetch the bundle",
    reload: false,
  },
  "identity.clock_skew": {
    rule: "a duration from 0s to 10m",
    hint: "write how far clocks may differ, such as 60s",
    reload: false,
  },
  "identity.issuer_grace": {
    rule: "a duration from 0s to 30d",
    hint: "write how much longer than it is valid a node's certificate counts here when no issuer renewed it, such as 24h; the same on all nodes",
    reload: false,
  },
  "identity.source": {
    rule: "issuer or workload-api",
    hint: "write workload-api to take this node's SVID from an agent on this host, such as SPIRE's: docs/identity.md",
    reload: false,
  },
  "identity.socket": {
    rule: `an absolute path of at most ${configLimits.socketPathBytesMax} bytes`,
    hint: "name the agent's socket, such as /run/spire/agent/public/api.sock; without it SPIFFE_ENDPOINT_SOCKET says it",
    reload: false,
  },
  "join.anchor": {
    rule: "an anchor, which begins with x0a1.",
    hint: "copy it from meshctl token anchor on an issuer; the node then joins by itself",
    reload: false,
  },
  "join.attestor": {
    rule: `off, ${attestorTypes.join(", ")}; an anchor needs one`,
    hint: "say what this node shows when it joins by an anchor: docs/attestation.md",
    reload: false,
  },
  "join.certificate": {
    rule: "an absolute path, which the attestor x509pop needs",
    hint: "name a PEM file with this host's certificate, and those between it and its authority",
    reload: false,
  },
  "join.key": {
    rule: "an absolute path, which the attestor x509pop needs",
    hint: "name the PEM file of the certificate's key",
    reload: false,
  },
  "join.token": {
    rule: "an absolute path",
    hint: "name the file of the pod's projected service account token",
    reload: false,
  },
  "join.metadata": {
    rule: "http://host[:port]",
    hint: "leave it out on EC2, where the metadata service is http://169.254.169.254",
    reload: false,
  },
  "attestors.x509pop": {
    rule: "a mapping with ca",
    hint: "write {ca: /etc/meshd/hosts-ca.pem}",
    reload: false,
  },
  "attestors.x509pop.ca": {
    rule: "an absolute path",
    hint: "name a PEM file of 1 to 16 authorities whose certificates let nodes join",
    reload: false,
  },
  "attestors.k8s_psat": {
    rule: "a mapping with cluster and service_accounts",
    hint: "write {cluster: prod, service_accounts: [mesh:meshd]}",
    reload: false,
  },
  "attestors.k8s_psat.cluster": {
    rule: "1 to 16 of a-z, 0-9 and '-', starting with a letter or digit",
    hint: "choose a short name: nodes are called k8s-<cluster>-<pod>",
    reload: false,
  },
  "attestors.k8s_psat.api_server": {
    rule: "https://host[:port]",
    hint: "leave it out when this issuer runs in the cluster",
    reload: false,
  },
  "attestors.k8s_psat.ca": {
    rule: "an absolute path",
    hint: "name the PEM file of the API server's authority",
    reload: false,
  },
  "attestors.k8s_psat.token": {
    rule: "an absolute path",
    hint: "name the token of a service account that may create tokenreviews",
    reload: false,
  },
  "attestors.k8s_psat.audience": {
    rule: "1 to 128 visible ASCII characters",
    hint: "write the audience of the pods' projected tokens, such as meshd",
    reload: false,
  },
  "attestors.k8s_psat.service_accounts": {
    rule: `a list of 1 to ${configLimits.allowListMax} namespace:name, each once`,
    hint: "list the service accounts whose pods may join, such as mesh:meshd",
    reload: false,
  },
  "attestors.k8s_psat.service_accounts[]": {
    rule: "namespace:name",
    hint: "write it as in mesh:meshd",
    reload: false,
  },
  "attestors.aws_iid": {
    rule: "a mapping with certificates and accounts",
    hint: 'write {certificates: /etc/meshd/aws.pem, accounts: ["123456789012"]}',
    reload: false,
  },
  "attestors.aws_iid.certificates": {
    rule: "an absolute path",
    hint: "name a PEM file of the RSA-2048 certificates that AWS publishes for your regions",
    reload: false,
  },
  "attestors.aws_iid.accounts": {
    rule: `a list of 1 to ${configLimits.allowListMax} account numbers, each once`,
    hint: "list the accounts whose instances may join",
    reload: false,
  },
  "attestors.aws_iid.accounts[]": {
    rule: "twelve digits in quotes",
    hint: 'write it as in "123456789012"',
    reload: false,
  },
  "attestors.aws_iid.regions": {
    rule: `a list of at most ${configLimits.allowListMax} regions, each once`,
    hint: "leave it out for all regions that there are certificates for",
    reload: false,
  },
  "attestors.aws_iid.regions[]": {
    rule: "the name of a region",
    hint: "write it as in eu-central-1",
    reload: false,
  },
  "audit.keep_mebibytes": {
    rule: `a whole number from ${configLimits.auditMebibytes.min} to ${configLimits.auditMebibytes.max}`,
    hint: "how long the audit log may grow before its oldest entries go; one takes about 400 bytes",
    reload: false,
  },
  "workload_api.socket": {
    rule: `an absolute path of at most ${configLimits.socketPathBytesMax} bytes, or off`,
    hint: "write /run/meshd-workload/api.sock to give identities to local programs; docs/workloads.md says what else it needs",
    reload: false,
  },
  policy: {
    rule: `a list of at most ${configLimits.policyRulesMax} rules {spiffe, allow}`,
    hint: "leave the key out to keep the default policy",
    reload: true,
  },
  "federation.listen": {
    rule: "host:port with a port from 0 to 65535, or off",
    hint: "write 0.0.0.0:8443 to let other trust domains fetch this one's bundle; it needs a certificate and a key",
    reload: false,
  },
  "federation.profile": {
    rule: "https_web or https_spiffe",
    hint: "write https_spiffe, on an issuer, to show an X.509-SVID of this trust domain in place of a certificate of the web",
    reload: false,
  },
  "federation.certificate": {
    rule: "an absolute path, which federation.listen needs under https_web",
    hint: "name a PEM file with the certificate chain for this host's public name; it is read again when it changes",
    reload: false,
  },
  "federation.key": {
    rule: "an absolute path, which federation.listen needs under https_web",
    hint: "name the PEM file of the certificate's key",
    reload: false,
  },
  roles: {
    rule: `a list of at most ${configLimits.rolesMax} roles {name, allow}, each name once`,
    hint: "leave it out when no rule of the policy names a role",
    reload: true,
  },
  "roles[]": {
    rule: "a mapping with name and allow",
    hint: "write {name: trainer, allow: [beacon.publish, fl.train]}",
    reload: true,
  },
  "roles[].name": {
    rule: "1 to 32 of a-z, 0-9 and '-', starting with a letter",
    hint: "choose a name for rules of the policy, such as trainer",
    reload: true,
  },
  "roles[].allow": {
    rule: "a list of rights without repetition",
    hint: rightsHint,
    reload: true,
  },
  "roles[].allow[]": { rule: "the name of a right", hint: rightsHint, reload: true },
  "policy[].roles": {
    rule: "a list of names from roles, without repetition",
    hint: "define the role under roles first",
    reload: true,
  },
  "policy[].roles[]": {
    rule: "the name of a role that is defined under roles",
    hint: "define it, or correct the name",
    reload: true,
  },
  "policy[]": {
    rule: "a mapping with spiffe, and allow or roles",
    hint: "write {spiffe: spiffe://*/node/*, allow: [mesh.join]}",
    reload: true,
  },
  "policy[].spiffe": {
    rule: "a SPIFFE id, one that ends with /* or /**, unauthenticated or local",
    hint: "write spiffe://*/node/*; * first is the node's own trust domain, /* at the end one part, /** one or more",
    reload: true,
  },
  "policy[].allow": {
    rule: "a list of rights without repetition",
    hint: rightsHint,
    reload: true,
  },
  "policy[].allow[]": {
    rule: "the name of a right",
    hint: rightsHint,
    reload: true,
  },
  "tunnel.expose": {
    rule: `a list of at most ${configLimits.tunnelsMax} ports {port, to}, each port once`,
    hint: "write {port: 22} for port 22 of this host",
    reload: true,
  },
  "tunnel.expose[]": {
    rule: "a mapping with port and perhaps to",
    hint: "write {port: 22, to: 127.0.0.1:22}",
    reload: true,
  },
  "tunnel.expose[].port": {
    rule: "a port from 1 to 65535",
    hint: "write the port as peers name it",
    reload: true,
  },
  "tunnel.expose[].to": {
    rule: "host:port with a port from 1 to 65535",
    hint: "write where connections go, such as 127.0.0.1:22; leave it out for the same port here",
    reload: true,
  },
  "tunnel.forward": {
    rule: `a list of at most ${configLimits.tunnelsMax} forwards {listen, peer, port}, each local port once`,
    hint: "write {listen: 127.0.0.1:2222, peer: rack-1, port: 22}",
    reload: true,
  },
  "tunnel.forward[]": {
    rule: "a mapping with listen, peer and port",
    hint: "write {listen: 127.0.0.1:2222, peer: rack-1, port: 22}",
    reload: true,
  },
  "tunnel.forward[].listen": {
    rule: "host:port with a port from 0 to 65535",
    hint: "write 127.0.0.1:2222, or [::1]:2222 in quotes; 0.0.0.0 lets other hosts in",
    reload: true,
  },
  "tunnel.forward[].peer": {
    rule: "a peer's name, NodeId or SPIFFE id",
    hint: "copy the name from meshctl peers",
    reload: true,
  },
  "tunnel.forward[].port": {
    rule: "a port from 1 to 65535",
    hint: "write the port that the peer exposes",
    reload: true,
  },
  "learning.enabled": {
    rule: "true or false",
    hint: "write false to take no part in training",
    reload: false,
  },
  "learning.adversary": {
    rule: "true or false",
    hint: "for laboratories only: true lets a task make this node send poisoned updates",
    reload: false,
  },
  "learning.memory_mebibytes": {
    rule: `a whole number from ${configLimits.learningMebibytes.min} to ${configLimits.learningMebibytes.max}`,
    hint: "how much memory the updates and models of certified rounds may take; what does not fit is refused",
    reload: false,
  },
  "learning.csv": {
    rule: "a mapping with file and label",
    hint: "leave it out to train on the generated glyphs",
    reload: false,
  },
  "learning.csv.file": {
    rule: "an absolute path",
    hint: "name a CSV file with a header row",
    reload: false,
  },
  "learning.csv.label": {
    rule: "the name of a column, 1 to 128 characters",
    hint: "copy the column's name from the header row",
    reload: false,
  },
  "healing.mode": {
    rule: "act or advise",
    hint: "advise writes down what healing would do, and does nothing",
    reload: true,
  },
  "healing.playbooks": {
    rule: "an absolute path",
    hint: "name a file of playbooks: docs/healing.md; it is read again at each reload",
    reload: true,
  },
  "healing.actions_at_once": {
    rule: `a whole number from ${configLimits.healingActionsAtOnce.min} to ${configLimits.healingActionsAtOnce.max}`,
    hint: "how many actions of healing may be under way on this node",
    reload: false,
  },
  "healing.actions_per_window": {
    rule: `a whole number from ${configLimits.healingActionsPerWindow.min} to ${configLimits.healingActionsPerWindow.max}`,
    hint: "how many actions of healing may begin within ten minutes",
    reload: false,
  },
  "healing.mesh_share": {
    rule: "a number above 0 and at most 0.5",
    hint: "which part of the mesh may be under disruptive repair at once; one node always may",
    reload: false,
  },
  "healing.halt_share": {
    rule: "a number above 0 and at most 0.5",
    hint: "while a greater part of the mesh is unwell, nothing disruptive is done",
    reload: false,
  },
  "healing.flap_window": {
    rule: "a duration from 1s to 24h",
    hint: "within this nothing is set back to what it was before it was changed",
    reload: false,
  },
  "telemetry.metrics.listen": {
    rule: "host:port with a port from 0 to 65535, or off",
    hint: "write 127.0.0.1:9464, [::1]:9464 or off; quote it when it starts with a bracket",
    reload: false,
  },
  "telemetry.log.level": {
    rule: "debug, info, warn or error",
    hint: "info tells what an operator needs",
    reload: true,
  },
  "telemetry.log.format": {
    rule: "json or pretty",
    hint: "json for machines, pretty for a terminal",
    reload: false,
  },
  "telemetry.tracing.endpoint": {
    rule: "an http or https URL without user, password and fragment, or off",
    hint: "write http://127.0.0.1:4318/v1/traces or off; credentials go into telemetry.tracing.headers_file",
    reload: false,
  },
  "telemetry.tracing.sample_ratio": {
    rule: "a number from 0 to 1",
    hint: "1 records every trace, 0.1 one in ten",
    reload: false,
  },
  "telemetry.tracing.beacon_sample_ratio": {
    rule: "a number from 0 to 1",
    hint: "0.001 records one beacon in a thousand; there may be thousands a second",
    reload: false,
  },
  "telemetry.tracing.headers_file": {
    rule: "an absolute path",
    hint: "name a file with one header a line, such as authorization: Bearer …",
    reload: false,
  },
};
