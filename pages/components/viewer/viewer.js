/**
 * The comparison viewer: pictures of one scene, side by side, under a wipe, flipped in
 * place, or as their difference.
 *
 * Every picture is a canvas of its own size that CSS scales, so a canvas always holds the
 * exact pixels that were sent.  All canvases share one view.  Zoom is counted in pixels of
 * the screen (device pixels) per pixel of the picture: at 100 % nothing is resampled, on
 * any screen.
 *
 *   bytes -> unpack -> pictures -> paint -> canvases
 *                       clicks, keys, pointers -> view -> layout, render
 */

const GAP = 12;
const NARROWEST_SMALL = 96;
const NARROWEST_PHOTO = 220;
const SMALL_SIDE = 64;
const SMALL_AREA = 420;
const LEAST_HEIGHT = 200;
const SHARE_OF_WINDOW = 0.72;
const HEADER_HEIGHT = 48;
const LARGEST_ZOOM = 32;
const ZOOM_STEPS = [0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
const DRAG_THRESHOLD = 4;
const FIGURE_SPACE = "\u2007";

/** The view chosen under each key: it outlives the element, as when a page is left. */
const views = new Map();

/** The viewer that lives in each root element: Streamlit calls us again for new data. */
const viewers = new WeakMap();

export default function mount({ parentElement, data }) {
  const root = parentElement.querySelector(".viewer");
  if (!root || !data) return undefined;
  let viewer = viewers.get(root);
  if (!viewer) {
    viewer = new Viewer(root);
    viewers.set(root, viewer);
  }
  viewer.update(data).catch((error) => viewer.fail(error));
  // Streamlit may run the clean-up of a call that a newer call has overtaken, so only a
  // root that has left the page is taken apart.
  return () => {
    if (root.isConnected) return;
    viewer.destroy();
    viewers.delete(root);
  };
}

// ---------------------------------------------------------------------------- data

/**
 * @param {Uint8Array} data what `to_bytes` in viewer.py wrote
 * @returns the header, with the `content` (Uint8Array) of each picture
 */
function unpack(data) {
  const start = new DataView(data.buffer, data.byteOffset, 4).getUint32(0, true) + 4;
  const header = JSON.parse(new TextDecoder().decode(data.subarray(4, start)));
  let offset = start;
  for (const picture of header.pictures) {
    picture.content = data.subarray(offset, offset + picture.length);
    offset += picture.length;
  }
  return header;
}

/** Grey or colour bytes -> opaque RGBA. */
function toImageData(content, width, height, channels) {
  const rgba = new Uint8ClampedArray(4 * width * height);
  const green = channels === 3 ? 1 : 0;
  for (let from = 0, to = 0; to < rgba.length; from += channels, to += 4) {
    rgba[to] = content[from];
    rgba[to + 1] = content[from + green];
    rgba[to + 2] = content[from + 2 * green];
    rgba[to + 3] = 255;
  }
  return new ImageData(rgba, width, height);
}

/** Return something that can be painted: ImageData at once, or a promise of a bitmap. */
function decode(picture, width, height) {
  if (picture.encoding === "raw") {
    return toImageData(picture.content, width, height, picture.channels);
  }
  const file = new Blob([picture.content], { type: picture.encoding });
  return createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
}

/**
 * Write `compared - reference` into `target` and measure it.
 *
 * Signed: mid-grey (128) plus `gain` times the difference.  Absolute: `gain` times its
 * size.  Both per channel, both cut off at black and white, never stretched to fit.
 */
function difference(compared, reference, target, { signed, gain }) {
  let sum = 0;
  let largest = 0;
  const [a, b, out] = [compared.data, reference.data, target.data];
  for (let i = 0; i < out.length; i += 4) {
    for (let c = i; c < i + 3; c += 1) {
      const change = a[c] - b[c];
      const size = Math.abs(change);
      sum += size;
      if (size > largest) largest = size;
      out[c] = signed ? 128 + gain * change : gain * size;
    }
    out[i + 3] = 255;
  }
  return { mean: sum / (0.75 * out.length), largest };
}

// ------------------------------------------------------------------------- helpers

const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

const percent = (zoom) => `${Math.round(100 * zoom)} %`;

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

const padded = (level) => String(level).padStart(3, FIGURE_SPACE);

const WHEEL_KEY = /Mac|iP/.test(navigator.platform) ? "⌘" : "Ctrl";

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
    this.pointers = new Map();
    this.gesture = null;
    this.held = false;
    this.armed = false;
    this.newest = 0;
    this.listeners = new AbortController();
    this.observer = new ResizeObserver(() => this.resized());
    this.observer.observe(root);
    this.listen();
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  all(selector) {
    return [...this.root.querySelectorAll(selector)];
  }

  destroy() {
    this.listeners.abort();
    this.observer.disconnect();
  }

  /** Say what went wrong in the viewer's own place; the page goes on. */
  fail(error) {
    console.error("Comparison viewer:", error);
    this.find(".advice").textContent = "The pictures could not be drawn. Reload the page.";
  }

  // ------------------------------------------------------------------ new pictures

  async update(data) {
    const call = (this.newest += 1);
    const header = unpack(data);
    if (header.version === this.version && this.sameShape(header)) {
      this.describe(header);
      this.layout();
      return;
    }
    if (!this.pictures.length) this.prepare(header);
    const decoded = header.pictures.map((p) => decode(p, header.width, header.height));
    // Raw pixels are painted before we return, hence in the frame in which they arrived.
    const drawables = decoded.some((d) => d instanceof Promise)
      ? await Promise.all(decoded)
      : decoded;
    if (call !== this.newest) {
      for (const drawable of drawables) drawable.close?.();
      return;
    }
    if (!this.sameShape(header)) this.prepare(header);
    this.describe(header);
    this.paint(drawables, header.version);
    this.layout();
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
    return { title, panel, caption, viewport, canvas, context, marker, pixels: null };
  }

  /** What was chosen before under this key, as far as it applies to these pictures. */
  startingView({ key, width, height, pictures }) {
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
      gain: Math.max(width, height) <= SMALL_SIDE ? 1 : 4,
      ...before,
    };
    if (!before || before.size !== size) {
      Object.assign(view, { size, fit: true, zoom: 1, x: 0.5, y: 0.5 });
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
    header.pictures.forEach(({ alt, caption, channels }, i) => {
      const picture = this.pictures[i];
      picture.channels = channels;
      picture.canvas.setAttribute("aria-label", alt);
      picture.caption.textContent = caption;
    });
  }

  paint(drawables, version) {
    drawables.forEach((drawable, i) => {
      const picture = this.pictures[i];
      if (drawable instanceof ImageData) {
        picture.context.putImageData(drawable, 0, 0);
        picture.pixels = drawable;
      } else {
        picture.context.drawImage(drawable, 0, 0);
        picture.pixels = null;
        drawable.close();
      }
      picture.canvas.dataset.version = version;
    });
    this.version = version;
    this.measured = null;
    this.root.dataset.version = version;
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
    const size = `${this.root.clientWidth} ${this.full ? this.root.clientHeight : 0}`;
    if (size !== this.laidOut && this.pictures.length) this.layout();
  }

  /** Give every panel its size for the mode and the width at hand, then draw the view. */
  layout() {
    const width = this.root.clientWidth;
    if (!width) return;
    this.ratio = window.devicePixelRatio || 1;
    const before = this.laidOut;
    this.laidOut = `${width} ${this.full ? this.root.clientHeight : 0}`;
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
    const { columns, slot, height } = this.full ? this.fullGrid() : this.grid(width);
    const zoom = this.fitting(slot, height);
    const [shownWidth, shownHeight] = [this.width, this.height].map((n) => (n * zoom) / this.ratio);
    // A panel hugs its picture.  Only a tall photo, which the height limits, keeps the rest of
    // its column: the zoomed view can use it.
    const hugs = !this.full && (this.isSmall || this.fitting(slot, Infinity) === zoom);
    this.viewportWidth = hugs ? Math.ceil(shownWidth) : slot;
    this.viewportHeight = hugs && this.isSmall ? Math.ceil(shownHeight) : height;
    const spare = (width - columns * this.viewportWidth) / Math.max(1, columns - 1);
    this.panelsElement.style.columnGap = `${Math.floor(clamp(spare, GAP, 3 * GAP))}px`;
    this.panelsElement.style.gridTemplateColumns = `repeat(${columns}, ${this.viewportWidth}px)`;
    this.stage.style.height = "";
    for (const { viewport } of this.pictures) viewport.style.height = `${this.viewportHeight}px`;
  }

  /** The most columns in which a picture is still large enough to be judged. */
  grid(width) {
    const count = this.pictures.length;
    const narrowest = this.isSmall ? NARROWEST_SMALL : NARROWEST_PHOTO;
    const most = clamp(Math.floor((width + GAP) / (narrowest + GAP)), 1, count);
    const rows = Math.ceil(count / most);
    const columns = Math.ceil(count / rows);
    const slot = Math.floor((width - GAP * (columns - 1)) / columns);
    return { columns, slot, height: this.heightFor(slot, rows) };
  }

  /** In full screen: the columns that show the pictures largest. */
  fullGrid() {
    const [width, height] = [this.stage.clientWidth, this.stage.clientHeight];
    const count = this.pictures.length;
    const grids = this.pictures.map((_, i) => {
      const columns = i + 1;
      const rows = Math.ceil(count / columns);
      return {
        columns,
        slot: Math.floor((width - GAP * (columns - 1)) / columns),
        height: Math.floor((height - GAP * (rows - 1)) / rows) - HEADER_HEIGHT,
      };
    });
    return grids.reduce((best, grid) =>
      this.fitting(grid.slot, grid.height) > this.fitting(best.slot, best.height) ? grid : best,
    );
  }

  layoutSingle() {
    this.viewportWidth = this.stage.clientWidth;
    this.viewportHeight = this.full
      ? this.stage.clientHeight
      : this.heightFor(this.viewportWidth, 1);
    this.panelsElement.style.gridTemplateColumns = "";
    this.stage.style.height = this.full ? "" : `${this.viewportHeight}px`;
    for (const { viewport } of [...this.pictures, this.differencePanel]) {
      viewport.style.height = "";
    }
  }

  get isSmall() {
    return Math.max(this.width, this.height) <= SMALL_SIDE;
  }

  /** The height of a picture area of this width, in CSS pixels. */
  heightFor(width, rows) {
    if (this.areaHeight) return Math.max(Math.floor(this.areaHeight / rows), 1);
    const most = this.isSmall
      ? SMALL_AREA
      : Math.max(LEAST_HEIGHT, SHARE_OF_WINDOW * window.innerHeight);
    return Math.ceil((this.height * this.fitting(width, most)) / this.ratio);
  }

  /**
   * The zoom at which the whole picture fits: a whole number where that costs at most a
   * third of the size, because then all its pixels are equally large.
   */
  fitting(width, height) {
    const zoom = this.ratio * Math.min(width / this.width, height / this.height);
    const whole = Math.floor(zoom);
    return 3 * whole >= 2 * zoom ? whole : zoom;
  }

  // -------------------------------------------------------------------------- view

  get fitZoom() {
    return this.fitting(this.viewportWidth, this.viewportHeight);
  }

  get zoom() {
    return this.view.fit ? this.fitZoom : this.view.zoom;
  }

  /** Where the picture lies in its viewport, in CSS pixels on whole device pixels. */
  place() {
    const scale = this.zoom / this.ratio;
    const along = (length, room, centre) => {
      const left = length <= room ? (room - length) / 2 : room / 2 - centre * length;
      const kept = length <= room ? left : clamp(left, room - length, 0);
      return Math.round(kept * this.ratio) / this.ratio;
    };
    const width = this.width * scale;
    const height = this.height * scale;
    return {
      scale,
      width,
      height,
      left: along(width, this.viewportWidth, this.view.x),
      top: along(height, this.viewportHeight, this.view.y),
    };
  }

  get pannable() {
    const { width, height } = this.place();
    return width > this.viewportWidth + 0.5 || height > this.viewportHeight + 0.5;
  }

  get zoomRange() {
    return [Math.min(this.fitZoom, 1), Math.max(LARGEST_ZOOM, 4 * this.fitZoom)];
  }

  /** Zoom about a point of the viewport (its middle, when none is given). */
  zoomTo(zoom, at = { x: this.viewportWidth / 2, y: this.viewportHeight / 2 }) {
    const before = this.place();
    const inPicture = {
      x: (at.x - before.left) / before.width,
      y: (at.y - before.top) / before.height,
    };
    this.view.zoom = clamp(zoom, ...this.zoomRange);
    this.view.fit = false;
    this.pinTo(inPicture, at);
  }

  /** Move the view so that a point of the picture (in 0..1) lies at a point of the viewport. */
  pinTo(inPicture, at) {
    const { width, height } = this.place();
    const along = (length, room, fraction, point) => {
      const reach = room / 2 / length;
      return reach >= 0.5 ? 0.5 : clamp(fraction + (room / 2 - point) / length, reach, 1 - reach);
    };
    this.view.x = along(width, this.viewportWidth, inPicture.x, at.x);
    this.view.y = along(height, this.viewportHeight, inPicture.y, at.y);
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
    else this.zoomTo(this.fitZoom < 0.99 ? 1 : 3 * this.fitZoom, at);
  }

  stepZoom(direction) {
    const steps = direction > 0 ? ZOOM_STEPS : [...ZOOM_STEPS].reverse();
    const next = steps.find((step) => direction * (step - this.zoom) > 0.001 * this.zoom);
    this.zoomTo(next ?? this.zoom * 2 ** direction);
  }

  choose(choices) {
    Object.assign(this.view, choices);
    this.layout();
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
    for (const caption of this.all("[data-caption]")) {
      const title = caption.dataset.caption === "shown" && this.held
        ? view.other
        : view[caption.dataset.caption];
      caption.textContent = this.picture(title).caption.textContent;
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
    this.find(".ramp").classList.toggle("signed", signed);
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
      return `At ${percent(this.zoom)} not every pixel is shown: judge the noise at 100 %.`;
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
      cell.textContent = this.levels(this.pictures[i], pixel).map(padded).join(" ");
    });
  }

  /** The 8-bit values of a pixel: one where the picture is grey there, else three. */
  levels(picture, { x, y }) {
    const start = 4 * (y * this.width + x);
    const [red, green, blue] = this.pixelsOf(picture).data.subarray(start, start + 3);
    return picture.channels === 1 ? [red] : [red, green, blue];
  }

  // ------------------------------------------------------------------------- input

  listen() {
    const { signal } = this.listeners;
    const on = (target, type, handler, options = {}) =>
      target.addEventListener(type, handler.bind(this), { signal, ...options });
    on(this.root, "click", this.clicked);
    on(this.root, "change", this.picked);
    on(this.root, "keydown", this.keyDown);
    on(this.root, "keyup", this.keyUp);
    on(this.root, "focusout", this.focusOut);
    on(this.root, "pointerleave", () => (this.armed = false));
    on(this.stage, "pointerdown", this.pointerDown);
    on(this.stage, "pointermove", this.pointerMove);
    on(this.stage, "pointerup", this.pointerUp);
    on(this.stage, "pointercancel", this.pointerUp);
    on(this.stage, "pointerleave", () => this.hover(null));
    on(this.stage, "dblclick", this.doubleClicked);
    on(this.stage, "contextmenu", this.contextMenu);
    on(this.stage, "wheel", this.wheel, { passive: false });
    on(this.stage, "touchmove", this.touchMove, { passive: false });
    on(document, "fullscreenchange", this.fullscreenChanged);
  }

  clicked(event) {
    const button = event.target.closest("button");
    if (!button || !this.pictures.length) return;
    const { mode, action, signed, gain, show } = button.dataset;
    if (mode) this.choose({ mode });
    else if (signed) this.choose({ signed: signed === "true" });
    else if (gain) this.choose({ gain: Number(gain) });
    else if (show) this.show(show);
    else if (action === "larger") this.stepZoom(1);
    else if (action === "smaller") this.stepZoom(-1);
    else if (action === "fit") this.fit();
    else if (action === "actual") this.zoomTo(1);
    else if (action === "fullscreen") this.toggleFullscreen();
  }

  picked(event) {
    const { pick } = event.target.dataset;
    if (pick) this.choose({ [pick]: event.target.value });
  }

  keyDown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.pictures.length) return;
    if (event.target.closest("select")) return;
    if (!this.handleKey(event)) return;
    event.preventDefault();
    // Streamlit has shortcuts of its own on the document.
    event.stopPropagation();
  }

  /** Act on a key; false when it is not ours, so that the page can have it. */
  handleKey({ key, shiftKey, target, repeat }) {
    const onButton = target.closest("button");
    const numbered = this.pictures[Number(key) - 1];
    if (numbered) this.show(numbered.title);
    else if (key === "+" || key === "=") this.stepZoom(1);
    else if (key === "-" || key === "_") this.stepZoom(-1);
    else if (key === "0") this.fit();
    else if (key === "Escape" && this.full) this.toggleFullscreen();
    else if (target === this.handle) return this.moveWipe(key, shiftKey);
    else if (key === " " && !onButton) {
      if (this.view.mode === "flip" && !repeat) this.hold(true);
    } else if (key.startsWith("Arrow") && !onButton) return this.arrow(key);
    else return false;
    return true;
  }

  moveWipe(key, shiftKey) {
    const step = shiftKey ? 0.1 : 0.02;
    const targets = {
      ArrowLeft: this.view.wipe - step,
      ArrowDown: this.view.wipe - step,
      ArrowRight: this.view.wipe + step,
      ArrowUp: this.view.wipe + step,
      PageDown: this.view.wipe - 0.1,
      PageUp: this.view.wipe + 0.1,
      Home: 0,
      End: 1,
    };
    if (!(key in targets)) return false;
    this.view.wipe = clamp(targets[key], 0, 1);
    this.render();
    return true;
  }

  /** Arrows move a zoomed picture; in Flip, left and right go through the pictures. */
  arrow(key) {
    const direction = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const [x, y] = direction[key];
    if (this.pannable) {
      this.panBy((x * this.viewportWidth) / 8, (y * this.viewportHeight) / 8);
      return true;
    }
    if (this.view.mode !== "flip" || !x) return false;
    const count = this.pictures.length;
    const index = this.pictures.indexOf(this.picture(this.view.shown));
    this.show(this.pictures[(index - x + count) % count].title);
    return true;
  }

  keyUp(event) {
    if (event.key === " ") this.hold(false);
  }

  /** A key that is let go elsewhere is not heard here. */
  focusOut() {
    if (!this.pointers.size) this.hold(false);
  }

  /**
   * The point of a viewport under a pointer, and how far `off` the viewport it is: of the
   * nearest one, unless a gesture says in which it began.
   */
  locate({ clientX, clientY }, among = this.showing().map(({ viewport }) => viewport)) {
    let nearest = null;
    for (const viewport of among) {
      const box = viewport.getBoundingClientRect();
      const x = clientX - box.left;
      const y = clientY - box.top;
      const off = Math.max(0, -x, x - box.width) + Math.max(0, -y, y - box.height);
      if (!nearest || off < nearest.off) nearest = { x, y, off, viewport };
    }
    return nearest;
  }

  hover(event) {
    const at = event && this.locate(event);
    const { left, top, scale } = this.place();
    const x = at ? Math.floor((at.x - left) / scale) : -1;
    const y = at ? Math.floor((at.y - top) / scale) : -1;
    const inside = at && at.off === 0 && x >= 0 && y >= 0 && x < this.width && y < this.height;
    this.pixel = inside ? { x, y } : null;
    this.renderPixel();
  }

  pointerDown(event) {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    if (!this.pictures.length) return;
    this.armed = true;
    this.hideHint();
    this.pointers.set(event.pointerId, { clientX: event.clientX, clientY: event.clientY });
    this.stage.setPointerCapture(event.pointerId);
    this.hover(event);
    this.startGesture(event);
  }

  /** Decide what the pointers now on the stage do. */
  startGesture(event) {
    const points = [...this.pointers.values()];
    const wiping =
      this.view.mode === "wipe" && (event.target.closest(".handle") || !this.pannable);
    this.hold(points.length === 1 && this.view.mode === "flip");
    this.gesture = null;
    if (points.length === 2) this.grab("pinch", this.between(points));
    else if (points.length === 1) this.grab(wiping ? "wipe" : "pan", points[0]);
    if (this.gesture?.kind === "wipe") this.wipeAt(event);
  }

  /** Take hold of the point of the picture that lies here. */
  grab(kind, point) {
    const at = this.locate(point);
    const { left, top, width, height } = this.place();
    const inPicture = { x: (at.x - left) / width, y: (at.y - top) / height };
    this.gesture = { kind, inPicture, start: point, zoom: this.zoom, viewports: [at.viewport] };
  }

  /** Middle and distance of two fingers. */
  between([a, b]) {
    return {
      clientX: (a.clientX + b.clientX) / 2,
      clientY: (a.clientY + b.clientY) / 2,
      distance: Math.max(1, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY)),
    };
  }

  pointerMove(event) {
    if (!this.pictures.length) return;
    if (this.pointers.has(event.pointerId)) {
      this.pointers.set(event.pointerId, { clientX: event.clientX, clientY: event.clientY });
      const kind = this.gesture?.kind;
      if (kind === "pinch") this.pinch();
      else if (kind === "wipe") this.wipeAt(event);
      else if (kind === "pan") this.drag(event);
    }
    this.hover(event);
  }

  pinch() {
    const now = this.between([...this.pointers.values()]);
    const { zoom, start, inPicture, viewports } = this.gesture;
    this.view.zoom = clamp((zoom * now.distance) / start.distance, ...this.zoomRange);
    this.view.fit = false;
    this.pinTo(inPicture, this.locate(now, viewports));
  }

  drag(event) {
    const { gesture } = this;
    const { start } = gesture;
    const far = Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY);
    gesture.dragging ||= far > DRAG_THRESHOLD;
    if (!gesture.dragging || !this.pannable) return;
    this.hold(false);
    this.root.classList.add("dragging");
    this.pinTo(gesture.inPicture, this.locate(event, gesture.viewports));
  }

  wipeAt(event) {
    const { from, to } = this.wipeRange;
    this.view.wipe = clamp((this.locate(event).x - from) / Math.max(1, to - from), 0, 1);
    this.render();
  }

  pointerUp(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    this.root.classList.remove("dragging");
    this.hold(false);
    this.gesture = null;
    // One finger of a pinch may stay and pan on; it does not hold or wipe.
    const [left] = this.pointers.values();
    if (left) this.grab("pan", left);
    else if (event.pointerType !== "mouse") this.hover(null);
  }

  doubleClicked(event) {
    if (event.target.closest(".handle") || !this.pictures.length) return;
    const at = this.locate(event);
    if (at.off === 0) this.toggleZoom(at);
  }

  /** A long touch holds the picture; the menu it would open is in the way. */
  contextMenu(event) {
    if (event.pointerType === "touch" || this.pointers.size) event.preventDefault();
  }

  /** Two fingers are ours; what one finger does is said by `touch-action` in the CSS. */
  touchMove(event) {
    if (event.touches.length > 1 && event.cancelable) event.preventDefault();
  }

  wheel(event) {
    if (!this.pictures.length) return;
    const meant = event.ctrlKey || event.metaKey;
    if (!meant && !this.armed && !this.full) {
      this.showHint(`Click the picture or hold ${WHEEL_KEY} to zoom with the wheel`);
      return;
    }
    const lines = event.deltaMode === 1 ? 16 : 1;
    const step = clamp(-event.deltaY * lines * (meant ? 0.01 : 0.002), -0.3, 0.3);
    const before = this.zoom;
    const next = clamp(before * Math.exp(step), ...this.zoomRange);
    // At the end of the range the page may scroll on.
    if (Math.abs(next - before) > 0.001 * before) {
      this.zoomTo(next, this.locate(event));
      this.hover(event);
    } else if (!meant) return;
    event.preventDefault();
  }

  showHint(text) {
    const hint = this.find(".hint");
    hint.textContent = text;
    hint.classList.add("on");
    clearTimeout(this.hintTimer);
    this.hintTimer = setTimeout(() => this.hideHint(), 1600);
  }

  hideHint() {
    this.find(".hint").classList.remove("on");
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
