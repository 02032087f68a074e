// The shape of meshd.yml and its defaults: the only place either is written down.
// What is said to an operator about a broken key is in keys.ts.

import { isAbsolute } from "node:path";
import { multiaddr } from "@multiformats/multiaddr";
import * as z from "zod";
import { durationMs } from "./duration.ts";
import { attestorTypes, configLimits, isPolicyRight, type PolicyRight } from "./keys.ts";

const absolutePath = (bytesMax: number): z.ZodString =>
  z
    .string()
    .refine(
      (path) => isAbsolute(path) && !path.includes("\0") && Buffer.byteLength(path) <= bytesMax,
    );

const duration = (limits: { readonly min: number; readonly max: number }) =>
  z.string().transform((text, context) => {
    const ms = durationMs(text);
    if (ms !== undefined && ms >= limits.min && ms <= limits.max) return ms;
    context.addIssue({ code: "custom" });
    return z.NEVER;
  });

const bounded = ({ min, max }: { readonly min: number; readonly max: number }) =>
  z.int().min(min).max(max);

function isTcpAddress(text: string): boolean {
  try {
    return multiaddr(text)
      .getComponents()
      .some(({ name }) => name === "tcp");
  } catch {
    // The parser throws for anything that is no multiaddr: that is the answer.
    return false;
  }
}
const addresses = z.array(z.string().max(512).refine(isTcpAddress)).max(configLimits.addressesMax);

const right = z.custom<PolicyRight>((text) => typeof text === "string" && isPolicyRight(text));
const rights = z.array(right).refine((list) => new Set(list).size === list.length);
const roleName = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/);
const role = z.strictObject({ name: roleName, allow: rights });
const rule = z
  .strictObject({
    spiffe: z
      .string()
      .max(2048)
      .regex(
        /^unauthenticated$|^local$|^spiffe:\/\/(\*|[a-z0-9._-]{1,255})(\/[A-Za-z0-9._-]+)*(\/\*{1,2})?$/,
      )
      .refine((pattern) => !/\/\.{1,2}(\/|$)/.test(pattern)),
    allow: rights.optional(),
    roles: z
      .array(roleName)
      .refine((list) => new Set(list).size === list.length)
      .optional(),
  })
  .refine(({ allow, roles }) => allow !== undefined || roles !== undefined);

/** A mapping whose keys all have defaults; one with every key commented out (null in YAML) counts as absent. */
const section = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.preprocess((value) => value ?? {}, z.strictObject(shape)).prefault({});

/** A TCP address; for listening, port 0 lets the system choose. */
export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

function tcpAddressOf(text: string): TcpAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9.-]{1,253})):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host !== undefined && port <= configLimits.portMax ? { host, port } : undefined;
}

/** Where metrics are served. */
export type MetricsListen = "off" | TcpAddress;

const metricsListen = z.string().transform((text, context): MetricsListen => {
  const listen = text === "off" ? text : tcpAddressOf(text);
  if (listen !== undefined) return listen;
  context.addIssue({ code: "custom" });
  return z.NEVER;
});

const tcpAddress = z.string().transform((text, context): TcpAddress => {
  const address = tcpAddressOf(text);
  if (address !== undefined) return address;
  context.addIssue({ code: "custom" });
  return z.NEVER;
});
const port = z.int().min(1).max(configLimits.portMax);
const isDistinct = (values: readonly unknown[]): boolean => new Set(values).size === values.length;

const exposed = z.strictObject({
  port,
  to: tcpAddress.refine((target) => target.port > 0).optional(),
});
const forwarded = z.strictObject({
  listen: tcpAddress,
  peer: z.string().min(1).max(configLimits.peerCharsMax),
  port,
});

/** Where spans go. Credentials in the URL are refused: they would be shown wherever the configuration is. */
const traceEndpoint = z
  .string()
  .max(configLimits.endpointCharsMax)
  .refine((text) => {
    if (text === "off") return true;
    if (!/^https?:\/\/[\x21-\x7e]+$/.test(text) || !URL.canParse(text)) return false;
    const { username, password, hash } = new URL(text);
    return username === "" && password === "" && hash === "";
  });
