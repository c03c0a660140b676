/**
 * Follows sliders of the page: makes the pictures in the browser while one is dragged.
 *
 * Streamlit's own sliders stay the only truth; they ask the server when they are released, and
 * the server's pictures have the last word.  Each of those is made here as well: where the two are
 * more than one grey level apart, and still are a moment later, the preview is switched off for
 * this visit.  Whatever is missing (WebAssembly with SIMD, a slider, a file) leaves the page as it
 * is without a preview.
 *
 * What is made is up to one file a kind (`how`): digits.js adds noise and runs a network, photos.js
 * blends two photos, code.js runs a decoder, layers.js shows maps of a layer and skips.js a U-Net
 * with switches, which are followed like sliders.  Their `prepare` returns
 * `make(values of the sliders)`, which returns `{ title: { levels, channels, caption, tolerance } }`:
 * 8-bit values, a function that words them, and how many levels they may be off where that is more
 * than one.  Where that takes too much of a frame, aside.js has it done in a worker from then on; not
 * for a file that says `onPage`: it needs what the page has painted.
 */

const { search } = new URL(import.meta.url); // The version, which all files share.

const TOLERANCE = 1; // Grey levels.
const AGAIN = 500; // Milliseconds until a preview that seems wrong is looked at again.
const HEAVY = 8; // Milliseconds: half a frame; the slider needs the other half.
const TIMES = 3; // In a row: the first frames of a page are always slow.
const SWITCHED = "data-selected"; // What Streamlit's switches mark themselves with when on.

let trusted = true; // Until a picture differs from the server's.

/** The page greys out what is older than the preview. */
function setBack(on) {
  document.documentElement.toggleAttribute("data-previewing", on);
}

const input = (around) =>
  document.querySelector(`${around} :is(input[type=range], input[type=checkbox])`);

/** What a slider or a switch says now, as a number. */
function valueOf(around) {
  const it = input(around);
  return it?.type === "checkbox" ? Number(it.checked) : Number(it?.value);
}

export class Preview {
  /**
   * @param {object} screen what shows the pictures
   * @param {(made: object, by: string) => void} screen.show paints what was made, by title
   * @param {() => void} screen.restore paints the server's pictures again
   * @param {(title: string) => ?Uint8ClampedArray} screen.painted its pixels as RGBA; null
   *   where it has left the page
   * @param {number} [screen.settled] milliseconds until it shows what the server sent
   */
  constructor(screen) {
    this.screen = screen;
    this.heavy = 0; // How many previews in a row took too long.
    this.held = new Set(); // Fingers and keys that hold a slider: the server moves them too.
    this.observer = new MutationObserver((changes) => {
      // A switch changes once it is let go.
      if (this.held.size || changes.some((each) => each.attributeName === SWITCHED)) this.moved();
    });
    this.listeners = new AbortController();
    const options = { capture: true, passive: true, signal: this.listeners.signal };
    const on = (types, act) => {
      for (const type of types) document.addEventListener(type, act, options);
    };
    on(["pointerdown", "keydown"], (event) => this.take(event));
    on(["pointerup", "pointercancel", "keyup"], ({ pointerId, key }) => {
      this.held.delete(pointerId ?? key);
    });
  }

  stop() {
    this.listeners.abort();
    this.observer.disconnect();
    this.aside?.stop();
    this.now = null;
    setBack(false);
  }

  /** The visitor takes hold of something: is it one of the sliders? */
  take({ target, pointerId, key }) {
    const all = Object.values(this.wanted?.sliders ?? {});
    if (!all.some(({ around }) => target.closest?.(around))) return;
    this.held.add(pointerId ?? key);
    // Streamlit may have put another slider in its place since.
    this.observer.disconnect();
    for (const { around } of all) {
      const slider = input(around);
      const changing = slider?.closest("label") ?? slider; // The label of a switch says its state.
      if (changing) this.observer.observe(changing, { attributeFilter: ["value", SWITCHED] });
    }
  }

