"""What cards say of a model, to programs and to people."""

import dataclasses

from models.catalogue import Score, find_card, read_card
from tests.models.networks import identity, means, ship
from train.evaluate.cards import card_for_people, headline, write_card

AT_HALF = Score(
    "gaussian",
    0.5,
    10_000,
    {"psnr": 9.38, "ssim": 0.4131, "read": 0.63},
    {"psnr": 18.55, "ssim": 0.7772, "read": 0.947},
)
ACCURATE = Score("", 0.0, 10_000, {}, {"accuracy": 0.9937})
UNREAD = dataclasses.replace(
    AT_HALF, input={"psnr": 9.38, "ssim": 0.4131}, answer={"psnr": 18.55, "ssim": 0.7772}
)


def test_the_card_for_people_holds_the_numbers(tmp_path):
    card = ship(
        tmp_path,
        "model",
        identity(),
        parameters=101_200,
        macs_per_pixel=128.0,
        scores=(AT_HALF, dataclasses.replace(UNREAD, degradation="block")),
        made_with={"keras": "3.15.1"},
    )
    text = card_for_people(card)
    for expected in (
        "# Model",
        "101,200 parameters, 128 MACs per pixel",
        "Gaussian 0.2 to 0.8",
        "afresh each epoch",
        "adam, learning rate 0.001, constant",
        "1 epochs, batches of 128, seed 0",
        "keras 3.15.1",
        card.sha256,
        "18.55 dB, SSIM 0.777, 94.7% of the digits read at noise factor 0.5",
        "| gaussian | 0.5 | 10,000 | 9.38 | 18.55 | 0.413 | 0.777 | 63.0% | 94.7% |",
        "| block | 0.5 | 10,000 | 9.38 | 18.55 | 0.413 | 0.777 |  |  |",
    ):
        assert expected in text
    table = [line for line in text.splitlines() if line.startswith("| noise |")]
    assert table[0].count("|") == "| a | b | c | d | e | f | g | h | i |".count("|")


def test_the_card_of_a_photo_network_counts_as_its_sliders_do_and_reads_nothing(tmp_path):
    at = dataclasses.replace(UNREAD, examples=24)
    card = ship(
        tmp_path,
        "model",
        identity(),
        task="denoise-photos",
        size=0,
        channels=3,
        noise=[
            {"kind": "gaussian", "low": 0, "high": 75 / 255},
            {"kind": "jpeg", "low": 5, "high": 95},
        ],
        start="model",
        scores=(
            dataclasses.replace(at, degradation="gaussian", strength=25 / 255),
            dataclasses.replace(at, degradation="camera", strength=0),
            dataclasses.replace(at, degradation="gaussian", strength=15 / 255),
        ),
    )
    text = card_for_people(card)
    assert "| Noise | Gaussian 0 to 75, JPEG compression 5 to 95 |" in text
    assert "begun with the weights that it had before" in text
    table = text[text.index("| noise |") :].splitlines()
    assert [line.split(" | ")[:3] for line in table[2:]] == [
        ["| gaussian", "15", "24"],
        ["| gaussian", "25", "24"],
        ["| camera", "", "24"],
    ]
    assert {line.count("|") for line in table} == {8}


def test_a_model_that_never_saw_noise_says_so(tmp_path):
    text = card_for_people(ship(tmp_path, "model", identity(), noise=[]))
    assert "| Noise | none |" in text
    assert "Noise drawn" not in text


def test_a_reader_says_what_it_reads_and_an_unmeasured_model_that_it_is_not_measured(tmp_path):
    reader = ship(tmp_path, "reader", means(), task="read-digits", scores=(ACCURATE,))
    assert headline(reader) == "reads 99.37% of the clean test digits"
    for task in ("denoise-digits", "read-digits"):
        card = ship(tmp_path, f"new-{task}", identity(), task=task)
        assert headline(card) == "nothing yet"
        assert "nothing yet" in card_for_people(card)


def test_crops_are_of_networks_for_any_size():
    assert "batches of 4 crops of 320 x 320 pixels" in card_for_people(find_card("streets"))
    assert "batches of 8, seed 0" in card_for_people(find_card("streets-plain"))


def test_both_cards_are_written(tmp_path):
    card = ship(tmp_path, "model", identity())
    changed = dataclasses.replace(card, scores=(AT_HALF,))
    write_card(changed)
    assert read_card(card.folder) == changed
    assert (card.folder / "card.md").read_text() == card_for_people(changed)
