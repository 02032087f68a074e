// Participants of a task that this node has no link to, found by the DHT: whoever has updates and models of a task says so there, and
// when no known holder gives a content, those are dialled. It counts only who is a participant with the right to train, whom the
// connection authenticates; and what it gives is verified as from any holder.

import type { ContentProvider } from "../../adapters/libp2p/content-providers.ts";
import { Network } from "../../adapters/libp2p/network.ts";
import { errorCode, errorMessage } from "../../foundation/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { Clock, Logger, Meter } from "../../ports/index.ts";
import type { NodeIdentities } from "../identity-directory.ts";

/** An announcement is a walk of the DHT and a message to twenty nodes. They forget it after an hour. */
const ANNOUNCE_EVERY_MS = 20 * 60_000;
/** What a search found is good for all contents of the task for so long. */
const FOUND_FOR_MS = 30_000;
/** Providers that are looked at, and of them those that are dialled. */
const PROVIDERS_MAX = 64;
const DIALS_MAX = 8;
const DIAL_TIMEOUT_MS = 5_000;

export interface TaskProvidersDeps {
  readonly network: Pick<Network, "providers" | "dial" | "isConnected" | "peerId">;
  readonly identities: Pick<NodeIdentities, "lookup">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  /** May this node take part in the rounds of a task? */
  readonly maySpeak: (nodeId: NodeId) => boolean;
}

export interface TaskProvidersOptions {
  /** Of the task's manifest: what is provided. */
  readonly digest: string;
  /** Participants but this node. */
  readonly others: readonly NodeId[];
}

export class TaskProviders {
  readonly #deps: TaskProvidersDeps;
  readonly #options: TaskProvidersOptions;
  #announcedMs: number | undefined;
  #found: { readonly nodes: Promise<readonly NodeId[]>; readonly untilMs: number } | undefined;

  constructor(deps: TaskProvidersDeps, options: TaskProvidersOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** This node has contents of the task: others may find it, once in a while anew. */
  announce(): void {
    const { network, meter, logger } = this.#deps;
    const nowMs = this.#nowMs;
    if (nowMs < (this.#announcedMs ?? -ANNOUNCE_EVERY_MS) + ANNOUNCE_EVERY_MS) return;
    this.#announcedMs = nowMs;
    network.providers.provide(this.#options.digest).then(
      () => meter.count("meshd_learning_announcements_total", { result: "done" }),
      (error: unknown) => {
        meter.count("meshd_learning_announcements_total", { result: "failed" });
        logger.debug({ code: errorCode(error), error: errorMessage(error) }, "task not announced");
      },
    );
  }

  /** Nothing of it is here any more. */
  stop(): void {
    if (this.#announcedMs === undefined) return;
    this.#announcedMs = undefined;
    this.#deps.network.providers.withdraw(this.#options.digest).catch((error: unknown) => {
      this.#deps.logger.debug({ code: errorCode(error) }, "task not withdrawn from the DHT");
    });
  }

  /** Participants that say to have contents of the task, and that were not connected before. */
  find(): Promise<readonly NodeId[]> {
    const nowMs = this.#nowMs;
    if (this.#found === undefined || nowMs >= this.#found.untilMs)
      this.#found = { nodes: this.#search(), untilMs: nowMs + FOUND_FOR_MS };
    return this.#found.nodes;
  }

  async #search(): Promise<readonly NodeId[]> {
    const { network, meter, logger } = this.#deps;
    // The walk itself connects nodes, which nobody has asked yet.
    const here = new Set(this.#options.others.filter((nodeId) => network.isConnected(nodeId)));
    try {
      const providers = await network.providers.find(this.#options.digest, PROVIDERS_MAX);
      const away = providers
        .flatMap((provider) => this.#participantOf(provider))
        .filter(({ nodeId }) => !here.has(nodeId))
        .slice(0, DIALS_MAX);
      await Promise.all(away.map(({ dial }) => dial()));
      const nodes = away.flatMap(({ nodeId }) => (network.isConnected(nodeId) ? [nodeId] : []));
      const result = nodes.length > 0 ? "found" : "none";
      meter.count("meshd_learning_provider_searches_total", { result });
      return nodes;
    } catch (error) {
      meter.count("meshd_learning_provider_searches_total", { result: "failed" });
      logger.debug({ code: errorCode(error), error: errorMessage(error) }, "no providers found");
      return [];
    }
  }

  /** The participant behind a provider, and how to get to it; none when it is nobody to be asked. */
  #participantOf({ peerId, addresses }: ContentProvider) {
    const { network, identities, maySpeak, meter } = this.#deps;
    if (peerId === network.peerId) return [];
    for (const nodeId of this.#options.others.filter(maySpeak)) {
      const identity = identities.lookup(nodeId);
      const peer = identity && Network.peerIdOf(identity.ed25519);
      if (peer?.toString() !== peerId) continue;
      const dial = (): Promise<unknown> =>
        network
          .dial(addresses, peer, { signal: AbortSignal.timeout(DIAL_TIMEOUT_MS) })
          .catch(() => undefined);
      return [{ nodeId, dial }];
    }
    meter.count("meshd_learning_providers_refused_total");
    return [];
  }

  get #nowMs(): number {
    return this.#deps.clock.now().monoMs;
  }
}
