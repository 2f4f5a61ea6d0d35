"""A set of rules, read from a file: patterns, known answers, near duplicates, fields. No model.

`rule_file` says what a rule file may hold. Rules answer in under a millisecond, at no cost and
always alike; what none of them holds for has the default answer, or none, at confidence 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from clearbar.core.errors import ClearbarError
from clearbar.tools.answer_table import read_bytes, read_table, words_in
from clearbar.tools.extractor import answer_of, tokens_of
from clearbar.tools.near_duplicates import NearIndex, majority, normalised
from clearbar.tools.rule_file import MAX_RULE_FILE_BYTES, filled_in, parse_rules
from clearbar.tools.tool import Answer

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from clearbar.core.errors import Problem
    from clearbar.tools.rule_file import DeclaredRule, FieldRule

Span = tuple[str, int, int]
"""Field, start and end."""


class Rule(Protocol):
    """One rule."""

    def answer(self, text: str) -> Answer | None:
        """Return the answer, or None where the rule does not hold."""
        ...


@dataclass(frozen=True, slots=True)
class RegexRule:
    """Holds where a pattern is found."""

    regex: re.Pattern[str]
    reply: str
    full: bool
    confidence: float

    def answer(self, text: str) -> Answer | None:
        """Return the reply with the groups of the first match."""
        match = self.regex.fullmatch(text) if self.full else self.regex.search(text)
        return match and Answer(filled_in(self.reply, match), confidence=self.confidence)


@dataclass(frozen=True, slots=True)
class LookupRule:
    """Holds where the input is known."""

    answers: Mapping[str, str]
    """By normalised input."""
    confidence: float

    def answer(self, text: str) -> Answer | None:
        """Return the answer to the same input."""
        found = self.answers.get(normalised(text))
        return None if found is None else Answer(found, confidence=self.confidence)


@dataclass(frozen=True, slots=True)
class NearRule:
    """Holds where a past input is alike."""

    index: NearIndex
    answers: tuple[str, ...]
    confidence: float | None
    """None: the likeness."""

    def answer(self, text: str) -> Answer | None:
        """Return the answer most frequent among the past inputs that are most alike."""
        near = self.index.nearest(text)
        if not near:
            return None
        found = majority([self.answers[one.at] for one in near])
        confidence = near[0].likeness if self.confidence is None else self.confidence
        return Answer(found, confidence=min(confidence, 1.0))


@dataclass(frozen=True, slots=True)
class ExtractRule:
    """Always holds: its answer is the JSON object of the fields found."""

    finders: tuple[Callable[[str], Iterable[Span]], ...]
    """In the order in which they take their spans."""
    many: frozenset[str]
    confidence: float

    def answer(self, text: str) -> Answer | None:
        """Return the fields found; of spans that overlap, the one of the first finder counts."""
        taken: list[Span] = []
        for find in self.finders:
            free = [span for span in find(text) if not _overlaps(span, taken)]
            taken += free
        return Answer(answer_of(text, taken, self.many), confidence=self.confidence)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules of a file, in order."""

    rules: tuple[Rule, ...]
    default: str | None
    input_limit: int
    digest: str
    """SHA-256 over the rule file and the files that it names."""
    problems: tuple[Problem, ...] = ()
    """Rows of its tables that could not be read; the others count."""
    inputs: frozenset[str] = frozenset()
    """The inputs of its tables, normalised."""

    def knows(self, text: str) -> bool:
        """Return whether one of its tables holds the input: such a case would certify memory."""
        return normalised(text) in self.inputs

    def answer(self, text: str) -> Answer:
        """Return the answer of the first rule that holds, else the default at confidence 0."""
        if len(text) <= self.input_limit:
            for rule in self.rules:
                if (found := rule.answer(text)) is not None:
                    return found
        return Answer(self.default or "", confidence=0.0)


def load_rules(path: Path) -> RuleSet:
    """Return the rules of a file. Files that it names are looked for beside it.

    Raises:
        DeclarationError: with every fault, as `FILE:LINE: KEY: what is wrong`.
        ClearbarError: when the file cannot be read.
    """
    return _Loader(path).load()


