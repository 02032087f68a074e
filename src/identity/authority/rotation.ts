// The life of a trust domain's authorities: prepared -> active -> old -> (tainted ->) gone. An authority is three keys that rotate
// together: the ML-DSA-65 root of nodes, the P-256 root and the JWT key of workloads. Pure: each step gives the next set.
//
// Why at every instant every live SVID validates at every node: an authority is in the bundle before it signs, a node takes the
// newest bundle each time it renews, and `readyAtMs` is past the end of every node's SVID that was issued before it was prepared.
// It leaves the bundle when the last thing that it signed has ended.

import { refuse, ok, type Result } from "../../foundation/index.ts";
import type { WallMs } from "../../ports/index.ts";
import type { RotationRefusal } from "../errors.ts";
import { BUNDLE_AUTHORITIES_MAX, type JwtAuthority } from "../trust-bundle.ts";

export type AuthorityState = "prepared" | "active" | "old" | "tainted";

/** What an authority is in public. */
export interface AuthorityKeys {
  /** Key identifier of the root, lower-case hex. */
  readonly id: string;
  /** ML-DSA-65 root, DER. */
  readonly root: Uint8Array;
  readonly notAfterMs: WallMs;
  /** P-256 root, DER, and its key identifier. */
  readonly workloadRoot: Uint8Array;
  readonly workloadRootId: string;
  readonly jwt: JwtAuthority;
}

export interface Authority extends AuthorityKeys {
  readonly state: AuthorityState;
  /** When it came into its state. */
  readonly sinceMs: WallMs;
  /** When every node that has an SVID has it in its bundle. */
  readonly readyAtMs: WallMs;
  /** No SVID of a node that it signed ends later, and nothing at all that it signed. */
  readonly nodesUntilMs: WallMs;
  readonly signedUntilMs: WallMs;
}

/** All of a trust domain; one of them is active. */
export type AuthoritySet = readonly Authority[];

export interface RotationOptions {
  /** After how long an authority is replaced; undefined: never unattended. */
  readonly lifetimeMs: number | undefined;
  /** How long an authority is published before it signs, at least. */
  readonly prepareMs: number;
  /** How far clocks may differ. */
  readonly clockSkewMs: number;
  /** How much life of a root is needed below it: that of an intermediate. */
  readonly reserveMs: number;
}

type Step = Result<AuthoritySet, RotationRefusal>;

/** The set of a new trust domain. */
export function firstAuthority(keys: AuthorityKeys, nowMs: WallMs): AuthoritySet {
  return [{ ...keys, state: "active", ...times(nowMs) }];
}

export function activeOf(set: AuthoritySet): Authority {
  const active = set.find(({ state }) => state === "active");
  if (active === undefined) throw new TypeError("A set of authorities has an active one.");
  return active;
}

/** Publishes a new authority, which signs nothing yet. */
export function prepare(
  set: AuthoritySet,
  keys: AuthorityKeys,
  nowMs: WallMs,
  options: RotationOptions,
): Step {
  if (set.some(({ state }) => state === "prepared")) return refuse("identity/authority-prepared");
  if (set.length >= BUNDLE_AUTHORITIES_MAX) return refuse("identity/authorities-full");
  const readyAtMs = knownFrom(set, nowMs, options);
  return ok([...set, { ...keys, state: "prepared", ...times(nowMs), readyAtMs }]);
}

/** From when on every node with a live SVID knows what is published now. */
export function knownFrom(set: AuthoritySet, nowMs: WallMs, options: RotationOptions): WallMs {
  const { prepareMs, clockSkewMs } = options;
  const ends = set.map(({ nodesUntilMs }) => nodesUntilMs + clockSkewMs);
  return Math.max(nowMs + prepareMs, ...ends) as WallMs;
}

/** Lets the prepared authority sign. `force`: also before all nodes can have it. */
export function activate(set: AuthoritySet, nowMs: WallMs, force = false): Step {
  const next = set.find(({ state }) => state === "prepared");
  if (next === undefined) return refuse("identity/authority-not-prepared");
  if (!force && nowMs < next.readyAtMs)
    return refuse("identity/authority-not-spread", `${next.readyAtMs}`);
  return ok(
    set.map((one): Authority => {
      if (one === next) return { ...one, state: "active", sinceMs: nowMs };
      return one.state === "active" ? { ...one, state: "old", sinceMs: nowMs } : one;
    }),
  );
}

