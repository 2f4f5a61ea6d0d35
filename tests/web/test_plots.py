import re
from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.web import plots

NUMBERS = st.lists(st.floats(-1e9, 1e9), max_size=40)
HOSTILE = "<script>alert(1)</script>\"'&"


def elements(svg: str, name: str) -> list[ET.Element]:
    return list(ET.fromstring(f"<g>{svg}</g>").iter(name))  # noqa: S314 - our own markup


def percent(element: ET.Element, attribute: str) -> float:
    return float(element.attrib[attribute].removesuffix("%"))


def part(value: str, label: str = "a") -> plots.Part:
    return plots.Part(label, Decimal(value), "fund")


def interval(low: float | None, high: float | None, value: float = 0.5) -> str:
    return plots.interval(value, (low, high), float, "a score", plots.unit_track(None))


def test_a_sparkline_has_one_bar_for_each_value_that_is_not_zero() -> None:
    (path,) = elements(plots.sparkline([1.0, 0.0, 4.0], "x"), "path")
    assert path.attrib["d"] == "M0 24v-6M2 24v-24"


def test_a_credit_hangs_below_the_baseline() -> None:
    (path,) = elements(plots.sparkline([3.0, -1.0], "x"), "path")
    assert path.attrib["d"] == "M0 18v-18M1 18v6"


def test_a_sparkline_of_nothing_is_an_empty_picture() -> None:
    (path,) = elements(plots.sparkline([], "x"), "path")
    assert path.attrib["d"] == ""


@given(NUMBERS)
def test_every_bar_stays_inside_its_picture(values: list[float]) -> None:
    (path,) = elements(plots.sparkline(values, "x"), "path")
    for base, rise in re.findall(r"M\d+ (-?\d+)v(-?\d+)", path.attrib["d"]):
        assert 0 <= int(base) <= 24
        assert -1 <= int(base) + int(rise) <= 25


def test_a_stacked_bar_gives_each_part_its_share_of_the_width() -> None:
    rects = elements(plots.stacked_bar([part("3"), part("1")], "x"), "rect")
    assert [percent(rect, "width") for rect in rects] == [75, 25]
    assert [percent(rect, "x") for rect in rects] == [0, 75]


def test_a_stacked_bar_draws_no_part_that_is_zero_or_a_credit() -> None:
    assert len(elements(plots.stacked_bar([part("0"), part("-2"), part("5")], "x"), "rect")) == 1


def test_a_stacked_bar_of_nothing_is_empty() -> None:
    assert elements(plots.stacked_bar([], "x"), "rect") == []


@given(st.lists(st.decimals("0.01", "1000000", places=2), min_size=1, max_size=8))
def test_the_parts_of_a_stacked_bar_fill_it(values: list[Decimal]) -> None:
    rects = elements(plots.stacked_bar([part(str(value)) for value in values], "x"), "rect")
    assert sum(percent(rect, "width") for rect in rects) == pytest.approx(100, abs=0.5)


def test_a_log_scale_covers_whole_decades() -> None:
    assert plots.log_scale([0.03, 0.2, 4.0]) == plots.LogScale(-2, 1)


def test_a_log_scale_ignores_what_has_no_logarithm() -> None:
    assert plots.log_scale([None, 0.0, -1.0, 2.0, 3.0]) == plots.LogScale(0, 1)


def test_a_log_scale_of_one_exact_power_still_has_a_width() -> None:
    assert plots.log_scale([10.0]) == plots.LogScale(1, 2)


def test_there_is_no_log_scale_without_a_positive_number() -> None:
    assert plots.log_scale([0.0, None]) is None


def test_each_decade_is_equally_wide() -> None:
    scale = plots.LogScale(-2, 2)
    assert [scale.at(value) for value in (0.01, 0.1, 1, 10, 100)] == [0, 0.25, 0.5, 0.75, 1]


def test_what_is_not_positive_lies_at_the_left_end() -> None:
    assert plots.LogScale(0, 1).at(-5) == 0


@given(st.floats(1e-12, 1e12), st.floats(1e-12, 1e12))
def test_a_dearer_value_never_lies_further_left(one: float, other: float) -> None:
    scale = plots.LogScale(-3, 3)
    assert (scale.at(one) <= scale.at(other)) == (one <= other or scale.at(one) == scale.at(other))


