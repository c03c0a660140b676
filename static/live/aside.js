/** The page's end of the worker that makes the pictures of preview.js where the page is too slow. */

const { search } = new URL(import.meta.url); // The version, which all files share.

/** A header without what `prepare` does not look at: not all of it can be sent. */
const sendable = ({ preview, pictures, width, height }) => ({ preview, pictures, width, height });

export class Aside {
  /**
   * @param {object} owner what asks
   * @param {(now: object, made: object, values: object) => void} owner.answer pictures by title,
   *   as `make` returns them, of those values
   * @param {(why: string) => void} owner.fail says that the worker is gone
   */
  constructor({ answer, fail }) {
    this.fail = (why) => {
      this.stop();
      fail(why);
    };
    this.answer = answer;
    this.questions = 0;
    try {
      this.worker = new Worker(new URL(`./worker.js${search}`, import.meta.url), { type: "module" });
    } catch (error) {
      queueMicrotask(() => this.fail(`${error}`));
      return;
    }
    this.worker.addEventListener("error", ({ message }) => this.fail(message));
    this.worker.addEventListener("message", ({ data }) => this.receive(data));
  }

  stop() {
    this.worker?.terminate();
    this.worker = null;
  }

  /** Ask for pictures: one answer at a time, then that for the newest values. */
  ask(now, values) {
    if (this.now !== now) {
      this.now = now; // The server has sent other pictures.
      this.asked = null;
      this.worker?.postMessage({ how: now.preview.how, header: sendable(now.header) });
    }
    this.next = values;
    if (!this.asked) this.send();
  }

  send() {
    this.asked = this.next && { id: (this.questions += 1), values: this.next };
    this.next = null;
    if (this.asked) this.worker?.postMessage(this.asked);
  }

  receive({ id, pictures, problem }) {
    if (id !== this.asked?.id) return; // Asked before the server's newest pictures came.
    if (problem) {
      this.fail(problem);
      return;
    }
    const made = pictures.map(([title, { text, ...rest }]) => [
      title,
      { ...rest, caption: () => text },
    ]);
    this.answer(this.now, Object.fromEntries(made), this.asked.values);
    this.send();
  }
}
