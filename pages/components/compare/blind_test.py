"""The blind test: two unnamed results of one noisy digit, and which one the visitor prefers.

The same seed gives the same rounds.  The two methods of a round are close in PSNR, because
nobody learns anything from telling a network from snow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd
import streamlit as st

from imaging import metrics
from imaging.metrics import Quality
from imaging.noise import NOISE_KINDS
from models.catalogue import Card
from models.tasks.denoise_digits import TASK
from pages.components import widgets
from pages.components.controls import DIGITS, HIGHEST_SEED, ready_digit, to_new_seed
from pages.components.gallery import Thumbnail, show_gallery
from pages.components.methods import Result, run_all
from pages.components.scores import decibel
from pages.components.viewer import compare

WORDS = (
    "In each of ten rounds you see a noisy digit and two anonymous results. Pick the better one; "
    "the viewer enlarges them and flips between them. The original appears only after you have "
    "chosen. At the end you see how often PSNR and SSIM, the two numbers that everyone judges "
    "denoising by, would have made the same choice. The two results of a round are close in PSNR, "
    "so that the choice is not too easy."
)
ROUNDS = 10
CLOSE = 3.0  # dB between the two results of a round, where the methods allow it
THINNEST, THICKEST = 0.07, 0.13  # pens, as a share of the canvas
WEAKEST, STRONGEST = 0.7, 1.3  # noise, as a share of the default strength of its kind
LEFT, RIGHT, EQUAL = "left", "right", "equal"
BUTTONS = (
    (LEFT, "Left is better", ":material/arrow_back:"),
    (EQUAL, "No difference", ":material/equal:"),
    (RIGHT, "Right is better", ":material/arrow_forward:"),
)
TITLES = {"psnr": "PSNR", "ssim": "SSIM"}


@dataclass(frozen=True)
class Round:
    """One question: what was drawn, what was done to it, and two answers."""

    clean: np.ndarray
    noisy: np.ndarray
    noise: str
    left: Result
    right: Result

    @property
    def pair(self) -> frozenset[str]:
        """The names of its two methods."""
        return frozenset((self.left.method.name, self.right.method.name))

    def quality(self, side: str) -> Quality:
        """Return how good the left or the right answer is."""
        return metrics.measure(self.clean, self.result(side).answer)

    def result(self, side: str) -> Result:
        """Return the left or the right answer."""
        return {LEFT: self.left, RIGHT: self.right}[side]

    def better(self, measure: str) -> str:
        """Return the side that "psnr" or "ssim" prefers."""
        left, right = (getattr(self.quality(side), measure) for side in (LEFT, RIGHT))
        return EQUAL if left == right else LEFT if left > right else RIGHT


@dataclass
class BlindTest:
    """The blind test of one visitor; ``picks`` has a side for each round that was judged."""

    seed: int
    rounds: list[Round] = field(default_factory=list)
    picks: list[str] = field(default_factory=list)
    wanted: int = 1
    most: int = ROUNDS

    @property
    def is_judged(self) -> bool:
        """Whether the newest round was judged."""
        return len(self.picks) == len(self.rounds)

    @property
    def is_over(self) -> bool:
        """Whether the last round was judged, and its answer was left."""
        return self.wanted > self.most

    def agreement(self, measure: str) -> tuple[int, int]:
        """Return how often "psnr" or "ssim" preferred what the visitor picked, and of how many.

        Rounds in which either saw no difference do not count.
        """
        both = [
            (played.better(measure), pick)
            for played, pick in zip(self.rounds, self.picks, strict=False)
        ]
        decided = [pair for pair in both if EQUAL not in pair]
        return sum(one == other for one, other in decided), len(decided)


def blind_test_of(cards: Mapping[str, Card]) -> BlindTest:
    """Return this visitor's blind test, with the round that is due.

    Another seed is another test.
    """
    seed = st.session_state.blind_seed
    test = st.session_state.get("blind")
    if test is None or test.seed != seed:
        test = st.session_state.blind = BlindTest(seed)
    while len(test.rounds) < min(test.wanted, test.most):
        used = {played.pair for played in test.rounds}
        try:
            test.rounds.append(draw_round(seed, len(test.rounds), cards, used))
        except ValueError:  # So few methods that all their pairs were asked for.
            test.most = len(test.rounds)
    return test


def show_round(test: BlindTest) -> None:
    """Draw the newest round and ask for a judgement; once there is one, say what was what."""
    played, number = test.rounds[-1], len(test.rounds)
    st.progress(len(test.picks) / test.most, f"Round {number} of {test.most}")
    judged = test.is_judged
    results_box, input_box = st.columns([3, 1], gap="large")
    with results_box:
        compare(
            {"Left": played.left.answer, "Right": played.right.answer},
            key="blind-viewer",
            captions=_captions(played) if judged else None,
            alt={"Left": "The left result", "Right": "The right result"},
        )
    with input_box:
        noisy = Thumbnail("Noisy", played.noisy, (played.noise,), f"The digit with {played.noise}")
        original = Thumbnail("Original", played.clean, (), "The digit before noise was added")
        show_gallery([noisy, original] if judged else [noisy])
    if judged:
        st.markdown(verdict(played, test.picks[-1]))
        st.button(
            "Next round" if number < test.most else "See the score",
            type="primary",
            icon=":material/arrow_forward:",
            on_click=_go_on,
            args=(test,),
            key="blind-next",
        )
        return
    st.markdown("Which one shows better what was there before the noise?")
    with st.container(horizontal=True):
        for side, label, icon in BUTTONS:
            st.button(
                label,
                icon=icon,
                on_click=_judge,
                args=(test, number, side),
                key=f"blind-{side}-{number}",
            )


def show_score(test: BlindTest) -> None:
    """Draw how often PSNR and SSIM agreed with the visitor, and what was picked."""
    st.header("Your score", anchor=False)
    with st.container(horizontal=True):
        for measure, title in TITLES.items():
            agreed, decided = test.agreement(measure)
            st.metric(
                f"{title} agreed with you",
                f"{agreed} of {decided}",
                help="Rounds in which you saw no difference are left out. Guessing would agree "
                "in half of them.",
            )
        st.metric("No difference seen", f"{test.picks.count(EQUAL)} of {len(test.picks)}")
    picked, rounds = as_tables(test)
    for title, table, name, alt in (
        ("What you picked", picked, "picked", "Methods, and how often picked"),
        ("Round by round", rounds, "rounds", "The rounds and their answers"),
    ):
        st.markdown(f"**{title}**")
        st.dataframe(table, hide_index=True, height="content", key=f"blind-{name}", alt=alt)


def show_restart(test: BlindTest) -> None:
    """Draw the seed of the rounds and a button for new ones."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        widgets.number_input(
            "Seed of the rounds",
            0,
            HIGHEST_SEED,
            step=1,
            key="blind_seed",
            width=190,
            help="The same seed gives the same ten rounds; another seed starts over.",
        )
        st.button(
            "New rounds",
            icon=":material/casino:",
            on_click=to_new_seed,
            args=("blind_",),
            key="blind-new",
        )
        if test.picks:
            st.button(
                "Begin again",
                icon=":material/replay:",
                on_click=_begin_again,
                key="blind-again",
            )


