// TCP through the mesh: ports of this host that peers may reach (exposed), and ports here that lead to a peer's (forwards). A connection is a
// stream of its own on the link to the peer, so it is authenticated and encrypted like everything else. Default deny twice: a port has to be
// exposed, and the policy has to give the peer the right `tunnel.connect:<port>`. Both kinds come by command, for as long as the daemon
// runs, or from the configuration.

import { connect, createServer, type Server, type Socket } from "node:net";
import type { Stream } from "@libp2p/interface";
import { errorCode, errorMessage, MeshError } from "../../foundation/index.ts";
import type { NodeId, PeerIdentity, Right } from "../../identity/index.ts";
import type { Logger, Meter, MetricDeclaration } from "../../ports/index.ts";
import { framedStream } from "../libp2p/exchange.ts";
import type { Network } from "../libp2p/network.ts";
import {
  ANSWER_BYTES,
  encodeAnswer,
  encodeOpening,
  OPENING_BYTES,
  parseAnswer,
  parseOpening,
  refusal,
  TUNNEL_ANSWERS,
  TUNNEL_PROTOCOL,
  type TunnelAnswer,
  type TunnelErrorCode,
} from "./opening.ts";
import { relay, reset } from "./relay.ts";

export const tunnelMetrics: readonly MetricDeclaration[] = [
  {
    name: "meshd_tunnel_connections",
    kind: "gauge",
    help: "Connections relayed now, by who opened them: a peer to a port exposed here, or a program here to a forward.",
    labels: { direction: ["inbound", "outbound"] },
  },
  {
    name: "meshd_tunnel_opened_total",
    kind: "counter",
    help: "A peer asked for a connection to this host and got this answer.",
    labels: { answer: TUNNEL_ANSWERS },
  },
  {
    name: "meshd_tunnel_failures_total",
    kind: "counter",
    help: "A connection of a program here could not be led to the peer.",
  },
  {
    name: "meshd_tunnel_bytes_total",
    kind: "counter",
    help: "Bytes relayed, sent to peers and received from them.",
    labels: { direction: ["sent", "received"] },
  },
];

/** How many ports may be exposed, and how many forwarded. */
export const TUNNELS_MAX = 64;
/** Connections relayed at once, both directions together; each may hold the window of its stream, 1 MiB, for a reader that is slow. */
const CONNECTIONS_MAX = 128;
/** Of these from one peer. */
const CONNECTIONS_PER_PEER_MAX = 64;
/** For the opening, the answer, and the connection to what is exposed. */
const OPEN_TIMEOUT_MS = 10_000;

/** A TCP address of this host or of one it can reach. */
export interface Target {
  readonly host: string;
  /** 1..65535; as the address of a listener, 0 lets the system choose. */
  readonly port: number;
}

export type TunnelOrigin = "command" | "configuration";

export interface Exposed {
  /** The port as peers name it. */
  readonly port: number;
  readonly target: Target;
}

export interface Forward {
  readonly listen: Target;
  /** Whatever `find` knows: it is asked for each connection, so the peer may come later than the forward. */
  readonly peer: string;
  readonly remotePort: number;
}

/** A forward as it is listed: where it is from, and why it does not listen if it does not. */
export interface ListedForward extends Forward {
  readonly origin: TunnelOrigin;
  readonly problem?: string;
}

export interface TunnelsDeps {
  readonly network: Pick<Network, "openStream" | "handleStreams">;
  readonly allows: (spiffeId: string | undefined, right: Right) => boolean;
  /** Whom a forward's `peer` means. @throws MeshError when nobody, or more than one */
  readonly find: (peer: string) => NodeId;
  /** Sees to a connection to a peer. @throws MeshError `network/*` */
  readonly reach: (nodeId: NodeId) => Promise<void>;
  readonly nameOf: (nodeId: NodeId) => string;
  readonly logger: Logger;
  readonly meter: Meter;
  /** Whether connections may go over links through relays. @default false */
  readonly relayed?: boolean;
}

