// The configuration that the rest of the daemon sees: units in the names, nothing optional by accident.

import type { attestorTypes, PolicyRight } from "./keys.ts";
import type { ConfigFile, MetricsListen, TcpAddress } from "./schema.ts";

/** Where an exposed port leads unless the file says otherwise. */
const LOOPBACK = "127.0.0.1";

/**
 * One rule of the authorisation policy: who matches `spiffe` may do what `allow` lists.
 * A trust domain written as `*` stands for the node's own, which is not known before it is enrolled.
 */
export interface ConfigPolicyRule {
  readonly spiffe: string;
  readonly allow: readonly PolicyRight[];
  /** Names of {@link ConfigRole}s whose rights it gives as well. */
  readonly roles: readonly string[];
}

/** Rights under one name. */
export interface ConfigRole {
  readonly name: string;
  readonly allow: readonly PolicyRight[];
}

/** The validated, deeply frozen configuration. */
export interface Config {
  readonly stateDir: string;
  readonly control: { readonly socket: string };
  readonly mesh: {
    /** Multiaddrs, at least one. */
    readonly listen: readonly string[];
    /** Multiaddrs; empty: announce what the node listens on. */
    readonly announce: readonly string[];
    readonly bootstrap: readonly string[];
    readonly mdns: boolean;
    readonly relay: "auto" | "server" | "client" | "off";
    readonly relayReservations: number;
    readonly relayTimeMs: number;
    readonly relayMebibytes: number;
    /** Whether models and tunnels may go through relays. */
    readonly relayBulk: boolean;
    readonly upnp: boolean;
    readonly zone: string;
    readonly handshakePolicy: "pq-required" | "interop";
    readonly heartbeatIntervalMs: number;
    readonly connectionsTarget: number;
  };
  readonly crypto: { readonly engine: "auto" | "wasm" | "native" | "noble" };
  readonly identity: {
    readonly svidLifetimeMs: number;
    readonly clockSkewMs: number;
    /** How long past its end an SVID still counts, for times without any issuer. */
    readonly issuerGraceMs: number;
    readonly source: "issuer" | "workload-api";
    /** Of the Workload API; `null`: the environment says it. */
    readonly socket: string | null;
    /** On issuers; no lifetime: authorities are replaced by hand alone. */
    readonly rotation: { readonly lifetimeMs: number | undefined; readonly prepareMs: number };
  };
  /** How this node joins without a token. */
  readonly join: {
    readonly anchor: string | null;
    readonly attestor: "off" | (typeof attestorTypes)[number];
    /** PEM files, for x509pop. */
    readonly certificateFile: string | null;
    readonly keyFile: string | null;
    /** A projected service account token, for k8s_psat. */
    readonly tokenFile: string;
    /** Of the instance metadata service, for aws_iid. */
    readonly metadataUrl: string;
  };
  /** By what nodes may join here; `null`: not by that. */
  readonly attestors: {
    readonly x509pop: { readonly caFile: string } | null;
    readonly k8sPsat: {
      readonly cluster: string;
      readonly apiServer: string;
      readonly caFile: string;
      readonly tokenFile: string;
      readonly audience: string;
      readonly serviceAccounts: readonly string[];
    } | null;
    readonly awsIid: {
      readonly certificatesFile: string;
      readonly accounts: readonly string[];
      readonly regions: readonly string[];
    } | null;
  };
  readonly federation: {
    /** Where the trust bundle is served. */
    readonly listen: MetricsListen;
    readonly profile: "https_web" | "https_spiffe";
    /** PEM files; both are there when it is served by https_web. */
    readonly certificateFile: string | null;
    readonly keyFile: string | null;
  };
  readonly audit: { readonly bytesMax: number };
  readonly roles: readonly ConfigRole[];
  readonly workloadApi: {
    /** The socket's path, or `off`. */
    readonly socket: string;
  };
  readonly policy: readonly ConfigPolicyRule[];
  readonly tunnel: {
    /** TCP ports of this host that peers may reach, by the port they name. */
    readonly expose: readonly { readonly port: number; readonly target: TcpAddress }[];
    /** TCP ports of this host that lead to a peer's; a listening port 0 lets the system choose. */
    readonly forward: readonly {
      readonly listen: TcpAddress;
      readonly peer: string;
      readonly remotePort: number;
    }[];
  };
  readonly learning: {
    readonly enabled: boolean;
    /** Laboratories only: the node poisons its updates when a task asks for it. */
    readonly adversary: boolean;
    /** For updates and models of certified rounds. */
    readonly memoryBytes: number;
    /** `null`: train on the generated glyphs. */
    readonly csv: { readonly file: string; readonly label: string } | null;
  };
  readonly healing: {
    /** `advise`: what would be done is said, and nothing is done. */
    readonly mode: "act" | "advise";
    /** The operator's playbooks; `null`: only those that ship. */
    readonly playbooks: string | null;
    readonly guards: {
      readonly actionsAtOnce: number;
      readonly actionsPerWindow: number;
      readonly meshShareMax: number;
      readonly haltShare: number;
      readonly flapWindowMs: number;
    };
  };
  readonly telemetry: {
    readonly metrics: { readonly listen: MetricsListen };
    readonly log: {
      readonly level: "debug" | "info" | "warn" | "error";
      readonly format: "json" | "pretty";
    };
    readonly tracing: {
      /** An http or https URL, or `off`. */
      readonly endpoint: string;
      /** Shares of traces, in [0, 1]. */
      readonly sampleRatio: number;
      readonly beaconSampleRatio: number;
      /** `null`: the collector asks for no headers. */
      readonly headersFile: string | null;
    };
  };
}

