// The player of the probes: a row of pictures for each label, a scrubber, and a play button.

const FRAME_MS = 250;
const players = new WeakMap();

export default function mount({ parentElement, data }) {
  const root = parentElement.querySelector(".probes");
  if (!root || !data) return undefined;
  let player = players.get(root);
  if (!player) {
    player = new Player(root);
    players.set(root, player);
  }
  player.update(data);
  // Streamlit may run the clean-up of a call that a newer call has overtaken, so only a
  // root that has left the page is taken apart.
  return () => {
    if (root.isConnected) return;
    player.pause();
    players.delete(root);
  };
}

class Player {
  constructor(root) {
    this.frames = [];
    this.epoch = null; // null follows the newest
    this.timer = null;
    this.pictures = add(root, "div", { className: "pictures", role: "img" });
    const controls = add(root, "div", { className: "controls" });
    this.button = add(controls, "button", { type: "button" });
    this.slider = add(controls, "input", { type: "range", min: 0, step: 1 });
    this.slider.setAttribute("aria-label", "After epoch");
    this.output = add(controls, "output", {});
    this.button.addEventListener("click", () => (this.timer ? this.pause() : this.play()));
    this.slider.addEventListener("input", () => {
      this.pause();
      this.show(Number(this.slider.value));
    });
    this.pause();
  }

  update(data) {
    this.about = data.about;
    this.frames = data.frames;
    const rows = [...data.still, ...this.frames[0].rows];
    const labels = JSON.stringify(rows.map((row) => row.label));
    if (labels !== this.labels) {
      this.labels = labels;
      this.pictures.replaceChildren();
      this.images = rows.map((row) => {
        add(this.pictures, "span", { textContent: row.label, ariaHidden: "true" });
        return add(this.pictures, "img", { alt: "" });
      });
    }
    this.still = data.still.length;
    data.still.forEach((row, index) => put(this.images[index], row));
    this.slider.max = this.frames.length - 1;
    // Frames are thinned as they become many: stay at the nearest epoch that is left.
    const at = this.epoch === null ? -1 : this.frames.findIndex((f) => f.epoch >= this.epoch);
    this.draw(at < 0 ? this.frames.length - 1 : at);
  }

  show(index) {
    const newest = index >= this.frames.length - 1;
    this.epoch = newest ? null : this.frames[index].epoch;
    this.draw(index);
  }

  draw(index) {
    const frame = this.frames[index];
    this.index = index;
    frame.rows.forEach((row, at) => put(this.images[this.still + at], row));
    this.slider.value = index;
    this.slider.setAttribute("aria-valuetext", `epoch ${frame.epoch}`);
    this.output.textContent = `epoch ${frame.epoch}`;
    this.pictures.setAttribute("aria-label", `${this.about} after epoch ${frame.epoch}`);
  }

  play() {
    if (this.index >= this.frames.length - 1) this.show(0);
    this.button.textContent = "Pause film";
    this.timer = setInterval(() => {
      if (this.index >= this.frames.length - 1) this.pause();
      else this.show(this.index + 1);
    }, FRAME_MS);
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.button.textContent = "Play film";
  }
}

function add(parent, tag, properties) {
  const element = Object.assign(document.createElement(tag), properties);
  parent.append(element);
  return element;
}

function put(image, row) {
  const source = `data:image/png;base64,${row.png}`;
  if (image.src !== source) image.src = source;
}