const allowList = (form: RegExp) =>
  z.array(z.string().regex(form)).max(configLimits.allowListMax).refine(isDistinct);
/** Where Kubernetes puts what a pod needs to ask its API server. */
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";
const ratio = z.number().min(0).max(1);
/** Part of the mesh that is put at risk, or taken for a disaster: never none of it, and never more than half. */
const share = z.number().gt(0).max(0.5);

/** The rules of a file that has no `policy`: every node of the trust domain may take part. */
const defaultPolicy: z.input<typeof rule>[] = [
  {
    spiffe: "spiffe://*/node/*",
    allow: ["mesh.join", "beacon.publish", "fl.train", "fl.coordinate"],
  },
];

/** The file's schema: input as YAML gives it, output with durations in milliseconds. */
export const fileSchema = z
  .strictObject({
    state_dir: absolutePath(configLimits.pathBytesMax).default("/var/lib/meshd"),
    control: section({
      socket: absolutePath(configLimits.socketPathBytesMax).default("/run/meshd/control.sock"),
    }),
    mesh: section({
      listen: addresses.min(1).default(["/ip4/0.0.0.0/tcp/4001"]),
      announce: addresses.default([]),
      bootstrap: addresses.default([]),
      mdns: z.boolean().default(true),
      relay: z.enum(["auto", "server", "client", "off"]).default("auto"),
      relay_reservations: bounded(configLimits.relayReservations).default(64),
      relay_time: duration(configLimits.relayTimeMs).prefault("1h"),
      relay_mebibytes: bounded(configLimits.relayMebibytes).default(256),
      relay_bulk: z.boolean().default(false),
      upnp: z.boolean().default(false),
      zone: z
        .string()
        .regex(/^[a-z0-9][a-z0-9-]{0,31}$/)
        .default("default"),
      handshake_policy: z.enum(["pq-required", "interop"]).default("pq-required"),
      heartbeat_interval: duration(configLimits.heartbeatIntervalMs).prefault("1s"),
      connections_target: bounded(configLimits.connectionsTarget).default(16),
    }),
    crypto: section({ engine: z.enum(["auto", "wasm", "native", "noble"]).default("auto") }),
    identity: section({
      svid_lifetime: duration(configLimits.svidLifetimeMs).prefault("24h"),
      clock_skew: duration(configLimits.clockSkewMs).prefault("60s"),
      issuer_grace: duration(configLimits.issuerGraceMs).prefault("0s"),
      source: z.enum(["issuer", "workload-api"]).default("issuer"),
      socket: absolutePath(configLimits.socketPathBytesMax).optional(),
      authority_lifetime: z
        .literal("off")
        .or(duration(configLimits.authorityLifetimeMs))
        .prefault("365d"),
      authority_prepare: duration(configLimits.authorityPrepareMs).prefault("7d"),
    }),
    join: section({
      anchor: z
        .string()
        .max(configLimits.anchorCharsMax)
        .regex(/^x0a1\.[\w-]+$/)
        .optional(),
      attestor: z.enum(["off", ...attestorTypes]).default("off"),
      certificate: absolutePath(configLimits.pathBytesMax).optional(),
      key: absolutePath(configLimits.pathBytesMax).optional(),
      token: absolutePath(configLimits.pathBytesMax).default("/var/run/secrets/tokens/meshd"),
      metadata: z
        .string()
        .max(configLimits.endpointCharsMax)
        .regex(/^http:\/\/[\w.:[\]-]+$/)
        .default("http://169.254.169.254"),
    }),
    attestors: section({
      x509pop: z.strictObject({ ca: absolutePath(configLimits.pathBytesMax) }).optional(),
      k8s_psat: z
        .strictObject({
          cluster: z.string().regex(/^[a-z0-9][a-z0-9-]{0,15}$/),
          api_server: z
            .string()
            .max(configLimits.endpointCharsMax)
            .regex(/^https:\/\/[\w.:[\]-]+$/)
            .default("https://kubernetes.default.svc"),
          ca: absolutePath(configLimits.pathBytesMax).default(`${serviceAccount}/ca.crt`),
          token: absolutePath(configLimits.pathBytesMax).default(`${serviceAccount}/token`),
          audience: z
            .string()
            .regex(/^[\x21-\x7e]{1,128}$/)
            .default("meshd"),
          service_accounts: allowList(/^[a-z0-9-]{1,63}:[a-z0-9.-]{1,63}$/).min(1),
        })
        .optional(),
      aws_iid: z
        .strictObject({
          certificates: absolutePath(configLimits.pathBytesMax),
          accounts: allowList(/^\d{12}$/).min(1),
          regions: allowList(/^[a-z0-9-]{1,32}$/).default([]),
        })
        .optional(),
    }),
    workload_api: section({
      socket: z.literal("off").or(absolutePath(configLimits.socketPathBytesMax)).default("off"),
    }),
    federation: section({
      listen: metricsListen.prefault("off"),
      profile: z.enum(["https_web", "https_spiffe"]).default("https_web"),
      certificate: absolutePath(configLimits.pathBytesMax).optional(),
      key: absolutePath(configLimits.pathBytesMax).optional(),
    }),
    audit: section({ keep_mebibytes: bounded(configLimits.auditMebibytes).default(64) }),
    roles: z
      .array(role)
      .max(configLimits.rolesMax)
      .refine((list) => new Set(list.map(({ name }) => name)).size === list.length)
      .default([]),
    policy: z.array(rule).max(configLimits.policyRulesMax).default(defaultPolicy),
    tunnel: section({
      expose: z
        .array(exposed)
        .max(configLimits.tunnelsMax)
        .refine((entries) => isDistinct(entries.map((entry) => entry.port)))
        .default([]),
      forward: z
        .array(forwarded)
        .max(configLimits.tunnelsMax)
        // Port 0 is a new one each time.
        .refine((entries) =>
          isDistinct(entries.map(({ listen }) => listen.port).filter((number) => number > 0)),
        )
        .default([]),
    }),
    learning: section({
      enabled: z.boolean().default(true),
      adversary: z.boolean().default(false),
      memory_mebibytes: bounded(configLimits.learningMebibytes).default(256),
      csv: z
        .strictObject({
          file: absolutePath(configLimits.pathBytesMax),
          label: z.string().min(1).max(128),
        })
        .optional(),
    }),
    healing: section({
      mode: z.enum(["act", "advise"]).default("act"),
      playbooks: absolutePath(configLimits.pathBytesMax).optional(),
      actions_at_once: bounded(configLimits.healingActionsAtOnce).default(2),
      actions_per_window: bounded(configLimits.healingActionsPerWindow).default(12),
      mesh_share: share.default(0.1),
      halt_share: share.default(0.3),
      flap_window: duration(configLimits.flapWindowMs).prefault("5m"),
    }),
    telemetry: section({
      metrics: section({ listen: metricsListen.prefault("127.0.0.1:9464") }),
      log: section({
        level: z.enum(["debug", "info", "warn", "error"]).default("info"),
        format: z.enum(["json", "pretty"]).default("json"),
      }),
      tracing: section({
        endpoint: traceEndpoint.default("off"),
        sample_ratio: ratio.default(1),
        beacon_sample_ratio: ratio.default(0.001),
        headers_file: absolutePath(configLimits.pathBytesMax).optional(),
      }),
    }),
  })
  .superRefine(({ policy, roles, federation, join }, context) => {
    for (const name of ["certificate", "key"] as const)
      if (join.attestor === "x509pop" && join[name] === undefined)
        context.addIssue({ code: "custom", path: ["join", name] });
    if (join.anchor !== undefined && join.attestor === "off")
      context.addIssue({ code: "custom", path: ["join", "attestor"] });
    for (const name of ["certificate", "key"] as const)
      if (federation.listen !== "off" && federation.profile === "https_web" && !federation[name])
        context.addIssue({ code: "custom", path: ["federation", name] });
    const known = new Set(roles.map(({ name }) => name));
    for (const [index, { roles: named = [] }] of policy.entries())
      for (const [at, name] of named.entries())
        if (!known.has(name))
          context.addIssue({ code: "custom", path: ["policy", index, "roles", at] });
  });

export type ConfigFile = z.output<typeof fileSchema>;