def test_the_axis_names_the_decades_that_have_room() -> None:
    def labels(low: int, high: int) -> list[str | None]:
        return [
            text.text for text in elements(plots.decade_axis(plots.LogScale(low, high)), "text")
        ]

    assert labels(-2, 0) == ["$0.01", "$0.1", "$1"]
    assert labels(0, 4) == ["$1", "$100", "$10k"]
    assert labels(-4, 1) == ["$0.0001", "$0.1"]


def test_there_is_a_line_for_each_decade() -> None:
    assert plots.decade_lines(plots.LogScale(-1, 2)).count("M") == 4


def test_a_bounded_interval_is_a_band_from_end_to_end() -> None:
    band = elements(interval(0.25, 0.75), "path")[2]
    assert band.attrib == {"class": "band", "d": "M40.5 7H109.5"}


@pytest.mark.parametrize("ends", [(None, 0.9), (0.1, None), (None, None)])
def test_an_end_without_a_bound_is_marked_open(ends: tuple[float | None, float | None]) -> None:
    assert 'class="interval open"' in interval(*ends)


def test_the_track_of_a_score_marks_the_bar() -> None:
    track, level = elements(plots.unit_track(0.5), "path")
    assert track.attrib["d"] == "M6 7H144"
    assert level.attrib["d"] == "M75 0v14"


def test_a_score_without_a_bar_has_no_mark() -> None:
    assert elements(plots.unit_track(None), "path")[1].attrib["d"] == ""


def test_spend_within_its_budget_fills_a_part_of_the_track() -> None:
    _, within, over, limit = elements(plots.bullet(25, 100, "x"), "rect")
    assert (percent(within, "width"), percent(over, "width"), percent(limit, "x")) == (25, 0, 100)


def test_spend_beyond_its_budget_stands_out_behind_the_limit() -> None:
    _, within, over, limit = elements(plots.bullet(200, 100, "x"), "rect")
    assert (percent(within, "width"), percent(over, "width"), percent(limit, "x")) == (50, 50, 50)


def test_nothing_spent_of_no_budget_is_an_empty_track() -> None:
    _, within, over, _ = elements(plots.bullet(0, 0, "x"), "rect")
    assert percent(within, "width") == percent(over, "width") == 0


def bars(count: int, line: float = 1.0) -> list[plots.Bar]:
    return [
        plots.Bar(float(index), line, f"day {index}", quiet=index % 7 > 4) for index in range(count)
    ]


def timeline(count: int, ticks: list[tuple[int, str]], line: float = 1.0) -> str:
    return plots.timeline(bars(count, line), ticks, "a plot", ("$9", "4 good"))


def test_every_bar_of_a_timeline_tells_its_numbers_on_hover() -> None:
    titles = [title.text for title in elements(timeline(3, []), "title")]
    assert titles == ["day 0", "day 1", "day 2"]


def test_weekends_are_drawn_apart() -> None:
    svg = timeline(7, [])
    assert 'class="quiet bars" d="M5 100v-83M6 100v-100"' in svg


def test_a_timeline_of_zero_points_has_no_line() -> None:
    assert '<path class="line" d=""/>' in timeline(5, [], line=0.0)


def test_a_timeline_of_no_days_is_an_empty_picture() -> None:
    assert elements(timeline(0, []), "title") == []


def test_labels_are_thinned_until_they_fit() -> None:
    texts = elements(timeline(70, [(index, f"w{index}") for index in range(0, 70, 7)]), "text")
    assert [text.text for text in texts[2:]] == ["w0", "w14", "w28", "w42", "w56"]


def test_a_label_that_would_be_cut_off_at_the_right_is_left_out() -> None:
    texts = elements(timeline(10, [(0, "first"), (9, "tenth"), (10, "beyond")]), "text")
    assert [text.text for text in texts[2:]] == ["first", "tenth"]


def test_every_picture_escapes_its_words() -> None:
    pictures = (
        plots.sparkline([1.0], HOSTILE),
        plots.stacked_bar([part("1", HOSTILE)], HOSTILE),
        plots.bullet(1, 2, HOSTILE),
        plots.interval(0.5, (0.1, 0.9), float, HOSTILE, plots.DECADES),
        plots.timeline([plots.Bar(1, 1, HOSTILE)], [(0, HOSTILE)], HOSTILE, (HOSTILE, HOSTILE)),
    )
    for picture in pictures:
        assert "<script" not in picture
        assert elements(picture, "svg")[0].attrib["aria-label"] == HOSTILE
