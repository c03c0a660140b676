/** A photo between noisy and denoised, as `blend` in imaging/pixels.py makes it. */

/** The pixels of a picture that came as a file, or as they are, as RGBA. */
async function pixelsOf({ encoding, content, channels }, width, height) {
  if (encoding === "raw") {
    const rgba = new Uint8ClampedArray(4 * width * height);
    for (let from = 0, at = 0; at < rgba.length; from += channels, at += 4) {
      for (let c = 0; c < 3; c += 1) rgba[at + c] = content[from + (channels === 3 ? c : 0)];
    }
    return rgba;
  }
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const bitmap = await createImageBitmap(new Blob([content], { type: encoding }), options);
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { alpha: false });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, width, height).data;
}

export const onPage = true; // What is noisy is read off the page.

export async function prepare({ preview, width, height }, { painted }) {
  const [whole] = preview.parts;
  const denoised = await pixelsOf(whole, width, height);
  const noisy = painted("Noisy").slice();
  // A clamped array rounds halves to the even neighbour and cuts off, as the server does.
  const made = () => {
    const levels = new Uint8ClampedArray(noisy.length).fill(255);
    return { levels, channels: 4 };
  };
  const { gain } = preview;
  const blended = made();
  const removed = { ...made(), tolerance: gain }; // One level in the blend is `gain` levels here.

  return (percent) => {
    const brightness = percent.brightness / 100;
    const colour = (percent.colour ?? percent.brightness) / 100;
    for (let i = 0; i < noisy.length; i += 4) {
      const red = denoised[i] - noisy[i];
      const green = denoised[i + 1] - noisy[i + 1];
      const blue = denoised[i + 2] - noisy[i + 2];
      // Of a change of colour: its share, and what its mean over the channels gets beyond that.
      const grey = ((brightness - colour) * (red + green + blue)) / 3;
      blended.levels[i] = noisy[i] + colour * red + grey;
      blended.levels[i + 1] = noisy[i + 1] + colour * green + grey;
      blended.levels[i + 2] = noisy[i + 2] + colour * blue + grey;
      if (!gain) continue;
      for (let c = i; c < i + 3; c += 1) {
        removed.levels[c] = 127.5 + gain * (noisy[c] - blended.levels[c]);
      }
    }
    return gain ? { Denoised: blended, Removed: removed } : { Denoised: blended };
  };
}