/** Marks one that signs no longer: what it signed is renewed at once. */
export function taint(set: AuthoritySet, id: string, nowMs: WallMs): Step {
  const found = find(set, id);
  if (!found.ok) return found;
  return ok(
    set.map((one) => (one === found.value ? { ...one, state: "tainted", sinceMs: nowMs } : one)),
  );
}

/** Takes one that signs no longer, or not yet, out of the bundle: what it signed is invalid from then on. */
export function revoke(set: AuthoritySet, id: string): Step {
  const found = find(set, id);
  return found.ok ? ok(set.filter((one) => one !== found.value)) : found;
}

/** Without those that signed no longer and all of whose signatures have ended; undefined when there is none. */
export function expire(
  set: AuthoritySet,
  nowMs: WallMs,
  { clockSkewMs }: RotationOptions,
): AuthoritySet | undefined {
  const left = set.filter(
    ({ state, signedUntilMs }) =>
      state === "active" || state === "prepared" || nowMs <= signedUntilMs + clockSkewMs,
  );
  return left.length < set.length ? left : undefined;
}

/**
 * Notes until when something that the active authority signed is good; undefined when that was known. The bound is moved on by a
 * quarter of the life more than needed, so that it is written a few times in a life and not for each SVID.
 */
export function signed(
  set: AuthoritySet,
  kind: "node" | "workload",
  untilMs: WallMs,
  nowMs: WallMs,
): AuthoritySet | undefined {
  const active = activeOf(set);
  const known = kind === "node" ? active.nodesUntilMs : active.signedUntilMs;
  if (untilMs <= known) return undefined;
  const boundMs = (untilMs + Math.ceil((untilMs - nowMs) / 4)) as WallMs;
  const bounds = {
    signedUntilMs: Math.max(active.signedUntilMs, boundMs) as WallMs,
    ...(kind === "node" && { nodesUntilMs: boundMs }),
  };
  return set.map((one) => (one === active ? { ...one, ...bounds } : one));
}

/** When the active authority is to be replaced: at the end of its lifetime, or before its root is too old to sign for long. */
export function replaceAtMs(set: AuthoritySet, { lifetimeMs, reserveMs }: RotationOptions): WallMs {
  const { sinceMs, notAfterMs } = activeOf(set);
  return Math.min(sinceMs + (lifetimeMs ?? Infinity), notAfterMs - reserveMs) as WallMs;
}

/** What is to be done now when nobody attends. */
export function dueStep(
  set: AuthoritySet,
  nowMs: WallMs,
  options: RotationOptions,
): "prepare" | "activate" | "expire" | undefined {
  if (expire(set, nowMs, options) !== undefined) return "expire";
  if (options.lifetimeMs === undefined) return undefined;
  const atMs = replaceAtMs(set, options);
  const prepared = set.find(({ state }) => state === "prepared");
  if (prepared === undefined)
    return nowMs >= atMs - options.prepareMs && set.length < BUNDLE_AUTHORITIES_MAX
      ? "prepare"
      : undefined;
  return nowMs >= Math.max(atMs, prepared.readyAtMs) ? "activate" : undefined;
}

/** Whether the active authority ends soon and nothing is prepared: for an operator to see. */
export function isEnding(set: AuthoritySet, nowMs: WallMs, options: RotationOptions): boolean {
  const { prepareMs } = options;
  const told = replaceAtMs(set, options) - prepareMs / 2;
  return nowMs >= told && !set.some(({ state }) => state === "prepared");
}

function find(set: AuthoritySet, id: string): Result<Authority, RotationRefusal> {
  const matches = set.filter((one) => one.id.startsWith(id));
  const [found] = matches;
  if (found === undefined || matches.length > 1) return refuse("identity/authority-unknown");
  return found.state === "active" ? refuse("identity/authority-active") : ok(found);
}

function times(
  nowMs: WallMs,
): Pick<Authority, "sinceMs" | "readyAtMs" | "nodesUntilMs" | "signedUntilMs"> {
  return { sinceMs: nowMs, readyAtMs: nowMs, nodesUntilMs: nowMs, signedUntilMs: nowMs };
}
