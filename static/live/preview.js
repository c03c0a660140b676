/**
 * Follows a slider of the page: draws noise and answer while it is dragged.
 *
 * Streamlit's own slider stays the only truth; it asks the server when it is released, and the
 * server's pictures have the last word.  Each of them is computed here as well: where the two are
 * more than one grey level apart, the preview is switched off for this visit.  Whatever is missing
 * (WebAssembly with SIMD, the slider, a file) leaves the page as it is without a preview.
 */

const { search } = new URL(import.meta.url); // The version, which all files share.
const [{ Network }, { apply, clip }] = await Promise.all([
  import(`./network.js${search}`),
  import(`./noise.js${search}`),
]);

const TOLERANCE = 1; // Grey levels.
const ARRAYS = { float32: Float32Array, float64: Float64Array, uint8: Uint8Array };

let trusted = true; // Until an answer differs from the server's.
let kernel; // A promise of the compiled kernel.
const networks = new Map(); // File or version -> a promise of the network.

const fetchBytes = async (name) => {
  const answer = await fetch(new URL(name, import.meta.url), { cache: "force-cache" });
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer.arrayBuffer();
};

/** Open a packed network by the name of its file, or from the bytes of a visitor's own. */
function open(name, content) {
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

const toLevels = (picture) => Uint8Array.from(picture, (value) => Math.round(255 * value));

/** Peak signal-to-noise ratio as text, as in `decibel` of the page. */
function psnr(clean, other) {
  let sum = 0;
  for (let i = 0; i < clean.length; i += 1) sum += (clean[i] - other[i]) ** 2;
  return sum ? `${(10 * Math.log10(clean.length / sum)).toFixed(1)} dB` : "∞ dB";
}

/** What a reader reads as text, as in `words` of the page. */
function words(chances) {
  const digit = chances.indexOf(Math.max(...chances));
  const percent = chances[digit] > 0.99 ? ">99" : (100 * chances[digit]).toFixed(0);
  return `reader: ${digit} (${percent}\u00a0%)`;
}

/** The page greys out what is still the server's, and older than the preview. */
function setBack(on) {
  document.documentElement.toggleAttribute("data-previewing", on);
}

export class Preview {
  /** @param {(made: object, strength: number) => void} show paints what was made, by title */
  constructor(show) {
    this.show = show;
    this.held = false; // Whether the visitor moves the slider: the server moves it too.
    this.observer = new MutationObserver(() => { if (this.held) this.moved(); });
    this.listeners = new AbortController();
    const options = { capture: true, passive: true, signal: this.listeners.signal };
    const on = (types, act) => {
      for (const type of types) document.addEventListener(type, act, options);
    };
    on(["pointerdown", "keydown"], ({ target }) => this.take(target));
    on(["pointerup", "pointercancel", "keyup"], () => { this.held = false; });
  }

  stop() {
    this.listeners.abort();
    this.observer.disconnect();
    this.now = null;
    setBack(false);
  }

  /** The visitor takes hold of something: is it the slider? */
  take(target) {
    const { around } = this.wanted ?? {};
    if (!around || !target.closest?.(around)) return;
    this.held = true;
    // Streamlit may have put another slider in its place since.
    const slider = document.querySelector(`${around} input[type=range]`);
    if (slider === this.slider) return;
    this.observer.disconnect();
    this.slider = slider;
    if (slider) this.observer.observe(slider, { attributeFilter: ["value"] });
  }

  /** Go on from the pictures of the server's newest message. */
  async follow({ preview, pictures }) {
    setBack(false);
    this.now = null;
    const wanted = (this.wanted = preview); // Another message may overtake what is loaded here.
    if (!preview || !trusted) return;
    const parts = Object.fromEntries(preview.parts.map((part) => [part.name, part]));
    const array = ({ type, content }) => new ARRAYS[type](content.slice().buffer);
    const [network, reader] = await Promise.all([
      open(preview.network, parts.network?.content),
      preview.reader && open(preview.reader),
    ]);
    if (wanted !== this.wanted) return;

    const { width, height } = preview;
    const sent = Object.fromEntries(pictures.map((picture) => [picture.title, picture]));
    // Originals come in 256 greys, so their levels are all there is to know of them.
    const levels = sent.Original?.content ?? new Uint8Array(width * height);
    const pattern = {
      numbers: array(parts.numbers),
      quantiles: parts.quantiles && array(parts.quantiles),
      width,
      height,
    };
    const clean = Float32Array.from(levels, (level) => level / 255);
    this.now = { ...preview, network, reader, sent, clean, pattern, shown: preview.strength };
    setTimeout(() => this.check(this.now), 0); // Once the server's pictures are on the screen.
    if (this.held) this.moved(); // On from there already.
  }

  /** Draw once for each frame of the screen, with the slider's value at that time. */
  moved() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  draw() {
    const { now, slider } = this;
    const strength = Number(slider?.value);
    if (!now || !slider || strength === now.shown) return;
    now.shown = strength;
    const isServers = strength === now.strength;
    this.show(isServers ? this.servers(now) : this.previewed(now, strength), strength);
    setBack(!isServers);
  }

  /** The pictures and words of the server, for when the slider is back where it was. */
  servers({ sent }) {
    const made = {};
    for (const title of ["Noisy", "Denoised"]) {
      made[title] = { levels: sent[title].content, caption: sent[title].caption };
    }
    return made;
  }

  previewed(now, strength) {
    const made = {};
    for (const [title, picture] of Object.entries(this.make(now, strength))) {
      const caption = [
        now.sent.Original && psnr(now.clean, picture),
        now.reader && words(now.reader.run(picture)),
      ];
      made[title] = { levels: toLevels(picture), caption: caption.filter(Boolean).join(" · ") };
    }
    return made;
  }

  make({ kind, clean, pattern, network }, strength) {
    const noisy = clip(apply[kind](clean, strength, pattern));
    return { Noisy: noisy, Denoised: clip(network.run(noisy)) };
  }

  /** A browser that computes something else than the server must not show it. */
  check(now) {
    if (!now || now !== this.now) return;
    for (const [title, picture] of Object.entries(this.make(now, now.strength))) {
      const { content } = now.sent[title];
      const levels = toLevels(picture);
      const off = levels.reduce((most, v, i) => Math.max(most, Math.abs(v - content[i])), 0);
      if (off <= TOLERANCE) continue;
      trusted = false;
      this.stop();
      console.info(`Live preview off: ${title} is ${off} grey levels from the server's.`);
      return;
    }
  }
}
