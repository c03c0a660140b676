/**
 * Where pictures lie on the screen.
 *
 * All functions here are pure and take the viewer as `v`, of which they read
 *
 *     width, height                 of a picture, in its own pixels
 *     ratio                         device pixels in a CSS pixel
 *     viewportWidth, viewportHeight of the window that each picture is seen through, in CSS pixels
 *     view                          { fit, zoom, x, y }, what was chosen; x and y are the point of
 *                                   the picture in the middle, as shares of its sides
 *
 * Zoom is counted in device pixels per pixel of the picture.
 */

export const GAP = 12;
const NARROWEST_SMALL = 96;
const NARROWEST_PHOTO = 220;
const SMALL_SIDE = 64;
const SMALL_AREA = 420;
const LEAST_HEIGHT = 200;
const SHARE_OF_WINDOW = 0.72;
const HEADER_HEIGHT = 48;
const LARGEST_ZOOM = 32;
const ZOOM_STEPS = [0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];

export const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

export const isSmall = (v) => Math.max(v.width, v.height) <= SMALL_SIDE;

/**
 * The zoom at which the whole picture fits into this many CSS pixels: a whole number where that
 * costs at most a third of the size, because then all its pixels are equally large.
 */
export function fitting(v, width, height) {
  const zoom = v.ratio * Math.min(width / v.width, height / v.height);
  const whole = Math.floor(zoom);
  return 3 * whole >= 2 * zoom ? whole : zoom;
}

/** The height of a picture area of this width; `fixed` where the page chose it. */
export function heightFor(v, width, rows, fixed) {
  if (fixed) return Math.max(Math.floor(fixed / rows), 1);
  const most = isSmall(v)
    ? SMALL_AREA
    : Math.max(LEAST_HEIGHT, SHARE_OF_WINDOW * window.innerHeight);
  return Math.ceil((v.height * fitting(v, width, most)) / v.ratio);
}

/** The most columns in which each of `count` pictures is still large enough to be judged. */
export function grid(v, width, count, fixed) {
  const narrowest = isSmall(v) ? NARROWEST_SMALL : NARROWEST_PHOTO;
  const most = clamp(Math.floor((width + GAP) / (narrowest + GAP)), 1, count);
  const rows = Math.ceil(count / most);
  const columns = Math.ceil(count / rows);
  const slot = Math.floor((width - GAP * (columns - 1)) / columns);
  return { columns, slot, height: heightFor(v, slot, rows, fixed) };
}

/** In full screen: the columns that show the pictures largest. */
export function fullGrid(v, width, height, count) {
  const grids = Array.from({ length: count }, (_, i) => {
    const columns = i + 1;
    const rows = Math.ceil(count / columns);
    return {
      columns,
      slot: Math.floor((width - GAP * (columns - 1)) / columns),
      height: Math.floor((height - GAP * (rows - 1)) / rows) - HEADER_HEIGHT,
    };
  });
  const size = ({ slot, height: room }) => fitting(v, slot, room);
  return grids.reduce((best, one) => (size(one) > size(best) ? one : best));
}

export const fitZoom = (v) => fitting(v, v.viewportWidth, v.viewportHeight);

export const zoomOf = (v) => (v.view.fit ? fitZoom(v) : v.view.zoom);

export const zoomRange = (v) => [Math.min(fitZoom(v), 1), Math.max(LARGEST_ZOOM, 4 * fitZoom(v))];

/** The next zoom in or out (`direction` 1 or -1). */
export function nextZoom(v, direction) {
  const zoom = zoomOf(v);
  const steps = direction > 0 ? ZOOM_STEPS : [...ZOOM_STEPS].reverse();
  return steps.find((step) => direction * (step - zoom) > 0.001 * zoom) ?? zoom * 2 ** direction;
}

/** Where the picture lies in its viewport, in CSS pixels on whole device pixels. */
export function placeOf(v) {
  const scale = zoomOf(v) / v.ratio;
  const along = (length, room, centre) => {
    const left = length <= room ? (room - length) / 2 : room / 2 - centre * length;
    const kept = length <= room ? left : clamp(left, room - length, 0);
    return Math.round(kept * v.ratio) / v.ratio;
  };
  const width = v.width * scale;
  const height = v.height * scale;
  return {
    scale,
    width,
    height,
    left: along(width, v.viewportWidth, v.view.x),
    top: along(height, v.viewportHeight, v.view.y),
  };
}

/** The middle of the view that puts a point of the picture (in 0..1) at a point of the viewport. */
export function pinned(v, inPicture, at) {
  const { width, height } = placeOf(v);
  const along = (length, room, fraction, point) => {
    const reach = room / 2 / length;
    return reach >= 0.5 ? 0.5 : clamp(fraction + (room / 2 - point) / length, reach, 1 - reach);
  };
  return {
    x: along(width, v.viewportWidth, inPicture.x, at.x),
    y: along(height, v.viewportHeight, inPicture.y, at.y),
  };
}

export function isPannable(v) {
  const { width, height } = placeOf(v);
  return width > v.viewportWidth + 0.5 || height > v.viewportHeight + 0.5;
}
