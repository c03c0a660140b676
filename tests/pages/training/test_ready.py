"""The line on the Train page that says that a training would begin at once."""

from streamlit.testing.v1 import AppTest

from train import ready_worker


def script() -> None:
    from pages.components.training.ready import show_ready

    show_ready()


def test_the_line_is_there_as_long_as_a_worker_is_ready(monkeypatch):
    visits, states = [], [ready_worker.LOADING]
    monkeypatch.setattr(ready_worker, "keep_ready", lambda: visits.append(1))
    monkeypatch.setattr(ready_worker, "state", lambda: states[-1])
    page = AppTest.from_function(script).run()
    assert not page.caption
    states.append(ready_worker.READY)
    assert "Ready: training starts" in page.run().caption[0].value
    states.append("")
    assert not page.run().caption
    assert len(visits) == 3
    assert not page.exception
