/** Clicks, keys, fingers, mouse and wheel -> what the viewer is told to do. */

const { search } = new URL(import.meta.url); // The version, which all files share.
const { clamp, zoomRange } = await import(`./geometry.js${search}`);

const DRAG_THRESHOLD = 4; // CSS pixels; a hand that clicks moves less.

export const WHEEL_KEY = /Mac|iP/.test(navigator.platform) ? "⌘" : "Ctrl";

export class Gestures {
  constructor(viewer) {
    this.viewer = viewer;
    this.pointers = new Map();
    this.gesture = null;
    this.armed = false; // Whether the wheel zooms: the pictures were clicked.
    this.listen();
  }

  listen() {
    const { signal } = this.viewer.listeners;
    const on = (target, type, handler, options = {}) =>
      target.addEventListener(type, handler.bind(this), { signal, ...options });
    on(this.viewer.root, "click", this.clicked);
    on(this.viewer.root, "change", this.picked);
    on(this.viewer.root, "keydown", this.keyDown);
    on(this.viewer.root, "keyup", this.keyUp);
    on(this.viewer.root, "focusout", this.focusOut);
    on(this.viewer.root, "pointerleave", () => (this.armed = false));
    on(this.viewer.stage, "pointerdown", this.pointerDown);
    on(this.viewer.stage, "pointermove", this.pointerMove);
    on(this.viewer.stage, "pointerup", this.pointerUp);
    on(this.viewer.stage, "pointercancel", this.pointerUp);
    on(this.viewer.stage, "pointerleave", () => this.hover(null));
    on(this.viewer.stage, "dblclick", this.doubleClicked);
    on(this.viewer.stage, "contextmenu", this.contextMenu);
    on(this.viewer.stage, "wheel", this.wheel, { passive: false });
    on(this.viewer.stage, "touchmove", this.touchMove, { passive: false });
    on(document, "fullscreenchange", () => this.viewer.fullscreenChanged());
  }

  clicked(event) {
    const button = event.target.closest("button");
    if (!button || !this.viewer.pictures.length) return;
    const { mode, action, signed, gain, show } = button.dataset;
    if (mode) this.viewer.choose({ mode });
    else if (signed) this.viewer.choose({ signed: signed === "true" });
    else if (gain) this.viewer.choose({ gain: Number(gain) });
    else if (show) this.viewer.show(show);
    else if (action === "larger") this.viewer.stepZoom(1);
    else if (action === "smaller") this.viewer.stepZoom(-1);
    else if (action === "fit") this.viewer.fit();
    else if (action === "actual") this.viewer.zoomTo(1);
    else if (action === "fullscreen") this.viewer.toggleFullscreen();
  }

  picked(event) {
    const { pick } = event.target.dataset;
    if (pick) this.viewer.choose({ [pick]: event.target.value });
  }