/** The frozen configuration of a checked file. */
export function configOf(file: ConfigFile): Config {
  return deepFreeze<Config>({
    stateDir: file.state_dir,
    control: { socket: file.control.socket },
    mesh: {
      listen: file.mesh.listen,
      announce: file.mesh.announce,
      bootstrap: file.mesh.bootstrap,
      mdns: file.mesh.mdns,
      relay: file.mesh.relay,
      relayReservations: file.mesh.relay_reservations,
      relayTimeMs: file.mesh.relay_time,
      relayMebibytes: file.mesh.relay_mebibytes,
      relayBulk: file.mesh.relay_bulk,
      upnp: file.mesh.upnp,
      zone: file.mesh.zone,
      handshakePolicy: file.mesh.handshake_policy,
      heartbeatIntervalMs: file.mesh.heartbeat_interval,
      connectionsTarget: file.mesh.connections_target,
    },
    crypto: { engine: file.crypto.engine },
    identity: {
      svidLifetimeMs: file.identity.svid_lifetime,
      clockSkewMs: file.identity.clock_skew,
      issuerGraceMs: file.identity.issuer_grace,
      source: file.identity.source,
      socket: file.identity.socket ?? null,
      rotation: {
        lifetimeMs:
          file.identity.authority_lifetime === "off" ? undefined : file.identity.authority_lifetime,
        prepareMs: file.identity.authority_prepare,
      },
    },
    join: {
      anchor: file.join.anchor ?? null,
      attestor: file.join.attestor,
      certificateFile: file.join.certificate ?? null,
      keyFile: file.join.key ?? null,
      tokenFile: file.join.token,
      metadataUrl: file.join.metadata,
    },
    attestors: attestorsOf(file.attestors),
    workloadApi: { socket: file.workload_api.socket },
    federation: {
      listen: file.federation.listen,
      profile: file.federation.profile,
      certificateFile: file.federation.certificate ?? null,
      keyFile: file.federation.key ?? null,
    },
    audit: { bytesMax: file.audit.keep_mebibytes * 1024 * 1024 },
    roles: file.roles,
    policy: file.policy.map(({ spiffe, allow = [], roles = [] }) => ({ spiffe, allow, roles })),
    tunnel: {
      expose: file.tunnel.expose.map(({ port, to }) => ({
        port,
        target: to ?? { host: LOOPBACK, port },
      })),
      forward: file.tunnel.forward.map(({ listen, peer, port }) => ({
        listen,
        peer,
        remotePort: port,
      })),
    },
    learning: {
      enabled: file.learning.enabled,
      adversary: file.learning.adversary,
      memoryBytes: file.learning.memory_mebibytes * 1024 * 1024,
      csv: file.learning.csv ?? null,
    },
    healing: {
      mode: file.healing.mode,
      playbooks: file.healing.playbooks ?? null,
      guards: {
        actionsAtOnce: file.healing.actions_at_once,
        actionsPerWindow: file.healing.actions_per_window,
        meshShareMax: file.healing.mesh_share,
        haltShare: file.healing.halt_share,
        flapWindowMs: file.healing.flap_window,
      },
    },
    telemetry: {
      metrics: { listen: file.telemetry.metrics.listen },
      log: { level: file.telemetry.log.level, format: file.telemetry.log.format },
      tracing: {
        endpoint: file.telemetry.tracing.endpoint,
        sampleRatio: file.telemetry.tracing.sample_ratio,
        beaconSampleRatio: file.telemetry.tracing.beacon_sample_ratio,
        headersFile: file.telemetry.tracing.headers_file ?? null,
      },
    },
  });
}

function attestorsOf({ x509pop, k8s_psat, aws_iid }: ConfigFile["attestors"]): Config["attestors"] {
  return {
    x509pop: x509pop === undefined ? null : { caFile: x509pop.ca },
    k8sPsat:
      k8s_psat === undefined
        ? null
        : {
            cluster: k8s_psat.cluster,
            apiServer: k8s_psat.api_server,
            caFile: k8s_psat.ca,
            tokenFile: k8s_psat.token,
            audience: k8s_psat.audience,
            serviceAccounts: k8s_psat.service_accounts,
          },
    awsIid:
      aws_iid === undefined
        ? null
        : {
            certificatesFile: aws_iid.certificates,
            accounts: aws_iid.accounts,
            regions: aws_iid.regions,
          },
  };
}

