/**
 * Runs a small network on one picture: plan + weights -> answer.
 *
 * models/live.py packs a network into one file.  Its plan is a list of steps; each makes one set
 * of maps (or one list of numbers) out of those of earlier steps:
 *
 *     image     the picture that comes in
 *     conv      convolution, transposed convolution or dense layer, with batch normalisation
 *               and activation; all the time goes into this one, and kernel.wat does its sums
 *     pool      the largest of 2x2 pixels         upsample   each pixel becomes 2x2
 *     crop      cut away rows and columns at the lower and right edge
 *     concat    the maps of two steps behind each other (a skip connection)
 *     reshape   the same numbers in another shape
 *
 * Maps are in one memory, row by row, the channels of a pixel next to each other, filled up to a
 * multiple of eight.  Around each map runs a border of zeros: what a window sees beyond the edge.
 *
 *     0 0 0 0 0 0
 *     0 a b c d 0     `at` is the place of a, `step` from a to b, `row` from a to e
 *     0 e f g h 0
 *     0 0 0 0 0 0
 *
 * Weights of a conv step: for each eight outputs, for each tap, for each input channel, eight
 * floats; then one bias for each output.  All places here count floats, four bytes each.
 */

const LANES = 8; // Maps that one call of the kernel makes.
const PIXELS = 4; // Neighbouring pixels that it makes at a time.
const FLOAT = 4; // Bytes.
const PAGE = 65536; // Bytes; WebAssembly's memory comes in pages.

const filled = (count) => Math.ceil(count / LANES) * LANES;

export class Network {
  /**
   * @param {Uint8Array} file what `pack` in models/live.py wrote
   * @param {WebAssembly.Module} kernel kernel.wasm
   */
  constructor(file, kernel) {
    const { plan, weights } = unpack(file);
    this.plan = plan;
    this.steps = plan.steps.map((step) => ({ ...step }));
    this.byName = new Map(this.steps.map((step) => [step.name, step]));
    this.layOut(weights);
    const memory = new WebAssembly.Memory({ initial: Math.ceil((this.size * FLOAT) / PAGE) });
    this.row = new WebAssembly.Instance(kernel, { network: { memory } }).exports.row;
    this.floats = new Float32Array(memory.buffer);
    this.floats.set(weights);
    const integers = new Int32Array(memory.buffer);
    for (const { from, phases } of this.steps.filter(({ op }) => op === "conv")) {
      const { row, step } = this.steps[from[0]];
      for (const { taps, list } of phases) {
        taps.forEach(([y, x], tap) => { integers[list + tap] = FLOAT * (y * row + x * step); });
      }
    }
  }

  /** Give every step, and every list of taps, its place behind the weights. */
  layOut(weights) {
    this.size = filled(weights.length);
    const take = (count) => {
      this.size += filled(count);
      return this.size - filled(count);
    };
    const { border } = this.plan;
    for (const step of this.steps) {
      const [height, width, channels] = step.shape;
      step.step = filled(channels);
      step.row = (width + 2 * border) * step.step;
      const around = border * (step.row + step.step);
      step.at = take((height + 2 * border) * step.row) + around;
      for (const phase of step.phases ?? []) phase.list = take(phase.taps.length);
    }
  }

  /**
   * Answer for one picture.
   *
   * @param {Float32Array} values the picture, row by row
   * @param {object} [options]
   * @param {string} [options.start] the step that `values` are put in place of, by default the
   *   picture: with the name of the code, only the decoder runs
   * @param {Object<string, number>} [options.skips] factors at skip connections, 1 by default
   * @returns {Float32Array} the answer, row by row
   */
  run(values, { start = this.steps[0].name, skips = {} } = {}) {
    const first = this.byName.get(start);
    this.write(first, values);
    for (const step of this.steps.slice(this.steps.indexOf(first) + 1)) {
      this[step.op](step, ...step.from.map((index) => this.steps[index]), skips);
    }
    return this.read(this.steps.at(-1));
  }

  /** The values of a step in the last run; undefined where the plan has none of that name. */
  values(name) {
    const step = this.byName.get(name);
    return step && this.read(step);
  }

