/** Follows sliders whose pictures stand on the page as images of a gallery, not in the viewer. */

const { search } = new URL(import.meta.url); // The version, which all files share.
const { Preview } = await import(`./preview.js${search}`);
const { toImageData } = await import(`../viewer/pixels.js${search}`);

const SETTLED = 500; // Milliseconds until the server's newest pictures are surely on the page.

const previews = new WeakMap(); // Element of the component -> its preview.

export function mount({ parentElement, data }) {
  const mark = parentElement.querySelector("span");
  let preview = previews.get(parentElement);
  if (!preview) {
    preview = new Preview(screen(data));
    previews.set(parentElement, preview);
  }
  preview.follow({ preview: data }).then(
    () => { mark.dataset.live = preview.now ? "ready" : "off"; },
    (error) => console.info("No live preview:", error), // The server's pictures come as before.
  );
  return () => {
    if (parentElement.isConnected) return;
    preview.stop();
    previews.delete(parentElement);
  };
}

/** The gallery as `Preview` sees it; `places` are the CSS selectors of its items by title. */
function screen({ places, side }) {
  const canvas = new OffscreenCanvas(side, side);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const shown = document.createElement("canvas");
  Object.assign(shown, { width: side, height: side });
  const servers = new WeakMap(); // Image -> what the server put there.

  const find = (title) => {
    const item = document.querySelector(places[title]);
    return { image: item?.querySelector("img"), words: item?.querySelector("span") };
  };
  return {
    settled: SETTLED,
    show(made) {
      for (const [title, { levels, channels, caption }] of Object.entries(made)) {
        const { image, words } = find(title);
        if (!image) continue;
        if (!servers.has(image)) servers.set(image, { src: image.src, text: words?.textContent });
        shown.getContext("2d").putImageData(toImageData(levels, side, side, channels), 0, 0);
        image.src = shown.toDataURL();
        if (words) words.textContent = caption();
      }
    },
    restore() {
      for (const title of Object.keys(places)) {
        const { image, words } = find(title);
        const before = servers.get(image);
        if (!before) continue;
        image.src = before.src;
        if (words) words.textContent = before.text;
      }
    },
    painted(title) {
      context.drawImage(find(title).image, 0, 0, side, side);
      return context.getImageData(0, 0, side, side).data;
    },
  };
}
