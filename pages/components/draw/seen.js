// Tells whether the place where it stands is on the screen, or above it; nothing while it never was.
export default function ({ parentElement, setStateValue }) {
  const place = parentElement.querySelector("div");
  const watcher = new IntersectionObserver(([entry]) => {
    const seen = entry.boundingClientRect.top < innerHeight;
    if (seen !== (place.dataset.seen === "true")) {
      place.dataset.seen = seen;
      setStateValue("seen", seen);
    }
  });
  watcher.observe(place);
  return () => watcher.disconnect();
}