  conv(to, from, skips) {
    const [height, width, channels] = to.shape;
    const { row, floats } = this;
    // A transposed convolution of stride 2 is four convolutions, each of which makes the pixels
    // of one phase: those in even or odd rows and even or odd columns.
    const { stride, activation, inputs } = to;
    const [rows, columns] = [height / stride, width / stride];
    // A row of fewer than four pixels is a dense layer's: its one pixel is made four times.
    const along = columns < PIXELS ? 0 : FLOAT;
    for (const { at: [top, left], list, taps, weights, bias } of to.phases) {
      for (let k = 0; k < channels; k += LANES) {
        for (let y = 0; y < rows; y += 1) {
          row(
            FLOAT * (from.at + y * from.row),
            along * from.step,
            inputs,
            FLOAT * list,
            taps.length,
            FLOAT * (weights + k * taps.length * inputs),
            FLOAT * (bias + k),
            FLOAT * (to.at + (y * stride + top) * to.row + left * to.step + k),
            along * stride * to.step,
            Math.max(columns, PIXELS),
            activation === "relu" ? 0 : -Infinity,
          );
        }
      }
    }
    if (activation === "sigmoid") this.change(to, (value) => 1 / (1 + Math.exp(-value)));
    if (activation === "softmax") {
      let largest = -Infinity;
      let sum = 0;
      this.change(to, (value) => { largest = Math.max(largest, value); return value; });
      this.change(to, (value) => { const e = Math.exp(value - largest); sum += e; return e; });
      this.change(to, (value) => value / sum);
    }
  }

  pool(to, from) {
    const { floats } = this;
    const [height, width] = from.shape;
    this.pixels(to, (at, y, x) => {
      const below = 2 * y + 1 < height ? from.row : 0; // An odd row or column is alone at the end.
      const beside = 2 * x + 1 < width ? from.step : 0;
      const first = from.at + 2 * y * from.row + 2 * x * from.step;
      for (let c = 0; c < to.shape[2]; c += 1) {
        const a = floats[first + c];
        const b = floats[first + c + beside];
        const d = floats[first + c + below];
        const e = floats[first + c + below + beside];
        floats[at + c] = Math.max(a, b, d, e);
      }
    });
  }

  upsample(to, from) { this.copy(to, from, { halved: 1 }); }

  crop(to, from) { this.copy(to, from); }

  concat(to, from, skip, skips) {
    this.copy(to, from);
    this.copy(to, skip, { channel: from.shape[2], factor: skips[to.name] ?? 1 });
  }

  reshape(to, from) { this.write(to, this.read(from)); }

  /** Copy maps into others, which begin at `channel`, where each pixel is as large or doubled. */
  copy(to, from, { channel = 0, halved = 0, factor = 1 } = {}) {
    const { floats } = this;
    const channels = from.shape[2];
    this.pixels(to, (at, y, x) => {
      const first = from.at + (y >> halved) * from.row + (x >> halved) * from.step;
      for (let c = 0; c < channels; c += 1) floats[at + channel + c] = factor * floats[first + c];
    });
  }

  change(map, change) {
    const { floats } = this;
    this.pixels(map, (at) => {
      for (let c = at; c < at + map.shape[2]; c += 1) floats[c] = change(floats[c]);
    });
  }

  /** Row by row -> memory. */
  write(map, values) {
    const channels = map.shape[2];
    let next = 0;
    this.pixels(map, (at) => {
      this.floats.set(values.subarray(next, (next += channels)), at);
    });
  }

  /** Memory -> row by row. */
  read(map) {
    const [height, width, channels] = map.shape;
    const values = new Float32Array(height * width * channels);
    let next = 0;
    this.pixels(map, (at) => {
      values.set(this.floats.subarray(at, at + channels), next);
      next += channels;
    });
    return values;
  }

  pixels(map, visit) {
    const [height, width] = map.shape;
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) visit(map.at + y * map.row + x * map.step, y, x);
    }
  }
}

/** The bytes of a packed network -> its plan and its weights. */
function unpack(file) {
  const length = new DataView(file.buffer, file.byteOffset, 4).getUint32(0, true);
  const plan = JSON.parse(new TextDecoder().decode(file.subarray(4, 4 + length)));
  const weights = file.slice(4 + length).buffer; // A copy, which begins on a whole float.
  const isHalf = plan.floats === "float16";
  return { plan, weights: isHalf ? widen(new Uint16Array(weights)) : new Float32Array(weights) };
}

/** Floats of two bytes (1 bit sign, 5 bits exponent, 10 bits fraction) -> floats of four. */
function widen(halves) {
  return Float32Array.from(halves, (bits) => {
    const exponent = (bits >> 10) & 31;
    const fraction = (bits & 1023) / 1024;
    const size = exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction;
    return bits >> 15 ? -size : size;
  });
}
