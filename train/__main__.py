"""The command line of training: ``python -m train list | recipe | run | evaluate | ...``."""

import argparse
import os
import sys
import tempfile
import traceback
from pathlib import Path

from models.catalogue import ModelError, find_card
from models.command_line import a_path, between, run_command, whole
from models.host import cores
from models.tasks import denoise_digits, denoise_photos, find_task, read_digits
from models.tasks.contract import SPLITS, Task
from models.tasks.denoise_photos.data import KODAK24, POLYU
from models.tasks.denoise_photos.level import PART
from train.config import TrainConfig
from train.run_folder import RUNS, Run

OF_DIGITS = (denoise_digits.TASK, read_digits.TASK)
DIGITS = "digits"
LEAST_SECONDS = 10  # of a training by the clock, which saves for 8
# What is measured without a table to stand in.
PRINTED = ("camera", "sharp", "grey", "careful", "drawings", "auto")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status: 0, 1 for a run not finished, 2 for bad input."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    return run_command(_parser(), arguments, expected=(ModuleNotFoundError,))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m train", description="Train and ship models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    _add_training(commands)
    _add_shipping(commands)
    _add_measuring(commands)
    return parser


def _add_training(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("list", help="list the recipes")
    command.set_defaults(command=_list)

    command = commands.add_parser("recipe", help="train a recipe; continues where it stopped")
    command.add_argument("name")
    command.add_argument(
        "--out", type=a_path, help="run folder (default: NAME in train/runs or DENOISE_RUNS_DIR)"
    )
    command.add_argument("--epochs", type=int, help="instead of the recipe's")
    command.add_argument("--seed", type=int, help="instead of the recipe's")
    command.add_argument(
        "--workers", type=int, metavar="N", help="share the batches among N processes, on JAX"
    )
    command.add_argument(
        "--worker", type=int, metavar="I", help="number of this worker, from 0; one on each machine"
    )
    command.add_argument(
        "--coordinator", metavar="HOST:PORT", help="where worker 0 can be reached by the others"
    )
    command.set_defaults(command=_recipe)

    command = commands.add_parser(
        "code", help="write a training as one file that needs Keras alone"
    )
    command.add_argument("name", help="a recipe, or the folder of a run")
    command.add_argument("--notebook", action="store_true", help="as a Jupyter notebook")
    command.add_argument("--out", type=a_path, help="file (default: print it)")
    command.set_defaults(command=_code)

    command = commands.add_parser(
        "accelerated", help="train a photo recipe on an accelerator, by the wall clock, on JAX"
    )
    command.add_argument("name")
    command.add_argument(
        "--seconds",
        type=between(LEAST_SECONDS),
        required=True,
        help="time for everything, in seconds",
    )
    command.add_argument("--out", type=a_path, required=True, help="run folder")
    command.add_argument(
        "--start",
        type=a_path,
        help="weights to start from: an ONNX file, or weights.npz of another such run",
    )
    command.add_argument("--workers", type=whole(1), default=max(1, cores() - 2))
    command.add_argument("--batch", type=int, help="instead of the recipe's")
    command.add_argument("--crop", type=int, help="instead of the recipe's")
    command.add_argument("--steps", type=whole(1), help="stop after as many, for a rehearsal")
    command.add_argument(
        "--pool-crops",
        type=whole(1),
        default=60_000,
        help="how many the accelerator keeps",
    )
    command.set_defaults(command=_accelerated)

    command = commands.add_parser(
        "level",
        help="go on training what reads the noise level for a shipped photo network, on a CPU",
    )
    command.add_argument("name", help="a network with a level.onnx, which is written again")
    command.add_argument("--seconds", type=between(0), default=600, help="(default: 600)")
    command.set_defaults(command=_level)

    command = commands.add_parser("run", help="train a run folder as its config.json says")
    command.add_argument("folder", type=a_path)
    command.add_argument("--queue", action="store_true", help="wait for this run's turn")
    command.add_argument(
        "--minutes", type=between(0), help="stop after this many minutes, and keep the weights"
    )
    command.set_defaults(command=_run)

    command = commands.add_parser("wait", help="load Keras and wait for a run; started by the app")
    command.set_defaults(command=_wait)


def _add_shipping(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("export", help="ship a run as models/pretrained/NAME")
    command.add_argument("folder", type=a_path)
    command.add_argument("name", help="name of the recipe")
    command.set_defaults(command=_export)

    command = commands.add_parser(
        "refresh", help="write the ONNX files of shipped digit models again, with the same weights"
    )
    command.add_argument("names", nargs="*", help="models (default: all digit models)")
    command.set_defaults(command=_refresh)


def _add_measuring(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("results", help="write docs/recipes.md from finished runs")
    command.add_argument("names", nargs="*", help="recipes to train (default: all for digits)")
    command.add_argument(
        "--run", action="store_true", help="first train those that have no finished run, in order"
    )
    command.set_defaults(command=_results)

    command = commands.add_parser("curves", help="fit the output curves of the filters")
    command.set_defaults(command=_curves)

    command = commands.add_parser("lab", help="make the small studies of the Inside page")
    command.add_argument(
        "parts", nargs="*", help="autoencoders, order, codes, anomaly (default: all)"
    )
    command.set_defaults(command=_lab)

    command = commands.add_parser("evaluate", help="measure models; write cards and tables")
    command.add_argument("names", nargs="*", help="models (default: all that fit)")
    command.add_argument(
        "--set",
        choices=[DIGITS, KODAK24, POLYU, *PRINTED],
        help=f"what to measure on (default: {DIGITS}); {', '.join(PRINTED)} are printed only",
    )
    command.add_argument(
        "--every",
        type=whole(1),
        metavar="N",
        help="of what is printed only, measure every N-th picture",
    )
    command.add_argument(
        "--filters", action="store_true", help="measure the filters too, where a table has them"
    )
    command.add_argument(
        "--task", help="measure a task of More jobs with its baselines, or one of its networks"
    )
    command.add_argument(
        "--split",
        default="",
        choices=SPLITS,
        help="part of the data of --task (default: the one for tables; others are only printed)",
    )
    command.add_argument(
        "--data",
        default="",
        metavar="NAME",
        help="data set of --task (default: its first, the one for cards)",
    )
    command.set_defaults(command=_evaluate)


def _list(options: argparse.Namespace) -> int:
    from train.recipes import JOBS, RECIPES, TRAPS

    everything = RECIPES | JOBS | TRAPS
    width = max(map(len, everything))
    for recipe in everything.values():
        print(f"{recipe.name:{width}}  {recipe.purpose}")
    return 0


def _code(options: argparse.Namespace) -> int:
    from train.recipes import recipe
    from train.tutorial_code import to_notebook, to_script

    run = Run(options.name)
    if (run.folder / "config.json").is_file():
        config, title, purpose = run.read_config(), run.folder.name, ""
    else:
        found = recipe(options.name)
        config, title, purpose = found.config, found.title, found.purpose
    text = (to_notebook if options.notebook else to_script)(config, title, purpose)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
        print(options.out)
    else:
        print(text, end="")
    return 0


def _recipe(options: argparse.Namespace) -> int:
    import dataclasses

    from train.recipes import recipe

    config = recipe(options.name).config
    changes = {name: getattr(options, name) for name in ("epochs", "seed")}
    config = dataclasses.replace(
        config, **{name: value for name, value in changes.items() if value is not None}
    )
    folder = options.out or RUNS / options.name
    if options.workers is not None:
        return _recipe_with_workers(options, folder, config)
    if options.worker is not None or options.coordinator:
        raise ValueError("--worker and --coordinator need --workers, the number of all workers")
    run = Run.create(folder, config)
    run.stop.unlink(missing_ok=True)
    return _train(run)


def _accelerated(options: argparse.Namespace) -> int:
    import dataclasses
    import time

    from models.tasks.data_folder import data_folder
    from models.tasks.denoise_photos.data import load_pairs
    from train.photo_pool import make_pool, training_files
    from train.recipes import recipe
    from train.replicas import use_jax

    started = time.time()
    config = recipe(options.name).config
    changes = {name: getattr(options, name) for name in ("batch", "crop")}
    config = dataclasses.replace(
        config, **{name: value for name, value in changes.items() if value is not None}
    )
    # Whatever may be missing is asked for before the folder is made.
    use_jax()
    training_files()
    load_pairs(data_folder())
    run = Run.create(options.out, config)
    pool = make_pool(config.crop, config.seed, options.workers)  # Before JAX starts threads.
    from train.fit.accelerated import run_accelerated

    outcome = run_accelerated(
        run, options.seconds, options.start, started, pool, options.steps, options.pool_crops
    )
    print(f"{options.out}: {outcome}")
    return 0 if outcome == "finished" else 1


def _level(options: argparse.Namespace) -> int:
    card = find_card(options.name)
    if PART not in card.parts:
        raise ValueError(f"nothing reads the noise level for {card.name}")
    from train.export.ship import ship_part
    from train.fit.level import open_estimator, train_level

    model = open_estimator(card.folder / f"{PART}.onnx")
    train_level(model, options.seconds)
    ship_part(card, model)
    return 0


def _recipe_with_workers(options: argparse.Namespace, folder: Path, config: TrainConfig) -> int:
    from train.memory import load_less
    from train.replicas import require_place, run_together, use_jax

    require_place(options.worker, options.workers, options.coordinator)
    use_jax()
    if not options.worker:
        run = Run.create(folder, config)
        run.stop.unlink(missing_ok=True)
    if options.workers > 1 and options.worker is None:
        again = ["recipe", options.name, "--out", str(folder.resolve())]
        again += ["--epochs", str(config.epochs), "--seed", str(config.seed)]
        return run_together(again, options.workers)
    load_less("tensorflow")  # Keras would, to seed it: 4 seconds and 460 MB for each worker.
    return _train_in_team(Run(folder), options.worker or 0, options.workers, options.coordinator)


def _run(options: argparse.Namespace) -> int:
    from train.memory import load_less
    from train.turns import worker_at
    from train.visitor_limits import Refused

    run = Run(options.folder)
    if not options.queue:
        run.stop.unlink(missing_ok=True)
        return _train(run, options.minutes)
    load_less()
    # Into the run go the few files that TensorFlow leaves where its process is killed.
    tempfile.tempdir = str(run.folder)
    try:
        with worker_at(run):
            outcome = _train(run, options.minutes)
            _make_usable(run)
            return outcome
    except Refused as refusal:
        print(f"train: {refusal}", file=sys.stderr)
        return 1


def _wait(options: argparse.Namespace) -> int:
    from train.memory import load_less
    from train.ready_worker import wait_for_command

    load_less()

    def load() -> None:
        from train.fit.rehearsal import rehearse

        rehearse()

    command = wait_for_command(load)
    return main(command) if command else 0


def _make_usable(run: Run) -> None:
    """Let the screens use what was trained; a run without a network yet is left as it is."""
    from train.export.ship import can_export, make_usable
    from train.owners import owner
    from train.recipes import is_live

    trained = run.model.exists() or run.checkpoint.exists()
    if trained and is_live(run.read_config()) and can_export():
        make_usable(run, f"Yours: {owner(run).get('name', run.folder.name)}")


def _export(options: argparse.Namespace) -> int:
    from train.export.ship import export
    from train.recipes import recipe

    card = export(Run(options.folder), recipe(options.name))
    print(f"{card.folder}: {card.parameters:,} parameters after {card.training['epochs']} epochs")
    return 0


def _refresh(options: argparse.Namespace) -> int:
    from models.catalogue import find_card
    from train.export.ship import refresh

    for name in options.names or _networks(*OF_DIGITS):
        card = find_card(name)
        before = card.weights.stat().st_size
        after = refresh(card).weights.stat().st_size
        print(f"{name}: {before:,} -> {after:,} bytes ({after / before - 1:+.1%})", flush=True)
    return 0


def _results(options: argparse.Namespace) -> int:
    from train.evaluate.recipes_page import write_page
    from train.evaluate.record_runs import digit_recipes, draw, train_missing, update
    from train.recipes import RECIPES, TRAPS, recipe
    from train.recorded import read_records

    names = [recipe(name).name for name in options.names] or digit_recipes()
    if options.run:
        train_missing(names)
    missing = update(RECIPES | TRAPS)
    records = read_records()
    for record in records.values():
        draw(record)
    write_page(records, missing)
    for name in missing:
        print(f"not run yet: python -m train recipe {name}")
    return 0


def _curves(options: argparse.Namespace) -> int:
    from train.evaluate.output_curves import write_curves

    print(write_curves())
    return 0


def _lab(options: argparse.Namespace) -> int:
    from train.studies.make import PARTS, make_lab

    make_lab(options.parts or list(PARTS))
    return 0


def _networks(*tasks: Task) -> list[str]:
    """Return the names of the shipped networks of these tasks."""
    from models.catalogue import load_catalogue

    names = [task.name for task in tasks]
    return [name for name, card in load_catalogue().items() if card.task in names]


def _task_of(name: str) -> Task:
    """Return the task called ``name``, or that of the network called so."""
    from models.catalogue import load_catalogue

    cards = load_catalogue()
    return find_task(cards[name].task if name in cards else name)


def _evaluate(options: argparse.Namespace) -> int:
    _require_what_goes_together(options)
    if options.task:
        return _evaluate_task(options)
    measured = options.set or DIGITS
    tasks = OF_DIGITS if measured == DIGITS else (denoise_photos.TASK,)
    names = options.names or _networks(*tasks)
    for card in map(find_card, names):
        if card.task not in [task.name for task in tasks]:
            job = find_task(card.task).title
            raise ValueError(f"{card.name} is not a network for {measured}: its job is {job}")
    if measured in PRINTED:
        from train.evaluate.measure_camera import EVALUATIONS

        EVALUATIONS[measured](names, options.every or 1)
        return 0
    if measured != DIGITS:
        return _evaluate_photos(measured, names, options.filters)
    from train.evaluate.measure import evaluate_filters, evaluate_models, write_measurements
    from train.evaluate.tables import write_digit_tables

    rows = evaluate_models(names)
    if options.filters:
        rows += evaluate_filters()
    write_measurements(rows)
    write_digit_tables()
    return 0


def _require_what_goes_together(options: argparse.Namespace) -> None:
    """Raise ``ValueError`` where an option would be passed over."""
    asked = f"--task {options.task}" if options.task else f"--set {options.set or DIGITS}"
    others = {name: getattr(options, name) for name in ("set", "every", "filters", "split", "data")}
    taken = {"split", "data"} if options.task else {"set"}
    if not options.task:
        taken |= {"every"} if options.set in PRINTED else {"filters"}
    for name, value in others.items():
        if value and name not in taken:
            raise ValueError(f"--{name} does not go with {asked}")
    if options.task and options.names:
        names = ", ".join(options.names)
        raise ValueError(f"{asked} measures all networks of the task, got {names}")


def _evaluate_photos(measured: str, names: list[str], filters: bool) -> int:
    from train.evaluate.measure import write_measurements
    from train.evaluate.measure_photos import evaluate_kodak24, evaluate_polyu
    from train.evaluate.tables import write_photo_tables

    evaluate = {KODAK24: evaluate_kodak24, POLYU: evaluate_polyu}[measured]
    write_measurements(evaluate(names, filters))
    write_photo_tables()
    return 0


def _evaluate_task(options: argparse.Namespace) -> int:
    from train.evaluate.measure_task import evaluate_task, write_measurements, write_table

    task = _task_of(options.task)
    rows = evaluate_task(task, options.data, options.split)
    if all(row["split"] == task.data[row["data"]].measured_on for row in rows):
        write_measurements(rows)
        write_table(task)
    return 0


def _train_in_team(run: Run, index: int, count: int, coordinator: str) -> int:
    """Train as one worker of several, and end at once when that fails.

    JAX would otherwise wait at the end of the process for the others, who wait for this one.
    """
    from train.fit.distributed import Team, WorkerError
    from train.fit.loop import train

    try:
        team = Team.join(index, count, coordinator)
        with team.folder(run) as own:
            return _tell(run, train(own, show_progress=index == 0, team=team))
    except (ValueError, OSError, ModelError, WorkerError) as error:
        print(f"train: {error}", file=sys.stderr, flush=True)
        os._exit(2)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(3)


def _train(run: Run, minutes: float | None = None) -> int:
    run.read_config()  # Complain before the seconds that Keras takes.
    from train.fit.loop import train

    return _tell(run, train(run, show_progress=True, minutes=minutes))


def _tell(run: Run, outcome: str) -> int:
    print(f"{outcome}: {run.folder}")
    if outcome == "stopped":
        print("The same command goes on from here.")
    if outcome == "diverged":
        print("The loss became NaN: try a lower learning rate.")
    return 0 if outcome == "finished" else 1


if __name__ == "__main__":
    sys.exit(main())
