// The checks of `meshctl doctor`: each takes facts and gives one finding under a stable code. Pure, so each is tested
// on both sides of its threshold. A finding that is not ok ends in a fix that the operator can carry out.

import { isIPv4, isIPv6 } from "node:net";
import type { CheckStatus, DoctorCheck } from "../../control/index.ts";
import type { BindFacts, DaemonFacts, FileFacts, HostFacts, StateFacts } from "./facts.ts";

export type DoctorCode =
  | "doctor/daemon"
  | "doctor/config"
  | "doctor/state"
  | "doctor/disk"
  | "doctor/permissions"
  | "doctor/socket"
  | "doctor/clock"
  | "doctor/listen"
  | "doctor/metrics"
  | "doctor/nat"
  | "doctor/open-files"
  | "doctor/engine"
  | "doctor/node"
  | "doctor/svid"
  | "doctor/peers";

/** A state of a few megabytes is rewritten whole by a backup and by a migration; below this there is no room for it. */
export const DISK_FREE_BYTES_FAIL = 16 * 2 ** 20;
export const DISK_FREE_BYTES_WARN = 256 * 2 ** 20;
/** Descriptors beside those of connections: database, sockets, listeners, threads. */
const OPEN_FILES_BASE = 128;
/** A mesh holds up to four times its target while peers dial one another, each maybe twice for a moment. */
const OPEN_FILES_PER_CONNECTION = 8;

const check =
  (code: DoctorCode, status: CheckStatus) =>
  (finding: string, fix: string | null = null): DoctorCheck => ({ code, status, finding, fix });

export function checkConfig({ config }: HostFacts): DoctorCheck {
  if (config.problem !== undefined)
    return check("doctor/config", "fail")(
      config.problem,
      `Correct ${config.file}: meshctl config check ${config.file} names every problem.`,
    );
  if (config.restartPending.length > 0)
    return check("doctor/config", "warn")(
      `${config.file} is in order, but changed in keys that need a restart: ${config.restartPending.join(", ")}.`,
      "Restart the daemon: systemctl restart meshd.",
    );
  return check("doctor/config", "ok")(`${config.file} is in order.`);
}

export function checkState({ directory, problem }: StateFacts): DoctorCheck {
  if (problem === "ENOENT")
    return check("doctor/state", "warn")(
      `${directory} does not exist yet.`,
      "Start meshd once: it makes the directory. Or correct state_dir.",
    );
  return problem === undefined
    ? check("doctor/state", "ok")(`${directory} can be written.`)
    : check("doctor/state", "fail")(
        `${directory} cannot be written (${problem}).`,
        "Give it to the daemon's user: chown -R meshd:meshd on it. With EROFS, mount it for writing.",
      );
}

export function checkDisk({ directory, freeBytes }: StateFacts): DoctorCheck {
  if (freeBytes === undefined)
    return check("doctor/disk", "unknown")(`The free space of ${directory} cannot be read.`);
  const text = `${Math.floor(freeBytes / 2 ** 20)} MiB are free for ${directory}.`;
  if (freeBytes >= DISK_FREE_BYTES_WARN) return check("doctor/disk", "ok")(text);
  return check("doctor/disk", freeBytes < DISK_FREE_BYTES_FAIL ? "fail" : "warn")(
    text,
    "Free space on this disk: a daemon that cannot write keeps nothing over a restart.",
  );
}

/** Keys and state belong to one user alone. */
export function checkPermissions({ files }: StateFacts): DoctorCheck {
  const [directory] = files;
  if (directory === undefined)
    return check(
      "doctor/permissions",
      "unknown",
    )("There is no state to look at, or it is closed to this user.");
  const open = files.filter(({ mode }) => (mode & 0o077) !== 0);
  const foreign = files.filter(({ uid }) => uid !== directory.uid);
  const say = check(
    "doctor/permissions",
    open.some(isSecret) || foreign.length > 0 ? "fail" : "warn",
  );
  if (foreign.length > 0)
    return say(
      `${names(foreign)} belongs to another user than ${directory.path}.`,
      `Run chown -R --reference=${directory.path} ${directory.path}.`,
    );
  if (open.length > 0)
    return say(
      `${names(open)} is open to other users.`,
      `Run chmod -R go= ${directory.path}. If others had access, make a new identity.`,
    );
  return check(
    "doctor/permissions",
    "ok",
  )(`${files.length} files and directories belong to one user alone.`);
}

const isSecret = ({ path }: FileFacts): boolean => path.endsWith(".seed");
const names = (files: readonly FileFacts[]): string =>
  files
    .slice(0, 3)
    .map(({ path }) => path)
    .join(", ") + (files.length > 3 ? ` and ${files.length - 3} more` : "");

