/**
 * The comparison viewer: pictures of one scene, side by side, under a wipe, flipped in
 * place, or as their difference.
 *
 * Every picture is a canvas of its own size that CSS scales, so a canvas always holds the
 * exact pixels that were sent.  All canvases share one view.  Zoom is counted in pixels of
 * the screen (device pixels) per pixel of the picture: at 100 % nothing is resampled, on
 * any screen.
 *
 *   bytes -> pixels.js -> pictures -> paint -> canvases
 *                         gestures.js -> view -> geometry.js -> layout, render
 *
 * A page may ask for a live preview (static/live/preview.js), which paints over the pictures
 * until the server's next ones come.
 */

const { search } = new URL(import.meta.url); // The version, which all files share.
const text = async (name) => (await fetch(new URL(name + search, import.meta.url))).text();
const [
  { decode, difference, toImageData, unpack },
  { GAP, clamp, fitZoom, fitting, fullGrid, grid, heightFor, isPannable, isSmall, nextZoom,
    pinned, placeOf, zoomOf, zoomRange },
  { Gestures, WHEEL_KEY },
  html,
  css,
] = await Promise.all([
  import(`./pixels.js${search}`),
  import(`./geometry.js${search}`),
  import(`./gestures.js${search}`),
  text("viewer.html"),
  text("viewer.css"),
]);

const FIGURE_SPACE = "\u2007";

/** When what is missing is asked for, in ms: Streamlit forgets a trigger whose run is broken off. */
const ASKS = [0, 2000, 6000];

/** The view chosen under each key: it outlives the element, as when a page is left. */
const views = new Map();

/** The viewer that lives in each root element: Streamlit calls us again for new data. */
const viewers = new WeakMap();

/** Show `data`, what `to_bytes` in pages/components/viewer wrote; return what to call when the element goes. */
export function mount({ parentElement, data, setTriggerValue }) {
  const place = parentElement.querySelector(".place-of-viewer");
  if (place && !place.firstChild) place.innerHTML = `<style>${css}</style>${html}`;
  const root = parentElement.querySelector(".viewer");
  if (!root || !data) return undefined;
  let viewer = viewers.get(root);
  if (!viewer) {
    viewer = new Viewer(root);
    viewers.set(root, viewer);
  }
  const header = unpack(data);
  if (header) viewer.update(header).catch((error) => viewer.fail(error));
  const ask = () => setTriggerValue("missing", true); // The server sends everything again.
  const timers = header ? [] : ASKS.map((after) => setTimeout(ask, after));
  // Streamlit may run the clean-up of a call that a newer call has overtaken, so only a
  // root that has left the page is taken apart.
  return () => {
    timers.forEach(clearTimeout);
    if (root.isConnected) return;
    viewer.destroy();
    viewers.delete(root);
  };
}

// ------------------------------------------------------------------------- helpers

const percent = (zoom) => `${Math.round(100 * zoom)} %`;

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

/** Write a text into the node that is there: another node would cost more of a frame. */
function write(target, text) {
  if (target.firstChild) target.firstChild.data = text;
  else target.textContent = text;
}

const padded = (level) => String(level).padStart(3, FIGURE_SPACE);

const touchOnly = () => window.matchMedia("(hover: none)").matches;

// -------------------------------------------------------------------------- viewer

