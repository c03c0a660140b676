// Keeps the tools of the drawing canvas pinned above it, also when Streamlit mounts a new
// canvas or the canvas changes its own mind; and says when its bin is pressed.

const BIN = "[title^='Reset canvas']";

/** The toolbar of the canvas below `container`, which is in a shadow root; null if none. */
function findTools(container) {
  for (const element of container.querySelectorAll("*")) {
    const tools = element.shadowRoot?.querySelector(".dc-toolbar");
    if (tools) return tools;
  }
  return null;
}

export default function ({ data, setTriggerValue }) {
  const container = document.querySelector(data.container);
  if (!container) return;
  let watched = null;

  const pinWatched = () => {
    if (watched.dataset.pinned !== "true") watched.dataset.pinned = "true";
  };
  const unpinned = new MutationObserver(pinWatched);
  const pressed = ({ target }) => {
    if (target.closest(BIN)) setTriggerValue("emptied", true);
  };

  const pin = () => {
    const tools = findTools(container);
    if (!tools || tools === watched) return;
    unpinned.disconnect();
    watched?.removeEventListener("click", pressed);
    watched = tools;
    tools.addEventListener("click", pressed);
    unpinned.observe(tools, { attributes: true, attributeFilter: ["data-pinned"] });
    pinWatched();
  };

  // What happens inside a shadow root is invisible from here, so look again now and then.
  pin();
  const timer = setInterval(pin, 300);
  return () => {
    clearInterval(timer);
    unpinned.disconnect();
    watched?.removeEventListener("click", pressed);
  };
}