/** Whoever may open the socket may do everything. */
export function checkSocket({ socket }: HostFacts): DoctorCheck {
  if (socket === undefined)
    return check(
      "doctor/socket",
      "unknown",
    )("There is no control socket, or it is closed to this user.");
  return (socket.mode & 0o007) === 0
    ? check("doctor/socket", "ok")(`${socket.path} is for its user and group alone.`)
    : check("doctor/socket", "fail")(
        `Every user of this host may open ${socket.path}, and so control the daemon.`,
        `Run chmod o= ${socket.path} and find out what changed it: the daemon makes it without.`,
      );
}

export function checkClock({ clockSynchronised }: HostFacts): DoctorCheck {
  if (clockSynchronised === undefined)
    return check(
      "doctor/clock",
      "unknown",
    )("The host does not say whether its clock is synchronised.");
  return clockSynchronised
    ? check("doctor/clock", "ok")("The clock is synchronised.")
    : check("doctor/clock", "warn")(
        "The clock is not synchronised: certificates seem expired or not yet valid when it is off.",
        "Turn on a time service: timedatectl set-ntp true, or install chrony.",
      );
}

/** Without a daemon: whether it could listen. */
export function checkBind(addresses: readonly BindFacts[]): DoctorCheck {
  const taken = addresses.filter(({ problem }) => problem !== undefined);
  if (taken.length === 0)
    return check(
      "doctor/listen",
      "ok",
    )(`${addresses.map(({ address }) => address).join(", ")} can be bound.`);
  return check("doctor/listen", "fail")(
    taken
      .map(({ address, problem }) => `${address} cannot be bound (${problem ?? ""})`)
      .join("; ") + ".",
    "With EADDRINUSE free the port (ss -ltnp shows its owner) or change mesh.listen or telemetry.metrics.listen; with EADDRNOTAVAIL use an address of this host.",
  );
}

export function checkListen({ status: { node } }: DaemonFacts): DoctorCheck {
  if (node.state === "unenrolled")
    return check("doctor/listen", "unknown")("A node that is in no mesh does not listen yet.");
  return node.addresses.length > 0
    ? check("doctor/listen", "ok")(`Peers are told ${node.addresses.map(bare).join(", ")}.`)
    : check("doctor/listen", "fail")(
        "The node has no address that it could tell its peers.",
        "Correct mesh.listen or mesh.announce and restart the daemon.",
      );
}

/** An address without the PeerId, which is the same in all. */
const bare = (address: string): string => address.replace(/\/p2p\/[^/]+$/, "");

export function checkMetrics({ status: { node }, metricsWanted }: DaemonFacts): DoctorCheck {
  if (node.metricsAddress !== null)
    return check("doctor/metrics", "ok")(`Metrics are served on ${node.metricsAddress}.`);
  return metricsWanted
    ? check("doctor/metrics", "fail")(
        "Metrics are wanted, but nothing serves them.",
        "Look for telemetry/port-taken in the log and restart the daemon.",
      )
    : check("doctor/metrics", "warn")(
        "Metrics are off: nothing can alert when this node fails.",
        "Set telemetry.metrics.listen, such as 127.0.0.1:9464.",
      );
}

/** Peers see this node under an address that it does not tell: a translation is in between. */
export function checkNat({ status: { node, peers }, observedIps }: DaemonFacts): DoctorCheck {
  const told = node.addresses.map(hostOf).filter((host) => host !== undefined);
  if (observedIps.length === 0)
    return check(
      "doctor/nat",
      "unknown",
    )(
      peers.length === 0
        ? "No peer has told how it sees this node."
        : "No peer tells its view of this node.",
    );
  if (told.some((host) => !isIPv4(host) && !isIPv6(host)))
    return check("doctor/nat", "ok")(`The node tells a name; peers see ${observedIps.join(", ")}.`);
  const unknown = observedIps.filter((ip) => !told.includes(ip));
  return unknown.length === 0
    ? check("doctor/nat", "ok")(`Peers see ${observedIps.join(", ")}, which the node tells too.`)
    : check("doctor/nat", "warn")(
        `Peers see ${unknown.join(", ")}, the node tells ${[...new Set(told)].join(", ")}: there is a NAT in between.`,
        "Forward the port and name the outer address in mesh.announce, or let this node only dial out.",
      );
}

const hostOf = (address: string): string | undefined =>
  /^\/(?:ip[46]|dns[46]?)\/([^/]+)/.exec(address)?.[1];

export function checkOpenFiles({ openFilesMax, connectionsTarget }: DaemonFacts): DoctorCheck {
  const needed = OPEN_FILES_BASE + OPEN_FILES_PER_CONNECTION * connectionsTarget;
  if (openFilesMax === undefined)
    return check("doctor/open-files", "unknown")("The limit of open files cannot be read.");
  return openFilesMax >= needed
    ? check(
        "doctor/open-files",
        "ok",
      )(`${openFilesMax} files may be open; ${needed} may be needed.`)
    : check("doctor/open-files", "fail")(
        `Only ${openFilesMax} files may be open; mesh.connections_target needs up to ${needed}.`,
        `Set LimitNOFILE=${needed} in the unit, or lower mesh.connections_target.`,
      );
}