interface RunningForward extends ListedForward {
  readonly server: Server;
  /** As it was asked for: with port 0 it listens at another. */
  readonly wanted: Forward;
}

export class Tunnels {
  readonly #deps: TunnelsDeps;
  readonly #exposed = new Map<number, { readonly target: Target; readonly origin: TunnelOrigin }>();
  readonly #forwards = new Map<number, RunningForward>();
  /** Every connection that is relayed or about to be. */
  readonly #sockets = new Map<Socket, "inbound" | "outbound">();
  /** Forwards of the configuration that could not listen. */
  #failed: ListedForward[] = [];
  #configured: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(deps: TunnelsDeps) {
    this.#deps = deps;
  }

  /** Answers peers from now on. */
  async start(): Promise<void> {
    await this.#deps.network.handleStreams(
      TUNNEL_PROTOCOL,
      { streamsPerPeerMax: CONNECTIONS_PER_PEER_MAX, relayed: this.#deps.relayed ?? false },
      (peer, stream) => this.#accept(peer, stream),
    );
  }

  /** Closes every listener and connection. Idempotent. */
  stop(): void {
    this.#stopped = true;
    for (const { server } of this.#forwards.values()) server.close();
    this.#forwards.clear();
    for (const socket of this.#sockets.keys()) reset(socket);
  }

  get exposed(): (Exposed & { readonly origin: TunnelOrigin })[] {
    return [...this.#exposed].map(([port, exposed]) => ({ port, ...exposed }));
  }

  get forwards(): ListedForward[] {
    const running = [...this.#forwards.values()];
    return [...running.map(({ server: _, wanted: __, ...forward }) => forward), ...this.#failed];
  }

  /**
   * Takes what the configuration says: adds what is new, ends what it no longer says, and leaves alone what has not changed or came by
   * command. A forward that cannot listen is logged and listed with its problem, and tried again next time. Never rejects.
   */
  configure(exposed: readonly Exposed[], forwards: readonly Forward[]): Promise<void> {
    this.#configured = this.#configured.then(() => this.#configure(exposed, forwards));
    return this.#configured;
  }

  async #configure(exposed: readonly Exposed[], forwards: readonly Forward[]): Promise<void> {
    for (const { port, origin } of this.exposed) {
      const stays = exposed.some((next) => next.port === port);
      if (origin === "configuration" && !stays) this.unexpose(port);
    }
    for (const { port, target } of exposed) {
      const now = this.#exposed.get(port);
      const same = now?.origin === "configuration" && isSame(now.target, target);
      if (!same) this.#attempt(port, () => this.expose(port, target, "configuration"));
    }
    for (const [port, { origin, wanted }] of this.#forwards) {
      const stays = forwards.some((next) => isSame(next, wanted));
      if (origin === "configuration" && !stays) this.unforward(port);
    }
    this.#failed = [];
    for (const forward of forwards) {
      const runs = [...this.#forwards.values()].some(
        ({ origin, wanted }) => origin === "configuration" && isSame(wanted, forward),
      );
      if (!runs && !this.#stopped) await this.#tryForward(forward);
    }
  }

  async #tryForward(forward: Forward): Promise<void> {
    try {
      await this.forward(forward, "configuration");
    } catch (error) {
      this.#failed.push({ ...forward, origin: "configuration", problem: errorMessage(error) });
      this.#notConfigured(forward.listen.port, error);
    }
  }

  #attempt(port: number, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#notConfigured(port, error);
    }
  }

  #notConfigured(port: number, error: unknown): void {
    this.#deps.logger.error(
      { code: errorCode(error), port, error: errorMessage(error) },
      "configured tunnel not made",
    );
  }

  /** Lets peers with the right reach `target` by `port`; replaces what was exposed there. @throws MeshError `tunnel/too-many` */
  expose(port: number, target: Target, origin: TunnelOrigin = "command"): void {
    if (!this.#exposed.has(port) && this.#exposed.size >= TUNNELS_MAX) throw tooMany("expose");
    this.#exposed.set(port, { target, origin });
    this.#deps.logger.info({ port, target: `${target.host}:${target.port}` }, "port exposed");
  }

  /** Ends exposing; connections that are there go on. @throws MeshError `tunnel/unknown` */
  unexpose(port: number): void {
    if (!this.#exposed.delete(port)) throw unknown(port, "exposed");
    this.#deps.logger.info({ port }, "port no longer exposed");
  }

  /**
   * Listens at `listen` and leads each connection to `remotePort` of the peer. Gives the address it listens at.
   * @throws MeshError `tunnel/too-many`, `tunnel/port-taken`
   */
  async forward(wanted: Forward, origin: TunnelOrigin = "command"): Promise<Target> {
    const { listen, peer, remotePort } = wanted;
    if (this.#forwards.size >= TUNNELS_MAX) throw tooMany("forward");
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
      this.#connect(socket, peer, remotePort),
    );
    const port = await listening(server, listen);
    const bound = { host: listen.host, port };
    if (this.#forwards.has(port)) {
      server.close();
      throw portTaken(bound, "another forward has this port, at another address");
    }
    this.#forwards.set(port, { ...wanted, listen: bound, origin, wanted, server });
    this.#deps.logger.info({ port, peer, remotePort }, "port forwarded");
    return bound;
  }

  /** Ends listening; connections that are there go on. @throws MeshError `tunnel/unknown` */
  unforward(port: number): void {
    const forward = this.#forwards.get(port);
    if (forward === undefined) throw unknown(port, "forwarded");
    this.#forwards.delete(port);
    forward.server.close();
    this.#deps.logger.info({ port }, "port no longer forwarded");
  }

  /** A peer's stream to this host. */
  async #accept(peer: PeerIdentity, stream: Stream): Promise<void> {
    const framed = framedStream(stream, OPENING_BYTES);
    const signal = AbortSignal.timeout(OPEN_TIMEOUT_MS);
    const port = parseOpening((await framed.read({ signal })).subarray());
    const socket = await this.#target(peer, port);
    const answer: TunnelAnswer = typeof socket === "string" ? socket : "connected";
    this.#deps.meter.count("meshd_tunnel_opened_total", { answer });
    if (typeof socket === "string") {
      this.#deps.logger.debug({ name: peer.name, port: port ?? 0, answer }, "tunnel refused");
      await framed.write(encodeAnswer(socket), { signal });
      await stream.close({ signal });
      return;
    }
    let plain: Stream;
    try {
      await framed.write(encodeAnswer("connected"), { signal });
      plain = framed.unwrap();
    } catch (error) {
      this.#forget(socket);
      throw error;
    }
    await this.#relay(socket, plain);
  }

  /** The connection to what is exposed, or why there is none. */
  async #target(
    peer: PeerIdentity,
    port: number | undefined,
  ): Promise<Socket | Exclude<TunnelAnswer, "connected">> {
    if (port === undefined || !this.#deps.allows(peer.spiffeId, `tunnel.connect:${port}`))
      return "refused";
    const exposed = this.#exposed.get(port);
    if (exposed === undefined) return "not-exposed";
    if (this.#sockets.size >= CONNECTIONS_MAX) return "busy";
    const socket = connect({ ...exposed.target, allowHalfOpen: true, timeout: OPEN_TIMEOUT_MS });
    this.#remember(socket, "inbound");
    const isConnected = await connected(socket);
    if (isConnected) return socket;
    this.#forget(socket);
    return "unreachable";
  }

  /** A program's connection to a forward. */
  #connect(socket: Socket, peer: string, remotePort: number): void {
    if (this.#sockets.size >= CONNECTIONS_MAX) {
      this.#deps.meter.count("meshd_tunnel_failures_total");
      reset(socket);
      return;
    }
    this.#remember(socket, "outbound");
    this.#lead(socket, peer, remotePort).catch((error: unknown) => {
      this.#forget(socket);
      this.#deps.meter.count("meshd_tunnel_failures_total");
      this.#deps.logger.warn(
        { code: errorCode(error), peer, error: errorMessage(error) },
        "tunnel not opened",
      );
    });
  }

  async #lead(socket: Socket, peer: string, port: number): Promise<void> {
    const stream = await this.open(this.#deps.find(peer), port);
    if (socket.destroyed) {
      stream.abort(new Error("the program has gone meanwhile"));
      this.#forget(socket);
      return;
    }
    const over = this.#relay(socket, stream);
    socket.resume();
    await over;
  }

  /**
   * A stream that is a connection to a peer's exposed port.
   * @throws MeshError `network/not-connected`, `network/dial-failed`, `network/request-failed`, `tunnel/*`
   */
  async open(nodeId: NodeId, port: number): Promise<Stream> {
    await this.#deps.reach(nodeId);
    const signal = AbortSignal.timeout(OPEN_TIMEOUT_MS);
    const stream = await this.#deps.network.openStream(nodeId, TUNNEL_PROTOCOL, signal);
    try {
      const framed = framedStream(stream, ANSWER_BYTES);
      await framed.write(encodeOpening(port), { signal });
      const answer = parseAnswer((await framed.read({ signal })).subarray());
      if (answer !== "connected") throw refusal(answer, this.#deps.nameOf(nodeId), port);
      return framed.unwrap();
    } catch (error) {
      stream.abort(new Error("no tunnel"));
      throw error;
    }
  }

  async #relay(socket: Socket, stream: Stream): Promise<void> {
    const { meter } = this.#deps;
    const counter = (direction: string) => (bytes: number) =>
      meter.count("meshd_tunnel_bytes_total", { direction }, bytes);
    await relay(socket, stream, { sent: counter("sent"), received: counter("received") });
    this.#forget(socket);
  }

  #remember(socket: Socket, direction: "inbound" | "outbound"): void {
    socket.setNoDelay(true);
    // Until it is relayed an error only means that it has gone.
    socket.on("error", () => undefined);
    this.#sockets.set(socket, direction);
    this.#count();
  }

  #forget(socket: Socket): void {
    reset(socket);
    this.#sockets.delete(socket);
    this.#count();
  }

  #count(): void {
    const directions = [...this.#sockets.values()];
    for (const direction of ["inbound", "outbound"] as const) {
      const open = directions.filter((one) => one === direction).length;
      this.#deps.meter.set("meshd_tunnel_connections", open, { direction });
    }
  }
}

