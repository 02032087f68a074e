// The configuration as a file would have to say it in full, and where each value comes from.

import { type Config, valueOfKey } from "./config.ts";
import { durationText } from "./duration.ts";
import { parseConfig, rawConfig } from "./parse.ts";
import type { MetricsListen, TcpAddress } from "./schema.ts";

/** A value that JSON can hold. */
export type ConfigValue =
  | string
  | number
  | boolean
  | null
  | readonly ConfigValue[]
  | { readonly [key: string]: ConfigValue };

/** One key of the file. */
export interface EffectiveKey {
  /** Path in the file, such as `mesh.listen`. */
  readonly key: string;
  /** As the file would say it. */
  readonly value: ConfigValue;
  readonly origin: "file" | "default";
}

/** Keys that the file gives as a text and the program keeps as something else. */
const asInFile: Readonly<Record<string, (value: never) => ConfigValue>> = {
  "mesh.heartbeat_interval": durationText,
  "mesh.relay_time": durationText,
  "identity.svid_lifetime": durationText,
  "identity.clock_skew": durationText,
  "healing.flap_window": durationText,
  "identity.issuer_grace": durationText,
  "identity.authority_lifetime": (ms: number | undefined) =>
    ms === undefined ? "off" : durationText(ms),
  "identity.authority_prepare": durationText,
  "telemetry.metrics.listen": (listen: MetricsListen) =>
    listen === "off" ? listen : addressText(listen),
  policy: (rules: Config["policy"]) =>
    rules.map(({ spiffe, allow, roles }) => ({
      ...{ spiffe, allow },
      ...(roles.length > 0 ? { roles } : {}),
    })),
  "attestors.x509pop": (pop: Config["attestors"]["x509pop"]) => pop && { ca: pop.caFile },
  "attestors.k8s_psat": (psat: Config["attestors"]["k8sPsat"]) =>
    psat && {
      ...{ cluster: psat.cluster, api_server: psat.apiServer, ca: psat.caFile },
      ...{ token: psat.tokenFile, audience: psat.audience },
      service_accounts: psat.serviceAccounts,
    },
  "attestors.aws_iid": (iid: Config["attestors"]["awsIid"]) =>
    iid && {
      ...{ certificates: iid.certificatesFile, accounts: iid.accounts, regions: iid.regions },
    },
  "federation.listen": (listen: MetricsListen) => (listen === "off" ? listen : addressText(listen)),
  "tunnel.expose": (exposed: Config["tunnel"]["expose"]) =>
    exposed.map(({ port, target }) => ({ port, to: addressText(target) })),
  "tunnel.forward": (forwards: Config["tunnel"]["forward"]) =>
    forwards.map(({ listen, peer, remotePort }) => ({
      ...{ listen: addressText(listen), peer, port: remotePort },
    })),
};

function addressText({ host, port }: TcpAddress): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/**
 * Every key of a file's text with its value, in the order of the file's schema.
 * @throws ConfigError `config/invalid`
 */
export function effectiveConfig(yamlText: string, filename: string): EffectiveKey[] {
  const config = parseConfig(yamlText, filename);
  const raw = rawConfig(yamlText, filename);
  return Object.entries(valueOfKey).map(([key, read]) => ({
    key,
    value: fileValue(key, read, config),
    origin: isGiven(raw, key.split(".")) ? "file" : "default",
  }));
}

function fileValue(key: string, read: (config: Config) => unknown, config: Config): ConfigValue {
  const value = read(config) as never;
  return asInFile[key]?.(value) ?? value;
}

/** A section without content counts as absent, as it does for the schema. */
function isGiven(raw: unknown, path: readonly string[]): boolean {
  const [name, ...rest] = path;
  if (name === undefined) return raw !== undefined;
  if (typeof raw !== "object" || raw === null || !Object.hasOwn(raw, name)) return false;
  return isGiven((raw as Record<string, unknown>)[name], rest);
}