/** Where each key of the file went. A list or mapping counts as one value. */
export const valueOfKey: Readonly<Record<string, (config: Config) => unknown>> = {
  state_dir: (config) => config.stateDir,
  "control.socket": (config) => config.control.socket,
  "mesh.listen": (config) => config.mesh.listen,
  "mesh.announce": (config) => config.mesh.announce,
  "mesh.bootstrap": (config) => config.mesh.bootstrap,
  "mesh.mdns": (config) => config.mesh.mdns,
  "mesh.relay": (config) => config.mesh.relay,
  "mesh.relay_reservations": (config) => config.mesh.relayReservations,
  "mesh.relay_time": (config) => config.mesh.relayTimeMs,
  "mesh.relay_mebibytes": (config) => config.mesh.relayMebibytes,
  "mesh.relay_bulk": (config) => config.mesh.relayBulk,
  "mesh.upnp": (config) => config.mesh.upnp,
  "mesh.zone": (config) => config.mesh.zone,
  "mesh.handshake_policy": (config) => config.mesh.handshakePolicy,
  "mesh.heartbeat_interval": (config) => config.mesh.heartbeatIntervalMs,
  "mesh.connections_target": (config) => config.mesh.connectionsTarget,
  "crypto.engine": (config) => config.crypto.engine,
  "identity.svid_lifetime": (config) => config.identity.svidLifetimeMs,
  "identity.clock_skew": (config) => config.identity.clockSkewMs,
  "identity.issuer_grace": (config) => config.identity.issuerGraceMs,
  "identity.source": (config) => config.identity.source,
  "identity.socket": (config) => config.identity.socket,
  "identity.authority_lifetime": (config) => config.identity.rotation.lifetimeMs,
  "identity.authority_prepare": (config) => config.identity.rotation.prepareMs,
  "join.anchor": (config) => config.join.anchor,
  "join.attestor": (config) => config.join.attestor,
  "join.certificate": (config) => config.join.certificateFile,
  "join.key": (config) => config.join.keyFile,
  "join.token": (config) => config.join.tokenFile,
  "join.metadata": (config) => config.join.metadataUrl,
  "attestors.x509pop": (config) => config.attestors.x509pop,
  "attestors.k8s_psat": (config) => config.attestors.k8sPsat,
  "attestors.aws_iid": (config) => config.attestors.awsIid,
  "federation.listen": (config) => config.federation.listen,
  "federation.profile": (config) => config.federation.profile,
  "federation.certificate": (config) => config.federation.certificateFile,
  "federation.key": (config) => config.federation.keyFile,
  "audit.keep_mebibytes": (config) => config.audit.bytesMax / (1024 * 1024),
  roles: (config) => config.roles,
  "workload_api.socket": (config) => config.workloadApi.socket,
  policy: (config) => config.policy,
  "tunnel.expose": (config) => config.tunnel.expose,
  "tunnel.forward": (config) => config.tunnel.forward,
  "learning.enabled": (config) => config.learning.enabled,
  "learning.adversary": (config) => config.learning.adversary,
  "learning.memory_mebibytes": (config) => config.learning.memoryBytes / (1024 * 1024),
  "learning.csv": (config) => config.learning.csv,
  "healing.mode": (config) => config.healing.mode,
  "healing.playbooks": (config) => config.healing.playbooks,
  "healing.actions_at_once": (config) => config.healing.guards.actionsAtOnce,
  "healing.actions_per_window": (config) => config.healing.guards.actionsPerWindow,
  "healing.mesh_share": (config) => config.healing.guards.meshShareMax,
  "healing.halt_share": (config) => config.healing.guards.haltShare,
  "healing.flap_window": (config) => config.healing.guards.flapWindowMs,
  "telemetry.metrics.listen": (config) => config.telemetry.metrics.listen,
  "telemetry.log.level": (config) => config.telemetry.log.level,
  "telemetry.log.format": (config) => config.telemetry.log.format,
  "telemetry.tracing.endpoint": (config) => config.telemetry.tracing.endpoint,
  "telemetry.tracing.sample_ratio": (config) => config.telemetry.tracing.sampleRatio,
  "telemetry.tracing.beacon_sample_ratio": (config) => config.telemetry.tracing.beaconSampleRatio,
  "telemetry.tracing.headers_file": (config) => config.telemetry.tracing.headersFile,
};

/** The keys in which two configurations differ, in the order of the file. */
export function changedKeys(before: Config, after: Config): string[] {
  return Object.entries(valueOfKey)
    .filter(([, value]) => JSON.stringify(value(before)) !== JSON.stringify(value(after)))
    .map(([key]) => key);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}
