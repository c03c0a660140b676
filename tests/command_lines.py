"""What the commands have in common."""


def assert_refused(outcome: tuple[int, str, str], *words: object) -> None:
    """Bad input: exit status 2, one line on stderr that says what, nothing on stdout."""
    status, out, err = outcome
    assert status == 2
    assert out == ""
    assert err.startswith(("models: ", "train: "))
    assert err.count("\n") == 1
    for word in words:
        assert str(word) in err