class _Loader:
    """Turns declared rules into rules, and notes every file that they rest on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digests: list[str] = []
        self._problems: list[Problem] = []
        self._inputs: set[str] = set()

    def load(self) -> RuleSet:
        data = self._read_own()
        declared, faults = parse_rules(data, self._path)
        rules = [rule.place.read(partial(self._rule, rule)) for rule in declared.rules]
        faults.raise_if_any()
        digests = "\n".join([sha256(data).hexdigest(), *self._digests])
        return RuleSet(
            tuple(rule for rule in rules if rule is not None),
            declared.default,
            declared.input_limit,
            sha256(digests.encode()).hexdigest(),
            tuple(self._problems),
            frozenset(self._inputs),
        )

    def _read_own(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                return file.read(MAX_RULE_FILE_BYTES + 1)
        except OSError as error:
            said = error.strerror or str(error)
            raise ClearbarError(f"{self._path} cannot be read: {said}", "check the path") from error

    def _rule(self, rule: DeclaredRule) -> Rule | None:
        sure = 1.0 if rule.confidence is None else rule.confidence
        if rule.regex is not None and rule.answer is not None:
            return RegexRule(rule.regex, rule.answer, rule.full, sure)
        if rule.lookup is not None:
            return LookupRule(self._known(rule, rule.lookup), sure)
        if rule.near is not None:
            known = self._known(rule, rule.near)
            index = NearIndex(list(known), rule.likeness)
            return NearRule(index, tuple(known.values()), rule.confidence)
        if rule.extract:
            finders = tuple(self._finder(field) for field in rule.extract)
            many = frozenset(field.field for field in rule.extract if field.many)
            return ExtractRule(finders, many, sure)
        return None  # a fault, noted where the file was read

    def _known(self, rule: DeclaredRule, name: str) -> dict[str, str]:
        """Return the answer of each input of a table, normalised; of several the most frequent."""
        path = self._path.parent / name
        table = read_table(self._contents(name), path, rule.input_column, rule.answer_column)
        self._problems += table.problems
        answers: dict[str, list[str]] = {}
        for text, answer in zip(table.inputs, table.answers, strict=True):
            answers.setdefault(normalised(text), []).append(answer)
        self._inputs |= answers.keys()
        return {text: majority(found) for text, found in answers.items()}

    def _contents(self, name: str) -> bytes:
        data = read_bytes(self._path.parent / name)
        self._digests.append(sha256(data).hexdigest())
        return data

    def _finder(self, field: FieldRule) -> Callable[[str], Iterable[Span]]:
        if field.regex is not None:
            return _PatternFinder(field.field, field.regex)
        words = field.words
        if field.words_from is not None:
            words = words_in(self._contents(field.words_from))
        return _WordFinder(field.field, words, any_case=field.any_case)


def _overlaps(span: Span, others: Iterable[Span]) -> bool:
    return any(span[1] < end and span[2] > start for _, start, end in others)


@dataclass(frozen=True, slots=True)
class _PatternFinder:
    field: str
    regex: re.Pattern[str]

    def __call__(self, text: str) -> Iterator[Span]:
        group = 1 if self.regex.groups else 0
        for match in self.regex.finditer(text):
            start, end = match.span(group)
            if start < end:
                yield self.field, start, end


class _WordFinder:
    """Finds words of a list; of those that start at one place, the longest."""

    def __init__(self, field: str, words: Iterable[str], *, any_case: bool) -> None:
        self._field, self._any_case = field, any_case
        self._known: dict[str, list[tuple[str, ...]]] = {}
        for word in words:
            tokens = tuple(self._tokens(word))
            if tokens:
                self._known.setdefault(tokens[0], []).append(tokens)
        for known in self._known.values():
            known.sort(key=len, reverse=True)

    def _tokens(self, text: str) -> list[str]:
        texts = [token.text for token in tokens_of(text)]
        return [text.casefold() for text in texts] if self._any_case else texts

    def __call__(self, text: str) -> Iterator[Span]:
        tokens, texts = tokens_of(text), self._tokens(text)
        at = 0
        while at < len(texts):
            length = self._length_at(texts, at)
            if length:
                yield self._field, tokens[at].start, tokens[at + length - 1].end
            at += length or 1

    def _length_at(self, texts: list[str], at: int) -> int:
        for known in self._known.get(texts[at], ()):
            if tuple(texts[at : at + len(known)]) == known:
                return len(known)
        return 0
