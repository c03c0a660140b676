// Shows why nothing can be recorded, for as long as that is so.
export default function ({ parentElement }) {
  const [refused, missing] = ["refused", "missing"].map((name) =>
    parentElement.querySelector(`.${name}`),
  );
  const { mediaDevices, permissions } = navigator;
  let permission = null;
  let left = false;

  async function look() {
    // Without https a page gets no microphone, wherever it is allowed.
    const denied = !mediaDevices || permission?.state === "denied";
    const devices = (await mediaDevices?.enumerateDevices().catch(() => null)) ?? null;
    if (left) return;
    refused.hidden = !denied;
    missing.hidden = denied || !devices || devices.some(({ kind }) => kind === "audioinput");
  }

  async function watch() {
    // Some browsers do not know this permission; then only what is missing is said.
    permission = (await permissions?.query({ name: "microphone" }).catch(() => null)) ?? null;
    if (left) return;
    permission?.addEventListener("change", look);
    mediaDevices?.addEventListener("devicechange", look);
    look();
  }

  watch();
  return () => {
    left = true;
    permission?.removeEventListener("change", look);
    mediaDevices?.removeEventListener("devicechange", look);
  };
}
