// Puts hints of colour on a picture: click, or arrows and Enter.  What is put stays in the state
// "dots": rows of [row, column, number of the colour], as shares of the picture's sides.

const STEP = 0.02;
const TO_COLOUR = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
const TO_PLACE = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };

function dotAt([row, column, colour], palette) {
  const dot = document.createElement("span");
  dot.style.top = `${row * 100}%`;
  dot.style.left = `${column * 100}%`;
  dot.style.background = palette[colour].shown;
  return dot;
}

function buttonOf({ title, shown }, onclick) {
  const button = document.createElement("button");
  button.type = "button";
  button.title = title;
  button.setAttribute("role", "radio");
  button.setAttribute("aria-label", title);
  button.style.background = shown;
  button.onclick = onclick;
  return button;
}

function countOf(count, most) {
  if (count === 0) return "No hints yet.";
  return `${count} ${count === 1 ? "hint" : "hints"}${count >= most ? ", the most" : ""}`;
}

export default function ({ parentElement, setStateValue, data }) {
  const find = (name) => parentElement.querySelector(name);
  const picture = find(".picture");
  const image = find("img");
  const cross = find(".cross");

  // The picture is new: so are the hints.
  if (picture.dataset.name !== data.name) {
    picture.dataset.name = data.name;
    picture.dots = data.dots;
    picture.colour ??= 0;
    picture.cross = [0.5, 0.5];
    image.src = data.picture;
  }

  const say = () => {
    show();
    setStateValue("dots", { name: data.name, dots: picture.dots });
  };

  const put = (row, column) => {
    if (picture.dots.length >= data.most) return;
    picture.dots = [...picture.dots, [row, column, picture.colour]];
    say();
  };

  function show() {
    const count = picture.dots.length;
    find(".dots").replaceChildren(...picture.dots.map((dot) => dotAt(dot, data.palette)));
    find(".count").textContent = countOf(count, data.most);
    find(".undo").disabled = find(".clear").disabled = count === 0;
    for (const [index, button] of find(".palette").childNodes.entries()) {
      button.setAttribute("aria-checked", index === picture.colour);
      button.tabIndex = index === picture.colour ? 0 : -1;
    }
  }

  find(".palette").replaceChildren(
    ...data.palette.map((colour, index) => buttonOf(colour, () => choose(index))),
  );

  function choose(index) {
    picture.colour = (index + data.palette.length) % data.palette.length;
    show();
  }

  find(".palette").onkeydown = (event) => {
    const by = TO_COLOUR[event.key];
    if (!by) return;
    event.preventDefault();
    choose(picture.colour + by);
    find(".palette").childNodes[picture.colour].focus();
  };

  picture.onclick = (event) => {
    const place = image.getBoundingClientRect();
    const row = (event.clientY - place.top) / place.height;
    const column = (event.clientX - place.left) / place.width;
    if (row >= 0 && row < 1 && column >= 0 && column < 1) put(row, column);
  };

  picture.onkeydown = (event) => {
    const by = TO_PLACE[event.key];
    if (!by && event.key !== "Enter") return;
    event.preventDefault();
    if (!by) return put(...picture.cross);
    picture.cross = picture.cross.map((at, side) =>
      Math.min(0.999, Math.max(0, at + STEP * by[side])),
    );
    cross.hidden = false;
    cross.style.top = `${picture.cross[0] * 100}%`;
    cross.style.left = `${picture.cross[1] * 100}%`;
  };
  picture.onblur = () => (cross.hidden = true);

  find(".undo").onclick = () => {
    picture.dots = picture.dots.slice(0, -1);
    say();
  };
  find(".clear").onclick = () => {
    picture.dots = [];
    say();
  };
  show();
}
