// libp2p's own log goes nowhere. What an operator needs to know, the daemon logs itself; and a logger of libp2p's is made for each connection and
// stream, asked at each frame, and switched on by a variable of the environment, behind the back of the configured level.

import type { ComponentLogger, Logger } from "@libp2p/interface";

const nothing = (): void => undefined;

const silent: Logger = Object.assign(() => undefined, {
  error: nothing,
  trace: nothing,
  enabled: false,
  newScope: () => silent,
});

/** For `logger` of a libp2p node. */
export const silentLogger: ComponentLogger = { forComponent: () => silent };
