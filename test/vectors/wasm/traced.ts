// A module compiled like the shipped one and then instrumented: it reports every basic block it enters and every address it loads from or
// stores to. Two runs with equal traces took the same path over the same memory, whatever their secrets were.
// Binaryen's passes leave three things out: loads of one lane or of a splat, and bulk copies and fills.

import { existsSync, readFileSync } from "node:fs";

/** What is used of the compiler. Its own types would come with AssemblyScript's globals, which change Array's for all. */
interface Compiler {
  main(
    args: readonly string[],
    io: {
      readFile(name: string): string | null;
      writeFile(name: string, contents: string | Uint8Array): void;
      listFiles(): string[];
    },
  ): Promise<{ readonly error: Error | null }>;
}
const specifier: string = "assemblyscript/asc";
const { default: asc } = (await import(specifier)) as { readonly default: Compiler };

const root = new URL("../../../wasm/", import.meta.url);
const FLAGS = ["-O3", "--enable", "simd", "--runtime", "stub", "--noAssert"];

interface LinearMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** What is used of the global that no type library here declares. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: {
    Module: new (binary: Uint8Array<ArrayBuffer>) => object;
    Instance: new (
      module: object,
      imports: Record<string, object>,
    ) => { readonly exports: Readonly<Record<string, unknown>> };
  };
};

/** What a call did: how many events, and a digest of them in order. */
export interface Trace {
  readonly events: number;
  readonly digest: string;
}

export class TracedModule {
  readonly #exports: Readonly<Record<string, unknown>>;
  readonly #memory: LinearMemory;
  #next: number;
  #events = 0;
  #low = 0;
  #high = 0;

  private constructor(binary: Uint8Array<ArrayBuffer>) {
    const value = (_id: number, loaded: unknown): unknown => loaded;
    const pointer = (id: number, bytes: number, offset: number, address: number): number => {
      this.#note(id);
      this.#note(bytes);
      this.#note(offset + address);
      return address;
    };
    const env: Record<string, unknown> = {
      log_execution: (id: number) => this.#note(id),
      load_ptr: pointer,
      store_ptr: pointer,
      memory_grow_pre: value,
      memory_grow_post: value,
    };
    for (const type of ["i32", "i64", "f32", "f64"]) {
      env[`load_val_${type}`] = value;
      env[`store_val_${type}`] = value;
    }
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binary), { env });
    this.#exports = exports;
    this.#memory = exports["memory"] as LinearMemory;
    this.#next = this.#memory.buffer.byteLength;
    this.#memory.grow(8);
  }

  /** A module with `source`, AssemblyScript text with imports relative to wasm/, as its entry. */
  static async load(source: string): Promise<TracedModule> {
    let binary: Uint8Array<ArrayBuffer> | undefined;
    const passes = ["--runPasses", "log-execution,instrument-memory"];
    const { error } = await asc.main(["traced.ts", "-o", "out.wasm", ...FLAGS, ...passes], {
      readFile(name) {
        const file = new URL(name, root);
        if (name === "traced.ts") return source;
        return existsSync(file) ? readFileSync(file, "utf8") : null;
      },
      writeFile(_name, contents) {
        if (typeof contents !== "string") binary = new Uint8Array(contents);
      },
      listFiles: () => [],
    });
    if (error !== null || binary === undefined) {
      throw new Error("the instrumented module does not compile", { cause: error });
    }
    return new TracedModule(binary);
  }

  #note(word: number): void {
    this.#events++;
    this.#low = Math.imul(this.#low ^ word, 0x9e3779b1) ^ (this.#low >>> 15);
    this.#high = Math.imul(this.#high ^ word, 0x85ebca6b) ^ (this.#high >>> 13);
  }

  trace(name: string, ...values: number[]): Trace {
    this.#events = 0;
    this.#low = 1;
    this.#high = 2;
    (this.#exports[name] as (...values: number[]) => unknown)(...values);
    return { events: this.#events, digest: `${this.#low >>> 0}/${this.#high >>> 0}` };
  }

  constant(name: string): number {
    return Number((this.#exports[name] as { value: unknown }).value);
  }

  reserve(length: number): number {
    const pointer = this.#next;
    this.#next += (length + 31) & ~15;
    return pointer;
  }

  write(pointer: number, bytes: Uint8Array): void {
    new Uint8Array(this.#memory.buffer).set(bytes, pointer);
  }

  read(pointer: number, length: number): Uint8Array {
    return new Uint8Array(this.#memory.buffer).slice(pointer, pointer + length);
  }
}