  keyDown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.viewer.pictures.length) return;
    if (event.target.closest("select")) return;
    if (!this.handleKey(event)) return;
    event.preventDefault();
    // Streamlit has its own shortcuts on the document.
    event.stopPropagation();
  }

  /** Act on a key; false when it is not ours, so that the page can have it. */
  handleKey({ key, shiftKey, target, repeat }) {
    const onButton = target.closest("button");
    const numbered = this.viewer.pictures[Number(key) - 1];
    if (numbered) this.viewer.show(numbered.title);
    else if (key === "+" || key === "=") this.viewer.stepZoom(1);
    else if (key === "-" || key === "_") this.viewer.stepZoom(-1);
    else if (key === "0") this.viewer.fit();
    else if (key === "Escape" && this.viewer.full) this.viewer.toggleFullscreen();
    else if (target === this.viewer.handle) return this.moveWipe(key, shiftKey);
    else if (key === " " && !onButton) {
      if (this.viewer.view.mode === "flip" && !repeat) this.viewer.hold(true);
    } else if (key.startsWith("Arrow") && !onButton) return this.arrow(key);
    else return false;
    return true;
  }

  moveWipe(key, shiftKey) {
    const step = shiftKey ? 0.1 : 0.02;
    const targets = {
      ArrowLeft: this.viewer.view.wipe - step,
      ArrowDown: this.viewer.view.wipe - step,
      ArrowRight: this.viewer.view.wipe + step,
      ArrowUp: this.viewer.view.wipe + step,
      PageDown: this.viewer.view.wipe - 0.1,
      PageUp: this.viewer.view.wipe + 0.1,
      Home: 0,
      End: 1,
    };
    if (!(key in targets)) return false;
    this.viewer.view.wipe = clamp(targets[key], 0, 1);
    this.viewer.render();
    return true;
  }

  /** Arrows move a zoomed picture; in Flip, left and right go through the pictures. */
  arrow(key) {
    const direction = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const [x, y] = direction[key];
    if (this.viewer.pannable) {
      this.viewer.panBy((x * this.viewer.viewportWidth) / 8, (y * this.viewer.viewportHeight) / 8);
      return true;
    }
    if (this.viewer.view.mode !== "flip" || !x) return false;
    const count = this.viewer.pictures.length;
    const index = this.viewer.pictures.indexOf(this.viewer.picture(this.viewer.view.shown));
    this.viewer.show(this.viewer.pictures[(index - x + count) % count].title);
    return true;
  }

  keyUp(event) {
    if (event.key === " ") this.viewer.hold(false);
  }

  /** A key that is let go elsewhere is not heard here. */
  focusOut() {
    if (!this.pointers.size) this.viewer.hold(false);
  }

  /**
   * The point of a viewport under a pointer, and how far `off` the viewport it is: of the
   * nearest one, unless a gesture says in which it began.
   */
  locate({ clientX, clientY }, among = this.viewer.showing().map(({ viewport }) => viewport)) {
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
    const { left, top, scale } = this.viewer.place();
    const x = at ? Math.floor((at.x - left) / scale) : -1;
    const y = at ? Math.floor((at.y - top) / scale) : -1;
    const inside = at && at.off === 0 && x >= 0 && y >= 0 && x < this.viewer.width && y < this.viewer.height;
    this.viewer.pixel = inside ? { x, y } : null;
    this.viewer.renderPixel();
  }

  pointerDown(event) {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    if (!this.viewer.pictures.length) return;
    this.armed = true;
    this.hideHint();
    this.pointers.set(event.pointerId, { clientX: event.clientX, clientY: event.clientY });
    this.viewer.stage.setPointerCapture(event.pointerId);
    this.hover(event);
    this.startGesture(event);
  }

  /** Decide what the pointers now on the stage do. */
  startGesture(event) {
    const points = [...this.pointers.values()];
    const wiping =
      this.viewer.view.mode === "wipe" && (event.target.closest(".handle") || !this.viewer.pannable);
    this.viewer.hold(points.length === 1 && this.viewer.view.mode === "flip");
    this.gesture = null;
    if (points.length === 2) this.grab("pinch", this.between(points));
    else if (points.length === 1) this.grab(wiping ? "wipe" : "pan", points[0]);
    if (this.gesture?.kind === "wipe") this.wipeAt(event);
  }

  /** Take hold of the point of the picture that lies here. */
  grab(kind, point) {
    const at = this.locate(point);
    const { left, top, width, height } = this.viewer.place();
    const inPicture = { x: (at.x - left) / width, y: (at.y - top) / height };
    this.gesture = { kind, inPicture, start: point, zoom: this.viewer.zoom, viewports: [at.viewport] };
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
    if (!this.viewer.pictures.length) return;
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
    this.viewer.view.zoom = clamp((zoom * now.distance) / start.distance, ...zoomRange(this.viewer));
    this.viewer.view.fit = false;
    this.viewer.pinTo(inPicture, this.locate(now, viewports));
  }

  drag(event) {
    const { gesture } = this;
    const { start } = gesture;
    const far = Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY);
    gesture.dragging ||= far > DRAG_THRESHOLD;
    if (!gesture.dragging || !this.viewer.pannable) return;
    this.viewer.hold(false);
    this.viewer.root.classList.add("dragging");
    this.viewer.pinTo(gesture.inPicture, this.locate(event, gesture.viewports));
  }

  wipeAt(event) {
    const { from, to } = this.viewer.wipeRange;
    this.viewer.view.wipe = clamp((this.locate(event).x - from) / Math.max(1, to - from), 0, 1);
    this.viewer.render();
  }

  pointerUp(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    this.viewer.root.classList.remove("dragging");
    this.viewer.hold(false);
    this.gesture = null;
    // One finger of a pinch may stay and pan on; it does not hold or wipe.
    const [left] = this.pointers.values();
    if (left) this.grab("pan", left);
    else if (event.pointerType !== "mouse") this.hover(null);
  }

  doubleClicked(event) {
    if (event.target.closest(".handle") || !this.viewer.pictures.length) return;
    const at = this.locate(event);
    if (at.off === 0) this.viewer.toggleZoom(at);
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
    if (!this.viewer.pictures.length) return;
    const meant = event.ctrlKey || event.metaKey;
    if (!meant && !this.armed && !this.viewer.full) {
      this.showHint(`Click the picture or hold ${WHEEL_KEY} to zoom with the wheel`);
      return;
    }
    const lines = event.deltaMode === 1 ? 16 : 1;
    const step = clamp(-event.deltaY * lines * (meant ? 0.01 : 0.002), -0.3, 0.3);
    const before = this.viewer.zoom;
    const next = clamp(before * Math.exp(step), ...zoomRange(this.viewer));
    // At the end of the range the page may scroll on.
    if (Math.abs(next - before) > 0.001 * before) {
      this.viewer.zoomTo(next, this.locate(event));
      this.hover(event);
    } else if (!meant) return;
    event.preventDefault();
  }

  showHint(text) {
    const hint = this.viewer.find(".hint");
    hint.textContent = text;
    hint.classList.add("on");
    clearTimeout(this.hintTimer);
    this.hintTimer = setTimeout(() => this.hideHint(), 1600);
  }

  hideHint() {
    this.viewer.find(".hint").classList.remove("on");
  }
}