export function checkEngine({ status: { node } }: DaemonFacts): DoctorCheck {
  return node.engine === "noble"
    ? check("doctor/engine", "warn")(
        "The crypto engine is noble, pure JavaScript: signatures are a hundred times slower.",
        "Set crypto.engine to auto and restart the daemon.",
      )
    : check(
        "doctor/engine",
        "ok",
      )(`The crypto engine is ${node.engine}, and it passed its self-test.`);
}

export function checkNode({ status: { node, health } }: DaemonFacts): DoctorCheck {
  const errors = health.filter(({ severity }) => severity === "error");
  const [first = health.find(({ severity }) => severity === "warning")] = errors;
  if (node.state === "unenrolled" && errors.length === 0)
    return check("doctor/node", "warn")(
      "The node is in no mesh.",
      "Run meshctl init on the first host, or meshctl join TOKEN on a further one.",
    );
  return first === undefined
    ? check("doctor/node", "ok")(`The node is ${node.state}, version ${node.version}.`)
    : check("doctor/node", errors.length > 0 ? "fail" : "warn")(
        `${first.code}: ${first.message}`,
        "Do what it says; meshctl status shows all of it.",
      );
}

export function checkSvid({ status: { svid } }: DaemonFacts, nowMs: number): DoctorCheck {
  if (svid === null) return check("doctor/svid", "unknown")("The node has no certificate yet.");
  const notAfterMs = Date.parse(svid.notAfter);
  const renewAtMs = Date.parse(svid.renewAt);
  const notBeforeMs = Date.parse(svid.notBefore);
  if (nowMs < notBeforeMs)
    return check("doctor/svid", "fail")(
      `The certificate is valid from ${second(svid.notBefore)}: this host's clock is behind the issuer's.`,
      "Set the clock right, then restart the daemon.",
    );
  if (nowMs >= notAfterMs && nowMs < Date.parse(svid.graceEnd))
    return check("doctor/svid", "warn")(
      `The certificate expired at ${second(svid.notAfter)}; peers take it until ${second(svid.graceEnd)}.`,
      "Bring an issuer back: meshctl peers shows whether it is connected.",
    );
  if (nowMs >= notAfterMs)
    return check("doctor/svid", "fail")(
      `The certificate expired at ${second(svid.notAfter)}: no peer accepts it.`,
      "Join again: meshctl token create on an issuer, then meshctl join TOKEN here.",
    );
  // A renewal is tried again all the time: half of what is left after its time is patience enough.
  return nowMs < renewAtMs + (notAfterMs - renewAtMs) / 2
    ? check(
        "doctor/svid",
        "ok",
      )(
        `The certificate is valid until ${second(svid.notAfter)}, renewal at ${second(svid.renewAt)}.`,
      )
    : check("doctor/svid", "warn")(
        `The certificate should have been renewed at ${second(svid.renewAt)} and expires at ${second(svid.notAfter)}.`,
        "Bring an issuer back: meshctl peers shows whether it is connected.",
      );
}

/** An ISO time to the second. */
const second = (iso: string): string => `${iso.slice(0, 19)}Z`;

export function checkPeers({ status: { node, peers } }: DaemonFacts): DoctorCheck {
  if (node.state === "unenrolled")
    return check("doctor/peers", "unknown")("A node that is in no mesh has no peers.");
  const present = peers.filter(({ state }) => state !== "left");
  const connected = present.filter((peer) => peer.connected).length;
  const failing = present.filter((peer) => !peer.connected && peer.lastErrorCode !== null);
  const text = `${connected} of ${present.length} peers are connected.`;
  if (present.length === 0)
    return check("doctor/peers", node.roles.includes("issuer") ? "ok" : "warn")(
      "No peer is known.",
      node.roles.includes("issuer")
        ? null
        : "Check that an issuer runs and its port is open, and mesh.bootstrap if there is one.",
    );
  const reasons = [...new Set(failing.map((peer) => peer.lastErrorCode))].join(", ");
  const why = reasons === "" ? "" : ` Last errors: ${reasons}.`;
  if (connected === 0)
    return check("doctor/peers", "fail")(
      text + why,
      "Check the network and firewalls: nc -vz ADDRESS PORT with an address of meshctl beacons.",
    );
  return failing.length === 0
    ? check("doctor/peers", "ok")(text)
    : check("doctor/peers", "warn")(text + why, "meshctl peers names those that are not.");
}
