// Draws the layers of a network as boxes, and tells which one was clicked.

const SVG = "http://www.w3.org/2000/svg";

function add(parent, name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text) node.textContent = text;
  parent.append(node);
  return node;
}

export default function ({ parentElement, setTriggerValue, data }) {
  const frame = parentElement.querySelector(".frame");
  const svg = document.createElementNS(SVG, "svg");
  const [left, top, width, height] = data.view;
  svg.setAttribute("viewBox", data.view.join(" "));
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", data.alt);
  // Narrower than this, a finger misses the layers: the frame scrolls instead.
  svg.style.minWidth = `${Math.round(width * 8)}px`;

  for (const { from, to, start, end, over } of data.bridges) {
    const points = `${from},${start} ${from},${over} ${to},${over} ${to},${end}`;
    add(svg, "polyline", { points, class: "bridge" });
  }
  for (const box of data.boxes) {
    const group = add(svg, "g", { class: box.chosen ? "layer chosen" : "layer" });
    add(group, "title", {}, box.words);
    // All of the height can be clicked, however low the layer is.
    add(group, "rect", { x: box.x - 0.12, y: top, width: box.width + 0.24, height, class: "target" });
    add(group, "rect", {
      x: box.x,
      y: -box.height / 2,
      width: box.width,
      height: box.height,
      rx: 0.15,
      class: `box ${box.group}`,
    });
    if (box.chosen) {
      const x = box.x + box.width / 2;
      const tip = -box.height / 2 - 0.5;
      add(group, "path", { d: `M${x} ${tip} l-0.6 -1.3 h1.2 z`, class: "marker" });
    }
    group.onclick = () => setTriggerValue("layer", box.layer);
  }
  const scrolled = frame.scrollLeft;
  frame.replaceChildren(svg);
  frame.scrollLeft = scrolled;
  // A layer that was chosen in the list can be out of sight.
  const marked = svg.querySelector(".chosen").getBoundingClientRect();
  const seen = frame.getBoundingClientRect();
  if (marked.left < seen.left || marked.right > seen.right)
    frame.scrollLeft += (marked.left + marked.right - seen.left - seen.right) / 2;
  // What can be scrolled must be within reach of a keyboard.
  const sized = new ResizeObserver(() => {
    frame.tabIndex = frame.scrollWidth > frame.clientWidth ? 0 : -1;
  });
  sized.observe(frame);
  return () => sized.disconnect();
}
