/** What a U-Net makes of a noisy digit with all its skip connections, and with some switched off. */

const { search } = new URL(import.meta.url); // The version, which all files share.
const [{ degrader, decibel, fromLevels, open, psnr, toLevels }, { clip }] = await Promise.all([
  import(`./digits.js${search}`),
  import(`./noise.js${search}`),
]);

export async function prepare({ preview }) {
  const network = await open(preview.network);
  const clean = fromLevels(preview.parts.find(({ name }) => name === "original").content);
  const noisyOf = degrader(preview, clean, ...network.steps[0].shape.slice(0, 2));

  return ({ strength, ...skips }) => {
    const noisy = noisyOf(strength);
    const trained = clip(network.run(noisy));
    const switched = clip(network.run(noisy, { skips }));
    const error = switched.map((value, i) => Math.min(Math.max(0.5 + (value - clean[i]) / 2, 0), 1));
    const quality = (values) => `PSNR ${decibel(psnr(clean, values))}`;
    const gain = () => {
      if (Object.values(skips).every(Boolean)) return "";
      const more = psnr(clean, switched) - psnr(clean, trained);
      return `${more < 0 ? "" : "+"}${more.toFixed(1)} dB`;
    };
    const picture = (values, ...lines) =>
      ({ levels: toLevels(values), channels: 1, caption: () => lines.map((line) => line()) });
    return {
      Noisy: picture(noisy, () => quality(noisy)),
      "As trained": picture(trained, () => quality(trained)),
      "With your settings": picture(switched, () => quality(switched), gain),
      Residual: picture(error),
    };
  };
}
