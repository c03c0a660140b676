/** Follows sliders whose pictures stand on the page as images of a gallery, not in the viewer. */

const { search } = new URL(import.meta.url); // The version, which all files share.
const { Preview } = await import(`./preview.js${search}`);
const { toImageData } = await import(`../viewer/pixels.js${search}`);

const SETTLED = 500; // Milliseconds until the server's newest pictures are surely on the page.

const write = (lines, texts) =>
  texts.forEach((text, i) => { if (lines[i]) lines[i].textContent = text; });

const previews = new WeakMap(); // Element of the component -> its preview.
const servers = new WeakMap(); // Image -> what the server put there.

export function mount({ parentElement, data }) {
  const mark = parentElement.querySelector("span");
  let preview = previews.get(parentElement);
  if (preview) {
    preview.screen = screen(data); // Other pictures may be shown now.
  } else {
    preview = new Preview(screen(data));
    previews.set(parentElement, preview);
  }
  const parts = data.parts.map((part) => ({ ...part, content: bytes(part.content) }));
  preview.follow({ preview: { ...data, parts } }).then(
    () => { mark.dataset.live = preview.now ? "ready" : "off"; },
    (error) => console.info("No live preview:", error), // The server's pictures come as before.
  );
  return () => {
    if (parentElement.isConnected) return;
    preview.stop();
    previews.delete(parentElement);
  };
}

/** Base64 -> bytes. */
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** What draws on a canvas that is not on the page. */
function drawing(width, height, options) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  return canvas.getContext("2d", options);
}

/** The gallery as `Preview` sees it; `places` are the CSS selectors of its items by title. */
function screen({ places, width, height }) {
  const context = drawing(width, height, { willReadFrequently: true });
  const shown = drawing(width, height);
  const find = (title) => {
    const item = document.querySelector(places[title]);
    return { image: item?.querySelector("img"), lines: [...(item?.querySelectorAll("span") ?? [])] };
  };
  return {
    settled: SETTLED,
    show(made) {
      for (const [title, { levels, channels, caption }] of Object.entries(made)) {
        const { image, lines } = find(title);
        if (!image) continue;
        const texts = lines.map((line) => line.textContent);
        if (!servers.has(image)) servers.set(image, { src: image.src, texts });
        shown.putImageData(toImageData(levels, width, height, channels), 0, 0);
        image.src = shown.canvas.toDataURL();
        write(lines, [caption()].flat());
      }
    },
    restore() {
      for (const title of Object.keys(places)) {
        const { image, lines } = find(title);
        const before = servers.get(image);
        if (!before) continue;
        image.src = before.src;
        write(lines, before.texts);
      }
    },
    painted(title) {
      const { image } = find(title);
      if (!image) return null;
      context.drawImage(image, 0, 0, width, height);
      return context.getImageData(0, 0, width, height).data;
    },
  };
}