/** Plain values, their keys in one order. */
function isSame(a: Target | Forward, b: Target | Forward): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Whether the socket got its connection; the timeout it was made with ends the waiting. */
function connected(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    socket.once("connect", () => {
      socket.setTimeout(0);
      resolve(true);
    });
    socket.once("timeout", () => resolve(false));
    socket.once("close", () => resolve(false));
  });
}

/** The port it listens at. */
function listening(server: Server, { host, port }: Target): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => reject(portTaken({ host, port }, errorMessage(cause))));
    server.listen({ host, port }, () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}

function portTaken({ host, port }: Target, why: string): MeshError<TunnelErrorCode> {
  return new MeshError(
    "tunnel/port-taken",
    `Cannot listen at ${host}:${port}: ${why}. Choose another local port, or 0 for any.`,
    { host, port },
  );
}

function tooMany(kind: "expose" | "forward"): MeshError<TunnelErrorCode> {
  const what = kind === "expose" ? "exposed" : "forwarded";
  return new MeshError(
    "tunnel/too-many",
    `Cannot add a port: ${TUNNELS_MAX} are ${what}, which is the most. Close one with: meshctl tunnels close ${kind} PORT`,
  );
}

function unknown(port: number, what: string): MeshError<TunnelErrorCode> {
  return new MeshError("tunnel/unknown", `Port ${port} is not ${what}. Look at: meshctl tunnels`, {
    port,
  });
}
