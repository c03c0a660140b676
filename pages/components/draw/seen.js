// Tells whether the place where it stands is on the screen, or above it.
export default function ({ parentElement, setStateValue }) {
  const place = parentElement.querySelector("div");
  const watcher = new IntersectionObserver(([entry]) => {
    const seen = entry.boundingClientRect.top < innerHeight;
    if (place.dataset.seen !== String(seen)) {
      place.dataset.seen = seen;
      setStateValue("seen", seen);
    }
  });
  watcher.observe(place);
  return () => watcher.disconnect();
}
