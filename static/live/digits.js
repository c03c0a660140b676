/** Noise on a digit, what a network makes of it, and what the digit reader reads in both. */

const { search } = new URL(import.meta.url); // The version, which all files share.
const [{ Network }, { apply, clip }] = await Promise.all([
  import(`./network.js${search}`),
  import(`./noise.js${search}`),
]);

const ARRAYS = { float32: Float32Array, float64: Float64Array };

let kernel; // A promise of the compiled kernel.
const networks = new Map(); // Name of the file -> a promise of the network.

async function fetchBytes(name) {
  const answer = await fetch(new URL(name, import.meta.url), { cache: "force-cache" });
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer.arrayBuffer();
}

/** Open a packed network by the name of its file, or from the bytes of a visitor's own. */
export function open(name, content) {
  if (!networks.has(name)) {
    const opened = load(name, content);
    networks.set(name, opened);
    opened.catch(() => networks.delete(name)); // The next message tries again.
  }
  return networks.get(name);
}

async function load(name, content) {
  kernel ??= fetchBytes(`kernel.wasm${search}`).then((bytes) => WebAssembly.compile(bytes));
  const [compiled, packed] = await Promise.all([kernel, content ?? fetchBytes(name)]);
  const file = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Network(new Uint8Array(await new Response(file).arrayBuffer()), compiled);
}

/** Peak signal-to-noise ratio in dB. */
export function psnr(clean, other) {
  let sum = 0;
  for (let i = 0; i < clean.length; i += 1) sum += (clean[i] - other[i]) ** 2;
  return 10 * Math.log10(clean.length / sum);
}

/** A ratio as text, as in `decibel` of pages/components/scores.py. */
export const decibel = (ratio) => (ratio === Infinity ? "∞ dB" : `${ratio.toFixed(1)} dB`);

/** What a reader reads as text, as in `as_text` there. */
export function reading(chances) {
  const digit = chances.indexOf(Math.max(...chances));
  const percent = chances[digit] > 0.99 ? ">99" : (100 * chances[digit]).toFixed(0);
  return `${digit} (${percent}\u00a0%)`;
}

export const toLevels = (values) => Uint8Array.from(values, (value) => Math.round(255 * value));

/** Levels of grey -> values in [0, 1]. */
export const fromLevels = (levels) => Float32Array.from(levels, (level) => level / 255);

/** The parts of a message by name. */
const byName = (parts) => Object.fromEntries(parts.map((part) => [part.name, part]));

/** `strength` -> a clean picture with the noise of a message. */
export function degrader({ kind, parts }, clean, width, height) {
  if (!apply[kind]) throw new Error(`no noise called ${kind} here`);
  const array = ({ type, content }) => new ARRAYS[type](content.slice().buffer);
  const { numbers, quantiles } = byName(parts);
  const pattern = {
    numbers: array(numbers),
    quantiles: quantiles && array(quantiles),
    width,
    height,
  };
  return (strength) => clip(apply[kind](clean, strength, pattern));
}

export async function prepare({ preview, pictures, width, height }) {
  const [network, reader] = await Promise.all([
    open(preview.network, byName(preview.parts).network?.content),
    preview.reader && open(preview.reader),
  ]);
  // Originals come in 256 greys, so their levels are all there is to know of them.
  const original = pictures.find(({ title }) => title === "Original");
  const levels = original?.content ?? new Uint8Array(width * height);
  const clean = fromLevels(levels);
  const noisyOf = degrader(preview, clean, width, height);

  const picture = (values) => ({
    levels: toLevels(values),
    channels: 1,
    caption: () => {
      const quality = original && decibel(psnr(clean, values));
      const read = reader && `reader: ${reading(reader.run(values))}`;
      return [quality, read].filter(Boolean).join(" · ");
    },
  });
  return ({ strength }) => {
    const noisy = noisyOf(strength);
    return { Noisy: picture(noisy), Denoised: picture(clip(network.run(noisy))) };
  };
}
