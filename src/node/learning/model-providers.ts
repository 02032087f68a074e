// Models of a task and the DHT: what this node has is provided there, and when none of the known holders gives a model, those that
// provide it are looked for. A provider counts only as a participant with the right to train, whom a connection authenticates.

import type { ContentProvider } from "../../adapters/libp2p/content-providers.ts";
import { Network } from "../../adapters/libp2p/network.ts";
import { errorCode, errorMessage } from "../../foundation/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { Logger, Meter } from "../../ports/index.ts";
import type { NodeIdentities } from "../identity-directory.ts";

/** A newer model is announced no sooner: an announcement is a walk of the DHT and up to twenty messages. */
const ANNOUNCE_EVERY_MS = 10_000;
/** Providers that one search brings, at most: each may be dialled. */
const PROVIDERS_MAX = 8;
const SEARCHES_MAX = 2;
const DIAL_TIMEOUT_MS = 5_000;

export interface ModelProvidersDeps {
  readonly network: Pick<Network, "providers" | "dial" | "isConnected">;
  readonly identities: Pick<NodeIdentities, "lookup">;
  readonly logger: Logger;
  readonly meter: Meter;
  /** May this node take part in the rounds of a task? */
  readonly maySpeak: (nodeId: NodeId) => boolean;
}

export class ModelProviders {
  readonly #deps: ModelProvidersDeps;
  /** Participants but this node. */
  readonly #others: readonly NodeId[];
  readonly #announced = new Set<string>();
  #newest: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #searches = 0;

  constructor(deps: ModelProvidersDeps, others: readonly NodeId[]) {
    this.#deps = deps;
    this.#others = others;
  }

  /** The models that are here as of now, oldest first: the newest is announced, what is gone is so no more. */
  update(models: readonly string[]): void {
    this.#newest = models.at(-1);
    for (const digest of this.#announced) if (!models.includes(digest)) this.#withdraw(digest);
    if (this.#timer === undefined) this.#announce();
  }

  /** Nothing is here any more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.update([]);
  }

  /** Participants that provide a content and are connected now; none when the DHT knows none, or enough is searched for already. */
  async find(digest: string, signal: AbortSignal): Promise<readonly NodeId[]> {
    if (this.#searches >= SEARCHES_MAX) return [];
    this.#searches++;
    const { network, meter, logger } = this.#deps;
    try {
      const providers = await network.providers.find(digest, PROVIDERS_MAX, signal);
      const reached = await Promise.all(providers.map((each) => this.#reach(each, signal)));
      const holders = reached.filter((nodeId) => nodeId !== undefined);
      const result = holders.length > 0 ? "found" : "none";
      meter.count("meshd_learning_provider_searches_total", { result });
      return holders;
    } catch (error) {
      meter.count("meshd_learning_provider_searches_total", { result: "failed" });
      logger.debug({ code: errorCode(error), error: errorMessage(error) }, "no providers found");
      return [];
    } finally {
      this.#searches--;
    }
  }

  /** The participant behind a provider, once it is connected. */
  async #reach(
    { peerId, addresses }: ContentProvider,
    signal: AbortSignal,
  ): Promise<NodeId | undefined> {
    const { network, identities, maySpeak, meter } = this.#deps;
    const known = this.#others.flatMap((nodeId) => {
      const identity = identities.lookup(nodeId);
      return identity === undefined ? [] : [{ nodeId, peer: Network.peerIdOf(identity.ed25519) }];
    });
    const provider = known.find(({ peer }) => peer.toString() === peerId);
    if (provider === undefined || !maySpeak(provider.nodeId)) {
      meter.count("meshd_learning_providers_refused_total");
      return undefined;
    }
    const { nodeId, peer } = provider;
    if (network.isConnected(nodeId)) return nodeId;
    const until = AbortSignal.any([signal, AbortSignal.timeout(DIAL_TIMEOUT_MS)]);
    await network.dial(addresses, peer, { signal: until }).catch(() => undefined);
    return network.isConnected(nodeId) ? nodeId : undefined;
  }

  #announce(): void {
    const digest = this.#newest;
    if (digest === undefined || this.#announced.has(digest)) return;
    this.#announced.add(digest);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#announce();
    }, ANNOUNCE_EVERY_MS);
    this.#timer.unref();
    const told = (result: string): void =>
      this.#deps.meter.count("meshd_learning_models_provided_total", { result });
    this.#deps.network.providers.provide(digest).then(
      () => told("done"),
      (error: unknown) => {
        told("failed");
        this.#deps.logger.debug(
          { code: errorCode(error), error: errorMessage(error) },
          "model not provided in the DHT",
        );
      },
    );
  }

  #withdraw(digest: string): void {
    this.#announced.delete(digest);
    this.#deps.network.providers.withdraw(digest).catch((error: unknown) => {
      this.#deps.logger.debug({ code: errorCode(error) }, "model not withdrawn from the DHT");
    });
  }
}