def verdict(played: Round, pick: str) -> str:
    """Return in words what the two results were, and who agreed with the visitor."""
    left, right = played.left.method.title, played.right.method.title
    sides = {title: played.better(measure) for measure, title in TITLES.items()}
    if pick == EQUAL:
        psnr, ssim = sides.values()
        told = f"PSNR prefers the {psnr} one, SSIM the {ssim} one"
        if psnr == ssim:
            told = f"PSNR and SSIM both prefer the {psnr} one"
        return f"Left was **{left}**, right was **{right}**. You saw no difference; {told}."
    agreed = [title for title, side in sides.items() if side == pick]
    said = ("Neither PSNR nor SSIM agrees", f"{''.join(agreed)} alone agrees", "Both numbers agree")
    picked, other = (left, right) if pick == LEFT else (right, left)
    return f"You picked **{picked}** over **{other}**. {said[len(agreed)]} with you."


def as_tables(test: BlindTest) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return how often each method was shown and picked, most picked first; and all rounds."""
    shown: dict[str, list[int]] = {}
    lines = []
    for number, (played, pick) in enumerate(zip(test.rounds, test.picks, strict=False), 1):
        for side in (LEFT, RIGHT):
            counts = shown.setdefault(played.result(side).method.title, [0, 0])
            counts[0] += 1
            counts[1] += side == pick
        lines.append(
            {
                "round": number,
                "noise": played.noise,
                "left": played.left.method.title,
                "right": played.right.method.title,
                "you": pick,
                **{title: played.better(measure) for measure, title in TITLES.items()},
            }
        )
    picked = [(name, wins, times) for name, (times, wins) in shown.items()]
    picked.sort(key=lambda line: (-line[1] / line[2], -line[1], line[0]))
    return pd.DataFrame(picked, columns=["method", "picked", "shown"]), pd.DataFrame(lines)


def draw_round(seed: int, number: int, cards: Mapping[str, Card], used: set[frozenset]) -> Round:
    """Return a round whose pair of methods is not among the used ones.

    Raises:
        ValueError: if there are not enough methods for one more pair.
    """
    rng = np.random.default_rng((seed, number))
    digit, pen = rng.choice(DIGITS), rng.uniform(THINNEST, THICKEST)
    kind = NOISE_KINDS[str(rng.choice(list(NOISE_KINDS)))]
    strength = min(kind.default * rng.uniform(WEAKEST, STRONGEST), kind.high)
    clean = ready_digit(str(digit), pen)
    noisy = np.clip(kind.corrupt(clean, strength, rng), 0, 1)
    results = run_all(TASK, cards, (kind.name, strength), noisy, metrics.rms(clean, noisy))
    pairs = _open_pairs(results, clean, used)
    if not pairs:
        raise ValueError(f"no pair of methods is left for round {number}, got {len(results)}")
    close = [pair for gap, pair in pairs if gap <= CLOSE] or [pairs[0][1]]
    one, other = close[rng.integers(len(close))]
    left, right = (one, other) if rng.random() < 0.5 else (other, one)
    return Round(clean, noisy, f"{kind.title}, {strength:.2g}", left, right)


def _open_pairs(
    results: Sequence[Result], clean: np.ndarray, used: set[frozenset]
) -> list[tuple[float, tuple[Result, Result]]]:
    """The pairs that were not asked for and that differ, with their gap in dB, closest first."""
    # A perfect result has an infinite PSNR, and two of them no gap that is a number.
    psnr = [min(metrics.psnr(clean, result.answer), 99) for result in results]
    pairs = [
        (abs(psnr[i] - psnr[j]), (results[i], results[j]))
        for i, j in combinations(range(len(results)), 2)
        if frozenset((results[i].method.name, results[j].method.name)) not in used
        and not np.array_equal(results[i].answer, results[j].answer)
    ]
    return sorted(pairs, key=lambda pair: pair[0])


def _captions(played: Round) -> dict[str, str]:
    captions = {}
    for side in (LEFT, RIGHT):
        quality = played.quality(side)
        captions[side.title()] = f"{decibel(quality.psnr)}, SSIM {quality.ssim:.3f}"
    return captions


def _judge(test: BlindTest, number: int, side: str) -> None:
    if len(test.picks) < number:  # A second click says nothing more.
        test.picks.append(side)


def _go_on(test: BlindTest) -> None:
    test.wanted = len(test.picks) + 1


def _begin_again() -> None:
    st.session_state.pop("blind", None)
