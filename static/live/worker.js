/**
 * Makes the pictures of preview.js in a worker; aside.js is the page's end of it.
 *
 * A message with a `header`, what the server sent, has the file `how` prepare itself; every other
 * one brings values of the sliders and is answered with the pictures.  The words of each are text
 * already, as functions cannot be sent.
 */

const { search } = new URL(import.meta.url); // The version, which all files share.

let make; // A promise of the function that makes the pictures.

async function prepared(how, header) {
  const { prepare } = await import(`./${how}.js${search}`);
  return prepare(header);
}

/** Pictures by title with a `text` in place of the function. */
function worded(made) {
  const pictures = Object.entries(made);
  return pictures.map(([title, { caption, ...rest }]) => [title, { ...rest, text: caption?.() }]);
}

addEventListener("message", async ({ data: { id, values, how, header } }) => {
  try {
    if (header) make = prepared(how, header);
    else postMessage({ id, pictures: worded((await make)(values)) });
  } catch (error) {
    postMessage({ id, problem: `${error}` });
  }
});
