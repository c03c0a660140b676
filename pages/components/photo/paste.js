// Takes a picture from the clipboard: by Ctrl+V anywhere on the page, or by the button.

function asText(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

export default function ({ parentElement, setTriggerValue, data }) {
  const button = parentElement.querySelector("button");
  const line = parentElement.querySelector("span");

  const send = async (blob) => {
    if (blob.size > data.limit) {
      line.textContent = `This picture is larger than ${Math.round(data.limit / 1e6)} MB.`;
      return;
    }
    line.textContent = "";
    setTriggerValue("picture", { name: blob.name ?? "pasted.png", content: await asText(blob) });
  };

  const onPaste = (event) => {
    const pictures = [...(event.clipboardData?.files ?? [])].filter((file) =>
      file.type.startsWith("image/"),
    );
    if (!pictures.length) return;
    event.preventDefault();
    send(pictures[0]);
  };

  button.onclick = async () => {
    try {
      for (const item of await navigator.clipboard.read()) {
        const type = item.types.find((each) => each.startsWith("image/"));
        if (type) return await send(await item.getType(type));
      }
      line.textContent = "There is no picture in the clipboard.";
    } catch {
      line.textContent = "The browser does not allow it; press Ctrl+V instead.";
    }
  };

  document.addEventListener("paste", onPaste);
  return () => document.removeEventListener("paste", onPaste);
}
