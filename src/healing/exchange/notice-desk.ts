// Where notices come in and go out. Coming in: bounded, new by its number, within its author's rate, and only then worth a
// signature check. Going out: claims at once; lessons after a random wait, and not at all when others have told the same
// meanwhile, so that a fault that a thousand nodes share is not told a thousand times.

import type { MonoMs, Random } from "../../ports/index.ts";
import type { Incident } from "../incident.ts";
import {
  decodeNotice,
  encodeNotice,
  type Notice,
  type NoticeBody,
  type NoticeCode,
  type UnverifiedNotice,
} from "./notice.ts";

/** Authors remembered; the one heard longest ago is forgotten first. */
const AUTHORS_MAX = 4_096;
/**
 * Notices of one author, and lessons of all: so many at once, and another one each. An author that spends all twelve actions
 * of its window on claims that fail at once makes two notices in three seconds; none of them may be lost.
 */
const AUTHOR_BURST = 12;
const AUTHOR_EACH_MS = 2_000;
const LESSONS_BURST = 60;
const LESSON_EACH_MS = 2_000;
/** A lesson waits up to so long before it is told. */
const TELL_WITHIN_MS = 30_000;
/** When others told the same so often, it is known. */
const TOLD_ENOUGH = 2;
/** Lessons that wait; more are not told. */
const WAITING_MAX = 16;

export type NoticeVerdict =
  /** Verify the signature by the author's key, then call {@link NoticeDesk.take}. */
  | ({ readonly verdict: "verify" } & UnverifiedNotice)
  | { readonly verdict: "reject"; readonly code: NoticeCode }
  | {
      readonly verdict: "ignore";
      readonly code:
        | "healing/own-notice"
        | "healing/old-notice"
        | "healing/notice-rate"
        | NoticeCode;
    };

export interface NoticeDeskDeps {
  /** The own NodeId and boot counter. */
  readonly self: string;
  readonly epoch: number;
  /** Signs under `noticeContext`; every signature has `signatureBytes`. */
  readonly sign: (unsigned: Uint8Array) => Uint8Array;
  readonly signatureBytes: number;
  readonly random: Pick<Random, "fraction">;
}

interface Author {
  readonly epoch: number;
  readonly number: number;
  readonly rate: Rate;
}

/** A token bucket. */
class Rate {
  readonly #burst: number;
  readonly #eachMs: number;
  #tokens: number;
  #atMs: number;

  constructor(burst: number, eachMs: number, nowMs: number) {
    this.#burst = burst;
    this.#eachMs = eachMs;
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  has(nowMs: number): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#atMs) / this.#eachMs);
    this.#atMs = nowMs;
    return this.#tokens >= 1;
  }

  take(): void {
    this.#tokens--;
  }
}

interface Waiting {
  readonly incident: Incident;
  readonly dueMs: number;
  told: number;
}

export class NoticeDesk {
  readonly #deps: NoticeDeskDeps;
  readonly #authors = new Map<string, Author>();
  readonly #lessons: Rate;
  #waiting: Waiting[] = [];
  #number = 0;

  constructor(deps: NoticeDeskDeps, nowMs: MonoMs) {
    this.#deps = deps;
    this.#lessons = new Rate(LESSONS_BURST, LESSON_EACH_MS, nowMs);
  }

  /** A first look at what somebody handed over. */
  look(bytes: Uint8Array, nowMs: MonoMs): NoticeVerdict {
    const decoded = decodeNotice(bytes, this.#deps.signatureBytes);
    if (!decoded.ok) {
      const isNewer = decoded.code.includes("unknown");
      return { verdict: isNewer ? "ignore" : "reject", code: decoded.code };
    }
    const { notice } = decoded.value;
    if (notice.nodeId === this.#deps.self) return { verdict: "ignore", code: "healing/own-notice" };
    const known = this.#authors.get(notice.nodeId);
    if (known !== undefined && !isNewer(notice, known))
      return { verdict: "ignore", code: "healing/old-notice" };
    const isInRate = known?.rate.has(nowMs) ?? true;
    if (!isInRate || (notice.body.kind === "lesson" && !this.#lessons.has(nowMs)))
      return { verdict: "ignore", code: "healing/notice-rate" };
    return { verdict: "verify", ...decoded.value };
  }

  /** The signature was good: from now on only newer ones of this author count. */
  take({ nodeId, epoch, number, body }: Notice, nowMs: MonoMs): void {
    const rate = this.#authors.get(nodeId)?.rate ?? new Rate(AUTHOR_BURST, AUTHOR_EACH_MS, nowMs);
    rate.take();
    this.#authors.delete(nodeId);
    this.#authors.set(nodeId, { epoch, number, rate });
    const [oldest] = this.#authors.keys();
    if (this.#authors.size > AUTHORS_MAX && oldest !== undefined) this.#authors.delete(oldest);
    if (body.kind !== "lesson") return;
    this.#lessons.take();
    for (const one of this.#waiting) if (isSameLesson(one.incident, body.incident)) one.told++;
  }

  /** An own incident is over: whether it is worth telling, and when. */
  closed(incident: Incident, nowMs: MonoMs): void {
    const wasTried = incident.actions.some(
      ({ outcome }) => outcome !== "advised" && outcome !== "refused-by-guard",
    );
    if (!wasTried || this.#waiting.length >= WAITING_MAX) return;
    const dueMs = nowMs + TELL_WITHIN_MS * this.#deps.random.fraction();
    this.#waiting.push({ incident, dueMs, told: 0 });
  }

  /** This node's token of the mesh-wide budget, held for so long or given back (0): to be published at once. */
  claim(leftMs: number): Uint8Array {
    return this.#encoded({ kind: "claim", leftMs });
  }

  /** Lessons to publish now. */
  due(nowMs: MonoMs): Uint8Array[] {
    const due = this.#waiting.filter(({ dueMs }) => dueMs <= nowMs);
    this.#waiting = this.#waiting.filter(({ dueMs }) => dueMs > nowMs);
    return due
      .filter(({ told }) => told < TOLD_ENOUGH)
      .map(({ incident }) => this.#encoded({ kind: "lesson", incident }));
  }

  #encoded(body: NoticeBody): Uint8Array {
    const { self, epoch, sign } = this.#deps;
    return encodeNotice({ nodeId: self, epoch, number: ++this.#number, body }, sign);
  }
}

function isNewer(notice: Notice, known: Author): boolean {
  return (
    notice.epoch > known.epoch || (notice.epoch === known.epoch && notice.number > known.number)
  );
}

/** The same cause, and the same playbooks with the same success. */
function isSameLesson(a: Incident, b: Incident): boolean {
  const essence = ({ cause, actions }: Incident): string =>
    [cause.code, ...actions.map(({ playbook, outcome }) => `${playbook} ${outcome}`)].sort().join();
  return essence(a) === essence(b);
}
