from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clearbar.route.budgets.account import Account
from clearbar.route.budgets.leases import Ask, Need, Position, allot

NOBODY = Position(0, 0, 0, 0, is_short=False)


def ask(account: Account, *, held: int = 0, keep: int = 0, extra: int = 0) -> Ask:
    return Ask(account, 0, False, held, keep, extra)


def test_a_call_gets_what_it_wants_where_it_is_there() -> None:
    given_ = allot([ask(Account("a", 100))], [Need(("a",), 30, 30, True)], {"a": NOBODY})
    assert (given_.amounts, given_.leased, given_.left) == ([30], {"a": 30}, {"a": 70})


def test_a_call_gets_what_is_left_where_that_is_enough() -> None:
    given_ = allot([ask(Account("a", 100))], [Need(("a",), 300, 30, True)], {"a": NOBODY})
    assert given_.amounts == [100]


def test_a_call_gets_the_same_amount_of_all_accounts() -> None:
    asks = [ask(Account("a", 100)), ask(Account("b", 40))]
    given_ = allot(asks, [Need(("a", "b"), 60, 10, True)], {"a": NOBODY, "b": NOBODY})
    assert given_.leased == {"a": 40, "b": 40}


def test_a_call_gets_nothing_of_any_account_where_one_is_short() -> None:
    asks = [ask(Account("a", 100)), ask(Account("b", 40))]
    given_ = allot(asks, [Need(("a", "b"), 60, 50, True)], {"a": NOBODY, "b": NOBODY})
    assert given_.amounts == [None]
    assert given_.leased == {"a": 0, "b": 0}


def test_an_account_is_short_where_others_have_what_is_missing() -> None:
    need = [Need(("a",), 60, 60, True)]
    for leased, short in ((60, {"a": 20}), (10, {})):
        account = Account("a", 40 + leased)
        others = Position(0, leased, 0, 1, is_short=False)
        assert allot([ask(account)], need, {"a": others}).short == short


def test_a_refused_call_is_missed_until_there_is_room_for_it() -> None:
    for leased, short in ((60, {"a": 20}), (30, {})):
        wanted = ask(Account("a", 100), extra=50)._replace(missing_nusd=60)
        others = Position(0, leased, 0, 1, is_short=False)
        assert allot([wanted], [], {"a": others}).short == short


def test_a_call_that_gets_nothing_leaves_nothing_idle() -> None:
    need = [Need(("a",), 60, 60, True)]
    assert allot([ask(Account("a", 50), extra=200)], need, {"a": NOBODY}).leased == {"a": 0}


def test_calls_are_served_in_their_order_and_smaller_ones_may_pass() -> None:
    needs = [Need(("a",), amount, amount, True) for amount in (60, 60, 40)]
    assert allot([ask(Account("a", 100))], needs, {"a": NOBODY}).amounts == [60, None, 40]


def test_what_others_have_leased_is_not_given_twice() -> None:
    others = Position(10, 80, 0, 1, is_short=False)
    given_ = allot([ask(Account("a", 100))], [Need(("a",), 20, 20, True)], {"a": others})
    assert given_.amounts == [None]


def test_what_lies_idle_with_one_is_a_share_that_shrinks_with_what_is_left() -> None:
    account = Account("a", 1000)
    alone = allot([ask(account, extra=900)], [], {"a": NOBODY})
    three = allot([ask(account, extra=900)], [], {"a": Position(0, 300, 0, 3, is_short=False)})
    assert alone.leased == {"a": 500}
    assert three.leased == {"a": 700 // 8}


def test_nothing_lies_idle_while_another_is_short() -> None:
    short = Position(0, 0, 0, 1, is_short=True)
    assert allot([ask(Account("a", 1000), extra=900)], [], {"a": short}).leased == {"a": 0}


def test_a_lowered_limit_blocks_and_takes_nothing_away() -> None:
    given_ = allot(
        [ask(Account("a", 5), held=30, keep=30, extra=9)],
        [Need(("a",), 1, 1, True)],
        {"a": NOBODY},
    )
    assert given_.leased == {"a": 30}
    assert given_.amounts == [None]


def test_from_the_drain_on_only_begun_work_is_served() -> None:
    account = Account("a", 100, (), 80)
    needs = [Need(("a",), 5, 5, False), Need(("a",), 5, 5, True)]
    spent = Position(80, 0, 0, 0, is_short=False)
    given_ = allot([ask(account)], needs, {"a": spent})
    assert given_.amounts == [None, 5]
    assert given_.short == {}


amounts = st.integers(0, 200)


@given(
    st.lists(
        st.tuples(amounts, amounts, amounts, amounts, amounts, st.integers(0, 4)),
        min_size=1,
        max_size=4,
    ),
    st.lists(st.tuples(st.sets(st.integers(0, 3), min_size=1), amounts, amounts, st.booleans())),
    st.booleans(),
)
def test_nothing_is_ever_given_that_is_not_left(
    books: list[tuple[int, int, int, int, int, int]],
    calls: list[tuple[set[int], int, int, bool]],
    short: bool,  # noqa: FBT001 - drawn
) -> None:
    asks, positions = [], {}
    for number, (limit, spent, leased, held, extra, leases) in enumerate(books):
        name = str(number)
        asks.append(ask(Account(name, limit), held=held, keep=held, extra=extra))
        positions[name] = Position(spent, leased, 0, leases, is_short=short)
    needs = [
        Need(tuple(sorted(str(it) for it in of if it < len(books))), max(a, b), min(a, b), begun)
        for of, a, b, begun in calls
        if any(it < len(books) for it in of)
    ]
    given_ = allot(asks, needs, positions)
    for number, (limit, spent, leased, held, *_) in enumerate(books):
        now = given_.leased[str(number)]
        assert now == held or spent + leased + now <= limit
        assert now >= held
    for need, amount in zip(needs, given_.amounts, strict=True):
        assert amount is None or need.least_nusd <= amount <= need.wanted_nusd
