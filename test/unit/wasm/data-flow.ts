// Finds, in the emitted WebAssembly text, where a function's timing could depend on what it read from memory: branches, addresses and
// divisions.
//
// An abstract run over operand stack and locals, per function, repeated until the loops' states stop growing: a value is tainted when a
// load, a call's result or a tainted value went into it, or when it was chosen inside a block under a tainted condition. Parameters and
// constants are clean: they are pointers and lengths. Public contents are tainted as well, so this overestimates.

/** How many instructions of a function have a tainted operand that steers them. */
export interface DataFlow {
  /** Conditions of `if`, `br_if`, `br_table` and `select`. */
  readonly branches: number;
  /** Addresses of loads and stores, and operands of memory.copy and memory.fill. */
  readonly addresses: number;
  /** Operands of division and remainder, whose time varies on many processors. */
  readonly divisions: number;
}

interface Signature {
  readonly params: number;
  readonly results: number;
}

type Locals = ReadonlySet<string>;

interface Block {
  readonly kind: string;
  readonly label: string;
  /** Line of its start: the key of what is known about it from earlier repetitions. */
  readonly start: number;
  readonly height: number;
  readonly results: number;
  readonly tainted: boolean;
  /** Tainted locals where it began. */
  readonly entry: Locals;
}

const UNARY =
  /\.(eqz|clz|ctz|popcnt|abs|neg|not|splat|any_true|all_true|bitmask|extend|wrap|extract_lane|extadd|reinterpret|convert|trunc|nearest|sqrt|floor|ceil|demote|promote)/;

/** One function's run. */
class Tracer {
  readonly #lines: readonly string[];
  readonly #signatures: ReadonlyMap<string, Signature>;
  /** Tainted locals that branches bring to a block: to the start of a loop, to the end of any other. */
  readonly #arriving = new Map<number, Set<string>>();
  #growing = true;
  #tainted = new Set<string>();
  #stack: boolean[] = [];
  #blocks: Block[] = [];
  #found = { branches: 0, addresses: 0, divisions: 0 };

  constructor(lines: readonly string[], signatures: ReadonlyMap<string, Signature>) {
    this.#lines = lines;
    this.#signatures = signatures;
  }

  run(): DataFlow {
    while (this.#growing) {
      this.#growing = false;
      this.#tainted = new Set();
      this.#stack = [];
      this.#blocks = [];
      this.#found = { branches: 0, addresses: 0, divisions: 0 };
      for (const [number, line] of this.#lines.entries()) this.#step(line, number);
    }
    return this.#found;
  }

  /** Records the present locals as arriving at a block. */
  #arrive(start: number, locals: Locals = this.#tainted): void {
    const known = this.#arriving.get(start) ?? new Set();
    this.#arriving.set(start, known);
    for (const local of locals) {
      if (known.has(local)) continue;
      known.add(local);
      this.#growing = true;
    }
  }