class Viewer {
  constructor(root) {
    this.root = root;
    this.frame = root.parentElement;
    this.stage = this.find(".stage");
    this.panelsElement = this.find(".panels");
    this.handle = this.find(".handle");
    this.pictures = [];
    this.held = false;
    this.newest = 0;
    this.listeners = new AbortController();
    this.observer = new ResizeObserver(() => this.resized());
    this.observer.observe(root);
    // The page's own zoom, and another screen, may leave the width as it is.
    const { signal } = this.listeners;
    window.addEventListener("resize", () => this.resized(), { signal });
    this.gestures = new Gestures(this);
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  all(selector) {
    return [...this.root.querySelectorAll(selector)];
  }

  destroy() {
    this.preview?.stop();
    this.listeners.abort();
    this.observer.disconnect();
  }

  /** Say what went wrong in the viewer's own place; the page goes on. */
  fail(error) {
    console.error("Comparison viewer:", error);
    this.find(".advice").textContent = "The pictures could not be drawn. Reload the page.";
  }

  // ------------------------------------------------------------------ new pictures

  async update(header) {
    const call = (this.newest += 1);
    this.header = header;
    delete this.root.dataset.live;
    if (header.version === this.version && this.sameShape(header)) {
      this.shown = call;
      this.describe(header);
      this.layout();
      this.follow(header);
      return;
    }
    if (!this.pictures.length) this.prepare(header);
    const same = this.sameShape(header);
    const decoded = header.pictures.map((picture, i) =>
      same && picture.version === this.pictures[i].version
        ? null // It is painted already.
        : decode(picture, header.width, header.height));
    // Raw pixels are painted before we return, hence in the frame in which they arrived.
    const drawables = decoded.some((d) => d instanceof Promise)
      ? await Promise.all(decoded)
      : decoded;
    if (call !== this.newest) {
      for (const drawable of drawables) drawable?.close?.();
      return;
    }
    if (!this.sameShape(header)) this.prepare(header);
    this.describe(header);
    this.paint(drawables, header);
    this.shown = call;
    this.layout();
    this.follow(header);
  }

  sameShape({ width, height, pictures }) {
    return (
      width === this.width &&
      height === this.height &&
      pictures.length === this.pictures.length &&
      pictures.every((picture, i) => picture.title === this.pictures[i].title)
    );
  }

  /** Make room for these pictures: panels, menus, and a view that fits them. */
  prepare(header) {
    const { width, height, pictures } = header;
    Object.assign(this, { width, height, version: null });
    this.panelsElement.replaceChildren();
    this.pictures = pictures.map(({ title }) => this.addPanel(title));
    this.differencePanel = this.addPanel("Difference");
    this.view = this.startingView(header);
    views.set(header.key, this.view);
    this.fillMenus();
    this.describe(header);
    this.layout();
  }

  addPanel(title) {
    const panel = element("figure", "panel");
    const heading = element("figcaption", "heading");
    const caption = element("span", "caption");
    heading.append(element("span", "title", title), caption);
    const viewport = element("div", "viewport");
    const canvas = element("canvas", "picture");
    Object.assign(canvas, { width: this.width, height: this.height });
    canvas.dataset.title = title;
    canvas.setAttribute("role", "img");
    const marker = element("div", "marker");
    viewport.append(canvas, marker);
    panel.append(heading, viewport);
    this.panelsElement.append(panel);
    // The pixels are read again for the difference and the read-out.
    const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    return {
      title, panel, caption, viewport, canvas, context, marker, pixels: null, version: null,
    };
  }

  /** What was chosen before under this key, as far as it applies to these pictures. */
  startingView(header) {
    const { key, width, height, pictures, zoom } = header;
    const titles = pictures.map(({ title }) => title);
    const last = titles.length - 1;
    const named = (title, otherwise) =>
      titles.includes(title) ? title : titles[clamp(otherwise, 0, last)];
    const size = `${width}x${height}`;
    const before = views.get(key);
    const view = {
      mode: "side",
      wipe: 0.5,
      signed: true,
      gain: isSmall(header) ? 1 : 4,
      ...before,
    };
    if (!before || before.size !== size) {
      Object.assign(view, { size, fit: !zoom, zoom: zoom ?? 1, x: 0.5, y: 0.5 });
    }
    const keep = (choice, title, otherwise) => {
      if (!titles.includes(view[choice])) view[choice] = named(title, otherwise);
    };
    keep("left", "Noisy", last - 1);
    keep("right", "Denoised", last);
    keep("shown", "Denoised", last);
    keep("other", "Noisy", last - 1);
    keep("reference", "Original", 0);
    keep("compared", "Denoised", last);
    return view;
  }

  fillMenus() {
    for (const select of this.all("select")) {
      const options = this.pictures.map(({ title }) => {
        const option = element("option", "", title);
        option.value = title;
        return option;
      });
      select.replaceChildren(...options);
    }
    const buttons = this.pictures.map(({ title }, i) => {
      const button = element("button", "");
      button.type = "button";
      button.dataset.show = title;
      button.append(element("kbd", "", String(i + 1)), ` ${title}`);
      return button;
    });
    this.find(".numbers").replaceChildren(...buttons);
    const line = this.find(".pixel");
    line.replaceChildren(element("span", "place"));
    for (const { title } of this.pictures) {
      const cell = element("span", "cell", `${title} `);
      cell.append(element("b", "level"));
      line.append(cell);
    }
  }

  /** Take over the words that come with the pictures. */
  describe(header) {
    this.areaHeight = header.areaHeight;
    this.labels = header.classes?.labels;
    header.pictures.forEach(({ title, alt, caption, channels }, i) => {
      const picture = this.pictures[i];
      picture.channels = channels;
      picture.classes = header.classes?.maps.find((map) => map.title === title);
      picture.canvas.setAttribute("aria-label", alt);
      picture.caption.textContent = caption;
    });
  }

  paint(drawables, { pictures, version }) {
    drawables.forEach((drawable, i) => {
      const picture = this.pictures[i];
      picture.canvas.dataset.version = version;
      picture.version = pictures[i].version;
      if (!drawable) return;
      if (drawable instanceof ImageData) {
        picture.context.putImageData(drawable, 0, 0);
        picture.pixels = drawable;
      } else {
        picture.context.drawImage(drawable, 0, 0);
        picture.pixels = null;
        drawable.close();
      }
    });
    this.version = version;
    this.measured = null;
    this.root.dataset.version = version;
    delete this.root.dataset.preview;
  }

  // ----------------------------------------------------------------------- preview

  /** Let the live preview, if there is one, go on from the pictures of this message. */
  async follow(header) {
    if (!header.preview && !this.preview) return;
    try {
      if (!this.preview) {
        const { Preview } = await import(`../live/preview.js${search}`);
        if (this.listeners.signal.aborted) return; // The viewer has left the page meanwhile.
        this.preview ??= new Preview({
          show: (made, by) => this.showPreview(made, by),
          restore: () => this.update(this.header),
          painted: (title) => this.pixelsOf(this.picture(title)).data,
        });
      }
      // Without a pause in between: else the slider's next frame would be one of the old preview.
      await this.preview.follow(header);
      this.root.dataset.live = this.preview.now ? "ready" : "off";
    } catch (error) {
      // Nothing is lost but the preview: the server's pictures come as before.
      console.info("No live preview:", error);
    }
  }

  /**
   * Paint what was made in the browser, until the server's next pictures come.
   *
   * @param {object} made 8-bit values and a function that words them, by title
   * @param {string} by what they were made with; tests read it
   */
  showPreview(made, by) {
    if (this.shown !== this.newest) return; // Newer pictures are being decoded.
    for (const picture of this.pictures) {
      const { levels, channels, caption } = made[picture.title] ?? {};
      if (!levels) continue;
      picture.pixels = toImageData(levels, this.width, this.height, channels);
      picture.context.putImageData(picture.pixels, 0, 0);
      if (caption) write(picture.caption, caption());
      picture.version = null;
    }
    this.version = `preview ${by}`;
    this.measured = null;
    this.root.dataset.preview = by;
    // Nothing else of the screen depends on the pixels.
    this.renderCaptions();
    if (this.view.mode === "difference") this.renderDifference();
    this.renderPixel();
  }

  picture(title) {
    return this.pictures.find((picture) => picture.title === title) ?? this.pictures[0];
  }

  pixelsOf(picture) {
    picture.pixels ??= picture.context.getImageData(0, 0, this.width, this.height);
    return picture.pixels;
  }

  // ------------------------------------------------------------------------ layout

  get full() {
    return this.root.classList.contains("full");
  }

  resized() {
    if (this.sizes() !== this.laidOut && this.pictures.length) this.layout();
  }

  /** All that a layout follows from: sizes, and how many pixels of the screen each has. */
  sizes() {
    const height = this.full ? this.root.clientHeight : 0;
    return `${this.root.clientWidth} ${height} ${window.devicePixelRatio}`;
  }

  /** Give every panel its size for the mode and the available width, then draw the view. */
  layout() {
    const width = this.root.clientWidth;
    if (!width) return;
    this.ratio = window.devicePixelRatio || 1;
    const before = this.laidOut;
    this.laidOut = this.sizes();
    this.root.dataset.mode = this.view.mode;
    for (const part of this.all("[data-for]")) part.hidden = part.dataset.for !== this.view.mode;
    if (this.view.mode === "side") this.layoutSide();
    else this.layoutSingle();
    this.render();
    this.keepRoomForWords(before !== this.laidOut);
  }

  /** A caption that needed two lines once keeps them, or the pictures would jump. */
  keepRoomForWords(afresh) {
    const words = this.all(".heading, .choices");
    if (afresh) for (const part of words) part.style.minHeight = "";
    const heights = words.map((part) => part.offsetHeight);
    words.forEach((part, i) => {
      if (heights[i]) part.style.minHeight = `${heights[i]}px`;
    });
  }

  layoutSide() {
    const width = this.stage.clientWidth;
    const count = this.pictures.length;
    const { columns, slot, height } = this.full
      ? fullGrid(this, width, this.stage.clientHeight, count)
      : grid(this, width, count, this.areaHeight);
    const zoom = fitting(this, slot, height);
    const [shownWidth, shownHeight] = [this.width, this.height].map((n) => (n * zoom) / this.ratio);
    // A panel hugs its picture.  Only a tall photo, which the height limits, keeps the rest of
    // its column: the zoomed view can use it.
    const hugs = !this.full && (isSmall(this) || fitting(this, slot, Infinity) === zoom);
    this.viewportWidth = hugs ? Math.ceil(shownWidth) : slot;
    this.viewportHeight = hugs && isSmall(this) ? Math.ceil(shownHeight) : height;
    const spare = (width - columns * this.viewportWidth) / Math.max(1, columns - 1);
    this.panelsElement.style.columnGap = `${Math.floor(clamp(spare, GAP, 3 * GAP))}px`;
    this.panelsElement.style.gridTemplateColumns = `repeat(${columns}, ${this.viewportWidth}px)`;
    this.stage.style.height = "";
    for (const { viewport } of this.pictures) viewport.style.height = `${this.viewportHeight}px`;
  }

  layoutSingle() {
    this.viewportWidth = this.stage.clientWidth;
    this.viewportHeight = this.full
      ? this.stage.clientHeight
      : heightFor(this, this.viewportWidth, 1, this.areaHeight);
    this.panelsElement.style.gridTemplateColumns = "";
    this.stage.style.height = this.full ? "" : `${this.viewportHeight}px`;
    for (const { viewport } of [...this.pictures, this.differencePanel]) {
      viewport.style.height = "";
    }
  }

  // -------------------------------------------------------------------------- view

  get zoom() {
    return zoomOf(this);
  }

  place() {
    return placeOf(this);
  }

  get pannable() {
    return isPannable(this);
  }

  /** Zoom about a point of the viewport (its middle, when none is given). */
  zoomTo(zoom, at = { x: this.viewportWidth / 2, y: this.viewportHeight / 2 }) {
    const before = this.place();
    const inPicture = {
      x: (at.x - before.left) / before.width,
      y: (at.y - before.top) / before.height,
    };
    this.view.zoom = clamp(zoom, ...zoomRange(this));
    this.view.fit = false;
    this.pinTo(inPicture, at);
  }

  /** Move the view so that a point of the picture (in 0..1) lies at a point of the viewport. */
  pinTo(inPicture, at) {
    Object.assign(this.view, pinned(this, inPicture, at));
    this.render();
  }

  panBy(x, y) {
    const { left, top, width, height } = this.place();
    const middle = { x: this.viewportWidth / 2, y: this.viewportHeight / 2 };
    const inPicture = { x: (middle.x - left) / width, y: (middle.y - top) / height };
    this.pinTo(inPicture, { x: middle.x + x, y: middle.y + y });
  }

  fit() {
    Object.assign(this.view, { fit: true, x: 0.5, y: 0.5 });
    this.render();
  }

  /** Double click: into the picture at this point, or back to the whole. */
  toggleZoom(at) {
    if (!this.view.fit) this.fit();
    else this.zoomTo(fitZoom(this) < 0.99 ? 1 : 3 * fitZoom(this), at);
  }

  stepZoom(direction) {
    this.zoomTo(nextZoom(this, direction));
  }

  choose(choices) {
    const hadFocus = this.handle.matches(":focus");
    Object.assign(this.view, choices);
    this.layout();
    if (hadFocus && this.view.mode !== "wipe") this.stage.focus({ preventScroll: true });
  }

  show(title) {
    const other = title === this.view.shown ? this.view.other : this.view.shown;
    this.choose({ mode: "flip", shown: title, other });
  }

  hold(held) {
    if (this.held === held) return;
    this.held = held;
    this.render();
  }

  // ------------------------------------------------------------------------ render

  /** Bring the screen in line with the view. */
  render() {
    const { view } = this;
    const at = this.place();
    const showing = this.showing();
    for (const panel of [...this.pictures, this.differencePanel]) {
      panel.panel.toggleAttribute("data-visible", showing.includes(panel));
      panel.panel.style.clipPath = "";
      const { style } = panel.canvas;
      style.width = `${at.width}px`;
      style.height = `${at.height}px`;
      style.transform = `translate(${at.left}px, ${at.top}px)`;
    }
    this.root.classList.toggle("magnified", this.zoom >= 1);
    this.root.classList.toggle("pannable", this.pannable);
    this.root.dataset.zoom = String(this.zoom);
    this.root.dataset.x = String(view.x);
    this.root.dataset.y = String(view.y);
    this.find(".percent").textContent = percent(this.zoom);
    this.renderChoices();
    if (view.mode === "wipe") this.renderWipe(at);
    if (view.mode === "flip") this.renderFlip();
    if (view.mode === "difference") this.renderDifference();
    this.find(".advice").textContent = this.advice();
    this.renderPixel();
  }

  /** The panels that the mode shows. */
  showing() {
    const { mode, left, right, shown, other } = this.view;
    if (mode === "wipe") return [this.picture(left), this.picture(right)];
    if (mode === "flip") return [this.picture(this.held ? other : shown)];
    if (mode === "difference") return [this.differencePanel];
    return this.pictures;
  }

  renderChoices() {
    const { view } = this;
    const press = (name, value) => {
      for (const button of this.all(`button[data-${name}]`)) {
        button.setAttribute("aria-pressed", String(button.dataset[name] === String(value)));
      }
    };
    press("mode", view.mode);
    press("signed", view.signed);
    press("gain", view.gain);
    press("show", view.shown);
    for (const select of this.all("select")) select.value = view[select.dataset.pick];
    this.renderCaptions();
  }

  renderCaptions() {
    const { view } = this;
    for (const caption of this.all("[data-caption]")) {
      const title = caption.dataset.caption === "shown" && this.held
        ? view.other
        : view[caption.dataset.caption];
      write(caption, this.picture(title).caption.textContent);
    }
  }

  renderWipe(at) {
    const { left, right, wipe } = this.view;
    const from = Math.max(0, at.left);
    const to = Math.min(this.viewportWidth, at.left + at.width);
    const x = Math.round((from + (to - from) * wipe) * this.ratio) / this.ratio;
    this.picture(left).panel.style.clipPath = `inset(0 ${this.viewportWidth - x}px 0 0)`;
    this.picture(right).panel.style.clipPath = left === right ? "" : `inset(0 0 0 ${x}px)`;
    this.handle.style.left = `${x}px`;
    const share = Math.round(100 * wipe);
    this.handle.setAttribute("aria-valuenow", String(share));
    this.handle.setAttribute("aria-valuetext", `${share} % ${left}, the rest ${right}`);
    this.wipeRange = { from, to };
  }

  renderFlip() {
    this.find(".shown").textContent = this.held ? this.view.other : this.view.shown;
  }

  renderDifference() {
    const { compared, reference, signed, gain } = this.view;
    const wanted = JSON.stringify([this.version, compared, reference, signed, gain]);
    const panel = this.differencePanel;
    if (this.measured?.wanted !== wanted && this.version) {
      panel.pixels = new ImageData(this.width, this.height);
      const pair = [compared, reference].map((title) => this.pixelsOf(this.picture(title)));
      this.measured = { wanted, ...difference(...pair, panel.pixels, { signed, gain }) };
      panel.context.putImageData(panel.pixels, 0, 0);
      panel.canvas.dataset.version = this.version;
      panel.canvas.setAttribute("aria-label", `${compared} minus ${reference}`);
    }
    const reach = Math.ceil((signed ? 127 : 255) / gain);
    this.find(".least").textContent = signed ? `−${reach}` : "0";
    this.find(".most").textContent = signed ? `+${reach}` : `${reach}`;
    this.find(".words").textContent = this.legend(reach);
    const { mean = 0, largest = 0 } = this.measured ?? {};
    const size = `Mean difference ${mean.toFixed(1)}, largest ${largest}, of 255.`;
    this.find(".measured").textContent = size;
  }

  /** The scale of the difference in words. */
  legend(reach) {
    const { compared, reference, signed } = this.view;
    const apart = this.pictures.some(({ channels }) => channels === 3)
      ? " Red, green and blue are compared one by one."
      : "";
    return signed
      ? `Mid-grey: no difference. Lighter or darker: ${compared} is lighter or darker than ` +
          `${reference}. White and black: by ${reach} levels or more.${apart}`
      : `Black: no difference. White: ${reach} levels or more.${apart}`;
  }

  /** One line on what can be done here, or on what this zoom hides. */
  advice() {
    const touch = touchOnly();
    const { mode, other } = this.view;
    if (mode === "flip") {
      return touch
        ? `Hold the picture to see ${other}.`
        : `Hold the picture or the space bar to see ${other}. Keys 1 to ${this.pictures.length}.`;
    }
    if (this.zoom < 0.99) {
      return `At ${percent(this.zoom)} not every pixel is shown: judge details at 100 %.`;
    }
    if (mode === "wipe") {
      return touch ? "Drag the line across." : "Drag the line, or move it with the arrow keys.";
    }
    return touch
      ? "Pinch to zoom."
      : `${WHEEL_KEY} + wheel zooms, dragging moves, keys 1 to ${this.pictures.length} flip.`;
  }

  renderPixel() {
    const { pixel } = this;
    const line = this.find(".pixel");
    line.classList.toggle("off", !pixel);
    this.find(".advice").classList.toggle("off", Boolean(pixel));
    const at = this.place();
    for (const { marker } of [...this.pictures, this.differencePanel]) {
      marker.hidden = !pixel || at.scale < 4;
      if (marker.hidden) continue;
      marker.style.width = marker.style.height = `${at.scale}px`;
      const left = at.left + pixel.x * at.scale;
      marker.style.transform = `translate(${left}px, ${at.top + pixel.y * at.scale}px)`;
    }
    if (!pixel || !this.version) return;
    const digits = String(Math.max(this.width, this.height) - 1).length;
    const [x, y] = [pixel.x, pixel.y].map((n) => String(n).padStart(digits, FIGURE_SPACE));
    this.find(".place").textContent = `x ${x}  y ${y}`;
    this.all(".level").forEach((cell, i) => {
      const picture = this.pictures[i];
      cell.textContent = picture.classes
        ? this.labelAt(picture.classes, pixel)
        : this.levels(picture, pixel).map(padded).join(" ");
    });
  }

  /** The name of what a pixel is; a dash where it has none, or the numbers are being read. */
  labelAt(map, { x, y }) {
    if (!map.numbers) this.readClasses(map);
    return this.labels[map.numbers?.[4 * (y * this.width + x)]] ?? "–";
  }

  /** Read the numbers of a map, which nobody needs before the mouse is over a picture. */
  async readClasses(map) {
    if (map.reading) return;
    map.reading = true;
    let read = await decode({ ...map, channels: 1 }, this.width, this.height);
    if (!(read instanceof ImageData)) {
      const canvas = element("canvas", "");
      Object.assign(canvas, { width: this.width, height: this.height });
      const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
      context.drawImage(read, 0, 0);
      read.close();
      read = context.getImageData(0, 0, this.width, this.height);
    }
    map.numbers = read.data;
    this.renderPixel();
  }

  /** The 8-bit values of a pixel: one where the picture is grey there, else three. */
  levels(picture, { x, y }) {
    const start = 4 * (y * this.width + x);
    const [red, green, blue] = this.pixelsOf(picture).data.subarray(start, start + 3);
    return picture.channels === 1 ? [red] : [red, green, blue];
  }

  // ------------------------------------------------------------------- full screen

  async toggleFullscreen() {
    if (this.full) {
      if (this.root.getRootNode().fullscreenElement === this.root) await document.exitFullscreen();
      else this.overlay(false);
      return;
    }
    // The page keeps its length, so that it is found where it was left.
    this.frame.style.minHeight = `${this.frame.offsetHeight}px`;
    try {
      await this.root.requestFullscreen();
    } catch {
      this.overlay(true);
    }
  }

  fullscreenChanged() {
    this.setFull(this.root.getRootNode().fullscreenElement === this.root);
  }

  /** Phones without the Fullscreen API, and frames that forbid it: cover the page. */
  overlay(on) {
    if (on && this.root.showPopover) {
      this.root.popover = "manual";
      this.root.showPopover();
    } else if (!on && this.root.popover) {
      this.root.hidePopover();
      this.root.popover = null;
    }
    this.setFull(on);
  }

  setFull(full) {
    if (full === this.full || (full && !this.pictures.length)) return;
    this.root.classList.toggle("full", full);
    const label = full ? "Leave full screen" : "Full screen";
    const button = this.find("[data-action=fullscreen]");
    button.setAttribute("aria-label", label);
    button.title = label;
    if (!full) this.frame.style.minHeight = "";
    this.layout();
  }
}
