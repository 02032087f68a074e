// Questions that a node has asked and not had answered: bounded, numbered, each with its answer's use.

/** Open questions by number. */
export class Pending<Question> {
  readonly #open = new Map<number, Question>();
  readonly #max: number;
  #numbers = 0;

  /** Holds at most `max`; when one more comes, the oldest goes and is returned by {@link Pending.ask}. */
  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Opens a question; `dropped` is the number of one that had to make room. */
  ask(question: Question): { readonly number: number; readonly dropped: number | undefined } {
    let dropped: number | undefined;
    if (this.#open.size >= this.#max) {
      dropped = this.#open.keys().next().value;
      if (dropped !== undefined) this.#open.delete(dropped);
    }
    const number = ++this.#numbers;
    this.#open.set(number, question);
    return { number, dropped };
  }

  peek(number: number): Question | undefined {
    return this.#open.get(number);
  }

  /** Closes a question; undefined when it is not open (any more). */
  settle(number: number): Question | undefined {
    const question = this.#open.get(number);
    this.#open.delete(number);
    return question;
  }

  values(): IterableIterator<Question> {
    return this.#open.values();
  }
}
