// Until when an answer of a peer is waited for. Node.js runs the timers that are due before it reads its sockets: a process that had no core for
// a second would give up what has long arrived, and blame the peer.

/**
 * A signal that is aborted `timeoutMs` after this call, later by as much as the timer came late (at most once again as long), and not before
 * what has arrived by then was read. Does not keep the process alive.
 * @param timeoutMs milliseconds, > 0
 */
export function answerDeadline(timeoutMs: number): AbortSignal {
  const end = new AbortController();
  const abort = (): void => {
    setImmediate(() => {
      end.abort(new DOMException(`no answer in ${Math.round(timeoutMs)} ms`, "TimeoutError"));
    });
  };
  const dueMs = performance.now() + timeoutMs;
  const timer = setTimeout(() => {
    const lateMs = Math.min(timeoutMs, performance.now() - dueMs);
    if (lateMs < 1) abort();
    else setTimeout(abort, lateMs).unref();
  }, timeoutMs);
  timer.unref();
  return end.signal;
}
