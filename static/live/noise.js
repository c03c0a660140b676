/**
 * The kinds of noise of imaging/noise.py, on a pattern that the server drew once.
 *
 * `apply[kind](image, strength, pattern)` gives the same float32 numbers, bit for bit, as the
 * Python function of that name: `round` stands wherever NumPy rounds to float32.  The pattern is
 * what the kind's `pattern` drew, in `numbers`; for photons also, in `quantiles`, the probability
 * of a smaller normal number.  The result is not clipped.
 */

const round = Math.fround;

/** Halves go to the even neighbour, as in np.rint. */
const rint = (v) => (Math.abs(v % 1) === 0.5 ? 2 * Math.round(v / 2) : Math.round(v));

const clamp = (v, least, most) => Math.min(Math.max(v, least), most);

export const apply = {
  gaussian(image, sigma, { numbers }) {
    const scale = round(sigma);
    return image.map((v, i) => v + round(scale * numbers[i]));
  },

  uniform(image, halfWidth, { numbers }) {
    const scale = round(halfWidth);
    return image.map((v, i) => v + round(scale * round(round(2 * numbers[i]) - 1)));
  },

  speckle(image, sigma, { numbers }) {
    const scale = round(sigma);
    return image.map((v, i) => v + round(round(v * scale) * numbers[i]));
  },

  poisson(image, grain, { numbers, quantiles }) {
    if (grain === 0) return image.slice();
    const photons = 1 / Math.max(grain, 1e-4) ** 2;
    return image.map((v, i) => count(Math.max(v, 0) * photons, numbers[i], quantiles[i]) / photons);
  },

  "salt-and-pepper"(image, share, { numbers }) {
    const half = round(round(share) / 2);
    const rest = round(1 - half);
    return image.map((v, i) => (numbers[i] < half ? 1 : numbers[i] > rest ? 0 : v));
  },

  masking(image, share, { numbers }) {
    const most = round(share);
    return image.map((v, i) => (numbers[i] < most ? 0 : v));
  },

  block(image, side, { numbers: [row, column], height, width }) {
    const pixels = rint(side * Math.min(height, width));
    const [top, left] = [[row, height], [column, width]].map(([centre, length]) =>
      clamp(Math.floor(centre * length - pixels / 2), 0, length - pixels));
    const covers = (place, first) => place >= first && place < first + pixels;
    return image.map((v, i) =>
      (covers(Math.floor(i / width), top) && covers(i % width, left) ? 0.5 : v));
  },
};

export const clip = (image) => image.map((v) => clamp(v, 0, 1));

/** One count of `_poisson_quantile` in imaging/noise.py. */
function count(expected, z, quantile) {
  if (expected >= 12) {
    const root = Math.sqrt(expected);
    const square = round(z * z);
    const cube = round(z * square);
    const skewed = round(round(square - 1) / 6);
    return Math.max(0, Math.floor(expected + 0.5 + root * z + skewed + round(z - cube) / (72 * root)));
  }
  let term = Math.exp(-expected);
  let sum = term;
  let counted = 0;
  while (counted < 60 && quantile > sum) {
    counted += 1;
    term *= expected / counted;
    sum += term;
  }
  return counted;
}
