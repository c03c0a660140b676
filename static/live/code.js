/** The picture that a decoder makes of the numbers on the sliders. */

const { search } = new URL(import.meta.url); // The version, which all files share.
const { open, reading, toLevels } = await import(`./digits.js${search}`);

export async function prepare({ preview }) {
  const [network, reader] = await Promise.all([
    open(preview.network),
    preview.reader && open(preview.reader),
  ]);
  return (numbers) => {
    const picture = network.run(Float32Array.from(Object.values(numbers)), { start: preview.start });
    const caption = () => (reader ? `reader: ${reading(reader.run(picture))}` : "");
    return { [preview.title]: { levels: toLevels(picture), channels: 1, caption } };
  };
}