  #jump(label: string): void {
    const target = this.#blocks.findLast((block) => block.label === label);
    if (target !== undefined) this.#arrive(target.start);
  }

  /** Pops `count` operands; gives whether each is tainted, the deepest first. Dead code may pop from nothing: clean. */
  #pop(count: number): boolean[] {
    const floor = this.#blocks.at(-1)?.height ?? 0;
    const from = Math.max(floor, this.#stack.length - count);
    const popped = this.#stack.splice(from);
    return [...new Array<boolean>(count - popped.length).fill(false), ...popped];
  }

  #combine(pops: number, pushes = 1): boolean {
    const tainted = this.#pop(pops).includes(true);
    if (pushes === 1) this.#stack.push(tainted);
    return tainted;
  }

  #branch(): boolean {
    const tainted = this.#combine(1, 0);
    if (tainted) this.#found.branches++;
    return tainted;
  }

  #address(pops: number, pushes: number): void {
    const [address = false] = this.#pop(pops);
    if (address) this.#found.addresses++;
    if (pushes === 1) this.#stack.push(true);
  }

  #open(line: string, start: number, tainted: boolean): void {
    const [kind = "", label = ""] = line.split(" ");
    if (kind === "loop") {
      for (const local of this.#arriving.get(start) ?? []) this.#tainted.add(local);
    }
    const results = line.includes("(result") ? 1 : 0;
    const entry = new Set(this.#tainted);
    this.#blocks.push({ kind, label, start, height: this.#stack.length, results, tainted, entry });
  }

  #step(line: string, number: number): void {
    const [name = "", operand = ""] = line.split(" ");
    if (name.startsWith("(local") || name.startsWith("(type")) return;
    if (name === "block" || name === "loop") this.#open(line, number, false);
    else if (name === "if") this.#open(line, number, this.#branch());
    else if (name === "else") this.#otherwise();
    else if (name === "end") this.#close();
    else if (name === "return" || name === "unreachable") this.#tainted = new Set();
    else if (name === "br" || name === "br_if") {
      if (name === "br_if") this.#branch();
      this.#jump(operand);
      if (name === "br") this.#tainted = new Set();
    } else if (name === "call") this.#call(operand);
    else if (name === "select") {
      const condition = this.#branch();
      this.#stack.push(this.#pop(2).includes(true) || condition);
    } else if (name.endsWith(".const") || name === "global.get" || name === "memory.size") {
      this.#stack.push(false);
    } else if (name === "local.get") this.#stack.push(this.#tainted.has(operand));
    else if (name === "local.set" || name === "local.tee") {
      // An assignment under a tainted branch depends on it.
      const under = this.#blocks.some(({ tainted }) => tainted);
      const tainted = this.#combine(1, name === "local.tee" ? 1 : 0) || under;
      if (tainted) this.#tainted.add(operand);
      else this.#tainted.delete(operand);
    } else if (name === "drop" || name === "global.set") this.#pop(1);
    else if (name === "memory.copy" || name === "memory.fill") {
      if (this.#pop(3).includes(true)) this.#found.addresses++;
    } else if (/\.load\w*_lane/.test(name)) this.#address(2, 1);
    else if (name.includes(".load")) this.#address(1, 1);
    else if (name.includes(".store")) this.#address(2, 0);
    else if (name === "v128.bitselect") this.#combine(3);
    else if (UNARY.test(name)) this.#combine(1);
    else if (/^[a-z]+\d+(x\d+)?\./.test(name)) {
      const tainted = this.#combine(2);
      if (tainted && /^i\d\d\.(div|rem)/.test(name)) this.#found.divisions++;
    } else throw new Error(`Cannot follow the instruction "${line}".`);
  }

  /** From the end of `then` to the start of `else`. */
  #otherwise(): void {
    const block = this.#blocks.at(-1);
    if (block === undefined) return;
    this.#arrive(block.start);
    this.#tainted = new Set(block.entry);
    const results = this.#stack.splice(block.height);
    const tainted = block.tainted || results.includes(true);
    this.#blocks[this.#blocks.length - 1] = { ...block, kind: "else", tainted };
  }

  #close(): void {
    const block = this.#blocks.pop();
    if (block === undefined) return;
    if (block.kind === "if") this.#arrive(block.start, block.entry);
    if (block.kind !== "loop") {
      for (const local of this.#arriving.get(block.start) ?? []) this.#tainted.add(local);
    }
    const results = this.#stack.splice(block.height);
    if (block.results === 1) this.#stack.push(results.includes(true) || block.tainted);
  }

  #call(name: string): void {
    const signature = this.#signatures.get(name);
    if (signature === undefined) throw new Error(`Cannot follow the call of "${name}".`);
    this.#pop(signature.params);
    if (signature.results === 1) this.#stack.push(true);
  }
}

/** The data flow of every function in a module's text, by name without the dollar sign. */
export function dataFlow(wat: string): Map<string, DataFlow> {
  const bodies = new Map<string, string[]>();
  const signatures = new Map<string, Signature>();
  let body: string[] | undefined;
  for (const line of wat.split("\n")) {
    const name = /^ \(func (\S+)/.exec(line)?.[1];
    if (name !== undefined) {
      body = [];
      bodies.set(name, body);
      const params = line.match(/\(param/g)?.length ?? 0;
      signatures.set(name, { params, results: line.includes("(result") ? 1 : 0 });
    } else if (line === " )") body = undefined;
    else body?.push(line.trim());
  }
  const flows = new Map<string, DataFlow>();
  for (const [name, lines] of bodies) flows.set(name.slice(1), new Tracer(lines, signatures).run());
  return flows;
}
