"""The page of mistakes is what the registry says."""

from utils.authoring import mistakes


def test_the_page_is_up_to_date():
    assert mistakes.PAGE.read_text(encoding="utf-8") == mistakes.page(), "run `make build`"