  /** Go on from the pictures of the server's newest message. */
  async follow(header) {
    const { preview } = header;
    setBack(false);
    this.now = null;
    this.wanted = preview; // Another message may overtake what is loaded here.
    if (!preview || !trusted) return;
    const { prepare, onPage } = await import(`./${preview.how}.js${search}`);
    const make = await prepare(header, this.screen);
    if (preview !== this.wanted) return;
    const before = Object.fromEntries(
      Object.entries(preview.sliders).map(([name, { value }]) => [name, value]),
    );
    this.now = { header, preview, make, onPage, before, shown: JSON.stringify(before) };
    const { now } = this;
    // Once the server's pictures are on the screen.
    setTimeout(() => this.check(now), this.screen.settled);
    if (this.held.size) this.moved(); // On from there already.
  }

  /** Draw for the sliders' values: on the page once for each frame of the screen. */
  moved() {
    if (this.aside && !this.now?.onPage) {
      this.draw(); // A worker that is asked at once can answer before that frame is painted.
      return;
    }
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  draw() {
    const { now } = this;
    if (!now || now.doubted) return;
    const sliders = Object.entries(now.preview.sliders);
    const values = Object.fromEntries(
      sliders.map(([name, { around }]) => [name, valueOf(around)]),
    );
    const key = JSON.stringify(values);
    if (key === now.shown || Object.values(values).some(Number.isNaN)) return;
    now.shown = key;
    if (key === JSON.stringify(now.before)) {
      this.screen.restore();
      setBack(false);
      return;
    }
    if (this.aside && !now.onPage) {
      this.aside.ask(now, values);
      return;
    }
    const began = performance.now();
    this.paint(now.make(values), values);
    const slow = performance.now() - began > HEAVY;
    this.heavy = slow ? this.heavy + 1 : Math.min(this.heavy, 0);
    if (this.heavy === TIMES && !now.onPage) this.employ();
  }

  paint(made, values) {
    this.screen.show(made, Object.values(values).join(" "));
    setBack(true);
  }

  /** From now on a worker makes the pictures; where it cannot, the page goes on. */
  async employ() {
    const { Aside } = await import(`./aside.js${search}`);
    if (this.listeners.signal.aborted) return; // Stopped meanwhile.
    this.aside = new Aside({
      answer: (now, made, values) => {
        // The slider may be back where the server's own pictures are of.
        if (now === this.now && now.shown !== JSON.stringify(now.before)) this.paint(made, values);
      },
      fail: (why) => {
        console.info("No worker for the live preview:", why);
        this.aside = null;
        this.heavy = -Infinity; // Not to be tried again.
        if (this.now) this.now.shown = null;
        this.moved();
      },
    });
  }

  /**
   * A browser that makes something else than the server must not show it.
   *
   * One look proves nothing: the page may have begun to show the server's next pictures.
   */
  check(now, lastLook = false) {
    if (!now || now !== this.now || now.shown !== JSON.stringify(now.before)) return;
    for (const [title, made] of Object.entries(now.make(now.before))) {
      const off = this.difference(title, made);
      if (off <= (made.tolerance ?? TOLERANCE)) continue;
      if (!lastLook) {
        now.doubted = true; // Until then it shows nothing.
        setTimeout(() => this.check(now, true), AGAIN);
        return;
      }
      trusted = false;
      this.stop();
      console.info(`Live preview off: ${title} is ${off} grey levels from the server's.`);
      return;
    }
    now.doubted = false;
    if (this.held.size) this.moved();
  }

  /** The largest difference to what the page shows, in grey levels; 0 where that has left it. */
  difference(title, { levels, channels }) {
    const painted = this.screen.painted(title);
    if (!painted) return 0;
    let off = 0;
    for (let from = 0, at = 0; from < levels.length; from += channels, at += 4) {
      for (let c = 0; c < Math.min(channels, 3); c += 1) {
        off = Math.max(off, Math.abs(levels[from + c] - painted[at + c]));
      }
    }
    return off;
  }
}
