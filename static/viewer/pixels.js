/** Pixels: what the server sent -> something that can be painted, and the difference of two. */

/** What was sent last under each key, by version: the server does not send it again. */
const kept = new Map();

/**
 * @param {Uint8Array} data what `to_bytes` in pages/components/viewer wrote
 * @returns the header, with the `content` (Uint8Array) of each picture, map of classes and part of
 *   the preview; null if something was left out that is not here
 */
export function unpack(data) {
  const start = new DataView(data.buffer, data.byteOffset, 4).getUint32(0, true) + 4;
  const header = JSON.parse(new TextDecoder().decode(data.subarray(4, start)));
  const before = kept.get(header.key);
  const now = new Map();
  let offset = start;
  const { pictures, classes, preview } = header;
  for (const part of [...pictures, ...(classes?.maps ?? []), ...(preview?.parts ?? [])]) {
    part.content = part.length
      ? data.slice(offset, offset + part.length)
      : (now.get(part.version) ?? before?.get(part.version));
    if (!part.content) return null;
    now.set(part.version, part.content);
    offset += part.length;
  }
  kept.set(header.key, now);
  return header;
}

/** Grey or colour bytes -> opaque RGBA; what is RGBA already is used as it is. */
export function toImageData(content, width, height, channels) {
  if (channels === 4) return new ImageData(content, width, height);
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
export function decode(picture, width, height) {
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
export function difference(compared, reference, target, { signed, gain }) {
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
