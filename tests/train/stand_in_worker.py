"""A worker that trains nothing, called as ``python -m train run FOLDER --queue --minutes M`` is.

It takes its turn with the code of the real worker and writes the same events, a batch each
hundredth of a second or as the environment says, but it is there in half a second: it does not
load Keras.  Called as ``python -m train wait`` is, it has nothing to load and waits for a run.
"""

import os
import sys
import time

from train.ready_worker import wait_for_command
from train.run_folder import ProgressWriter, Run
from train.turns import worker_at
from train.visitor_limits import Refused

BATCHES_AN_EPOCH = 10
A_BATCH = float(os.environ.get("STAND_IN_SECONDS", "0.01"))


def main(run: Run) -> int:
    try:
        with worker_at(run):
            return pretend(run)
    except Refused as refusal:
        print(f"train: {refusal}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"train: {error}", file=sys.stderr)
        return 2


def pretend(run: Run) -> int:
    step = max((event["step"] for event in run.events()), default=0)
    epochs = run.read_config().epochs
    progress = ProgressWriter(run.progress)
    progress.write("status", step, status="loading")
    progress.write(
        "status", step, status="training", epochs=epochs, batches_an_epoch=BATCHES_AN_EPOCH
    )
    while step < epochs * BATCHES_AN_EPOCH:
        step += 1
        progress.write("batch", step, loss=1 / step)
        if why := run.why_stop():
            run.checkpoint.write_text(str(step))
            progress.write("stop", step, reason=why, outcome="stopped")
            return 1
        time.sleep(A_BATCH)
    run.model.write_text(str(step))
    progress.write("status", step, status="finished", reason="")
    return 0


if __name__ == "__main__":
    # From the first argument: -m train run FOLDER, or -m train wait
    command = sys.argv[3:]
    if command == ["wait"]:
        command = wait_for_command(lambda: None) or sys.exit()
    sys.exit(main(Run(command[1])))
