/** What a layer of a network makes of a digit, clean and with the noise of the slider. */

const { search } = new URL(import.meta.url); // The version, which all files share.
const { degrader, fromLevels, open, toLevels } = await import(`./digits.js${search}`);

const GREY = 0.5; // Of the gap between the two halves of a picture.

export async function prepare({ preview }) {
  const network = await open(preview.network);
  const { layer, scale, stored, shown, tolerance } = preview;
  const clean = fromLevels(preview.parts.find(({ name }) => name === "original").content);
  const noisyOf = degrader(preview, clean, ...network.steps[0].shape.slice(0, 2));
  const [height, width, channels] = network.byName.get(layer).shape;
  const gap = Math.max(1, Math.floor(height / 14));

  // The values of the layer, and the largest size of those that the scale looks at.
  const answer = (image) => {
    network.run(image);
    const values = network.values(layer);
    const looked = scale === "global" ? stored.map((name) => network.values(name)) : [];
    return { values, largest: Math.max(...[values, ...looked].map(size)) };
  };
  const before = answer(clean);

  return ({ strength }) => {
    const after = answer(noisyOf(strength));
    const limit = scale === "unit" ? 1 : Math.max(before.largest, after.largest);
    const low = least(before.values) < 0 || least(after.values) < 0 ? -limit : 0;
    const shade = (value) => Math.min(Math.max((value - low) / (limit - low || 1), 0), 1);
    const made = shown.map((channel) => {
      const picture = new Float32Array(height * (2 * width + gap)).fill(GREY);
      [before, after].forEach(({ values }, half) => {
        for (let y = 0; y < height; y += 1) {
          for (let x = 0; x < width; x += 1) {
            const to = y * (2 * width + gap) + half * (width + gap) + x;
            picture[to] = shade(values[(y * width + x) * channels + channel]);
          }
        }
      });
      const means = [before, after].map(({ values }) => mean(values, channel, channels).toFixed(2));
      const caption = () => `mean ${means.join(" → ")}`;
      return [`${channel}`, { levels: toLevels(picture), channels: 1, caption, tolerance }];
    });
    return Object.fromEntries(made);
  };
}

const size = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
const least = (values) => values.reduce((low, value) => Math.min(low, value), Infinity);

/** The mean size of one map. */
function mean(values, channel, channels) {
  let sum = 0;
  for (let i = channel; i < values.length; i += channels) sum += Math.abs(values[i]);
  return (sum * channels) / values.length;
}
