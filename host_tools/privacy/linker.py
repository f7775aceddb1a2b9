"""Linkers: scikit-learn models that are shown pairs of some nodes' epochs and must find the others' again.

Each query is one held-out node's observation of an earlier epoch, its candidates all observations of a later one.
Must never be shown a pair of a node that it is asked about.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier  # type: ignore[import-untyped]
from sklearn.impute import SimpleImputer  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]
from sklearn.model_selection import KFold  # type: ignore[import-untyped]
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from host_tools.privacy.observe import Observation
from host_tools.privacy.pairs import Matrix, Pairs, Rows

FOLDS = 5
WRONG_PER_RIGHT = 12  # pairs of different nodes shown per pair of one
IMPORTANT = 12
PAIRS_FOR_IMPORTANCE = 3000
RANK_MIN = 0.01  # mean difference of ranks, 0 to 1
ASKED_AT_ONCE = 40  # queries whose rows are in memory together

Flags = NDArray[np.bool_]
Scores = NDArray[np.float64]
Step = Callable[[], None]


class Model(Protocol):
    """What learns from rows of pairs, and then says how likely each is one node."""

    def fit(self, rows: Matrix, same: Flags) -> object:
        """Learns."""

    def predict_proba(self, rows: Matrix) -> Scores:
        """(rows, 2): the second column counts."""


@dataclass(frozen=True)
class Query:
    """One answered question: days between the two epochs, candidates there were, and the share of the first place and
    of the first five that the right one got (ties share a place)."""

    gap_days: int
    candidates: int
    top1: float
    top5: float


@dataclass(frozen=True)
class Linked:
    """How one linker did over all folds. auc: of right pairs against wrong ones."""

    name: str
    queries: tuple[Query, ...]
    auc: float


@dataclass(frozen=True)
class Told:
    """What a feature is worth. alone: AUC of the best that was made of it, by itself; lost: what the best linker's
    AUC loses when the feature is shuffled (permutation importance)."""

    feature: str
    alone: float
    lost: float


class Question:
    """A list of observations, cut into folds of nodes; makes the pairs to learn and the pairs to judge."""

    def __init__(self, seen: Sequence[Observation], seed: int) -> None:
        self.pairs = Pairs(seen)
        self._nodes = np.array([one.node for one in seen])
        self._days = np.array([one.day for one in seen])
        self._rng = np.random.default_rng(seed)
        self._seed = seed

    def folds(self) -> Iterator[tuple[set[int], set[int]]]:
        """(nodes to learn from, nodes to ask about)."""
        nodes = np.unique(self._nodes)
        for learn, ask in KFold(FOLDS, shuffle=True, random_state=self._seed).split(nodes):
            yield set(nodes[learn].tolist()), set(nodes[ask].tolist())

    def lessons(self, nodes: set[int]) -> tuple[Rows, Rows, Flags]:
        """(earlier, later, whether one node) of these nodes alone."""
        earlier: list[int] = []
        later: list[int] = []
        for before, after in self._days_apart():
            pool = [row for row in self._on(after) if self._nodes[row] in nodes]
            for row in self._on(before):
                if self._nodes[row] in nodes and pool:
                    right = [other for other in pool if self._nodes[other] == self._nodes[row]]
                    others = right + self._rng.choice(pool, WRONG_PER_RIGHT).tolist()
                    earlier += [row] * len(others)
                    later += others
        first, second = np.array(earlier), np.array(later)
        return first, second, self._nodes[first] == self._nodes[second]

    def queries(self, nodes: set[int]) -> Iterator[tuple[Rows, Rows, Flags]]:
        """Per question (earlier repeated, all candidates, which is right); those with a right answer only."""
        for before, after in self._days_apart():
            candidates = np.array(self._on(after))
            for row in self._on(before):
                right = self._nodes[candidates] == self._nodes[row]
                if self._nodes[row] in nodes and right.any():
                    yield np.full(len(candidates), row), candidates, right

    def gap_days(self, earlier: Rows, later: Rows) -> int:
        """Days between the epochs of a question."""
        return int(self._days[later[0]] - self._days[earlier[0]])

    def _days_apart(self) -> list[tuple[int, int]]:
        return list(combinations(np.unique(self._days).tolist(), 2))

    def _on(self, day: int) -> list[int]:
        return [int(row) for row in np.flatnonzero(self._days == day)]


class Nearest:
    """Weighted distance of ranks: a number counts by how much less it varies within a node than between nodes."""

    def __init__(self, columns: slice) -> None:
        self._columns = columns
        self._weights: Scores = np.zeros(0)

    def fit(self, rows: Matrix, same: Flags) -> Nearest:
        """Learns the weights."""
        ranks = rows[:, self._columns]
        within, between = ranks[same].mean(axis=0), ranks[~same].mean(axis=0)
        # What hardly ever differs between nodes cannot be weighed.
        telling = between > RANK_MIN
        self._weights = np.where(telling, np.clip(1 - within / np.where(telling, between, 1), 0, None) ** 2, 0)
        return self

    def predict_proba(self, rows: Matrix) -> Scores:
        """Nearness in the second column."""
        near = -(rows[:, self._columns] @ self._weights)
        return np.stack([-near, near], axis=1)


def models(pairs: Pairs, seed: int) -> dict[str, Callable[[], Model]]:
    """The linkers there are, by name."""
    return {
        "trees": lambda: HistGradientBoostingClassifier(
            max_iter=80, max_leaf_nodes=12, min_samples_leaf=30, max_bins=40, l2_regularization=1.0, random_state=seed
        ),
        "logistic": lambda: make_pipeline(
            SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
            StandardScaler(),
            LogisticRegression(C=0.02, max_iter=1000, class_weight="balanced"),
        ),
        "nearest": lambda: Nearest(pairs.rank_columns),
    }


def link(
    seen: Sequence[Observation], seed: int, only: Sequence[str] = (), step: Step = lambda: None
) -> tuple[list[Linked], list[Told]]:
    """Lets every linker try (or those in `only`), and says which features the best one went by. step is called after
    each fold."""
    question = Question(seen, seed)
    makers = {name: make for name, make in models(question.pairs, seed).items() if not only or name in only}
    folds = [_Fold(question, *split) for split in question.folds()]
    # As many folds at once as there are processors, each on a thread of its own: the models' own threads would only
    # wait for one another.
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for done in as_completed([pool.submit(fold.run, makers) for fold in folds]):
            done.result()
            step()
    answers = {name: tuple(query for fold in folds for query in fold.answers[name]) for name in makers}
    found = [Linked(name, answers[name], _auc(folds, name)) for name in makers]
    best = max(found, key=lambda one: sum(query.top1 for query in one.queries))
    return found, folds[0].told(best.name)


class _Fold:
    """Some nodes to learn from and others to ask about; run() fills in what came of it."""

    def __init__(self, question: Question, learn: set[int], ask: set[int]) -> None:
        self._question = question
        self._asked = list(question.queries(ask))
        self._lessons = question.lessons(learn)
        self._models: dict[str, Model] = {}
        self._empty: Flags = np.zeros(0, dtype=bool)
        self.right = np.concatenate([right for _, _, right in self._asked])
        self.scores: dict[str, Scores] = {}
        self.answers: dict[str, list[Query]] = {}

    def run(self, makers: Mapping[str, Callable[[], Model]]) -> None:
        """Learns and answers."""
        earlier, later, same = self._lessons
        lessons = self._question.pairs.rows(earlier, later)
        self._empty = np.asarray(np.isnan(lessons).all(axis=0))
        lessons[:, self._empty] = 0
        parts: dict[str, list[Scores]] = {name: [] for name in makers}
        with threadpool_limits(1):
            for name, make in makers.items():
                self._models[name] = make()
                self._models[name].fit(lessons, same)
            for begin in range(0, len(self._asked), ASKED_AT_ONCE):
                asked = self._asked[begin : begin + ASKED_AT_ONCE]
                rows = self._rows(*(np.concatenate([one[side] for one in asked]) for side in (0, 1)))
                for name, model in self._models.items():
                    parts[name].append(model.predict_proba(rows)[:, 1])
        ends = np.cumsum([len(right) for _, _, right in self._asked])[:-1]
        for name in makers:
            self.scores[name] = np.concatenate(parts[name])
            answered = zip(self._asked, np.split(self.scores[name], ends), strict=True)
            self.answers[name] = [_judged(self._question, *one, likely) for one, likely in answered]

    def _rows(self, earlier: Rows, later: Rows) -> Matrix:
        """As the models have learned to read them: what no lesson had is not looked at."""
        rows = self._question.pairs.rows(earlier, later)
        rows[:, self._empty] = 0
        return rows

    def told(self, name: str) -> list[Told]:
        """What each group of columns is worth, those that tell most by themselves first."""
        rng = np.random.default_rng(0)
        wrong = rng.permutation(np.flatnonzero(~self.right))[:PAIRS_FOR_IMPORTANCE]
        chosen = np.concatenate([np.flatnonzero(self.right), wrong])
        right = self.right[chosen]
        rows = self._rows(*(np.concatenate([one[side] for one in self._asked])[chosen] for side in (0, 1)))
        model = self._models[name]
        whole = roc_auc_score(right, model.predict_proba(rows)[:, 1])
        found = []
        for feature, columns, alone in _telling(rows, right, self._question.pairs.names):
            shuffled = rows.copy()
            shuffled[:, columns] = rows[rng.permutation(len(rows))][:, columns]
            lost = whole - roc_auc_score(right, model.predict_proba(shuffled)[:, 1])
            found.append(Told(feature, float(alone), float(lost)))
        return found


def _telling(rows: Matrix, right: Flags, names: Sequence[str]) -> list[tuple[str, list[int], float]]:
    """(feature, its columns, AUC of its best column alone), the best first. A feature is all that was made of one
    thing seen: least, most, ranks, bits."""
    groups: dict[str, list[int]] = {}
    for column, name in enumerate(names):
        feature = name.removesuffix(" (rank)").removesuffix(" runs on").partition(":")[0].partition(",")[0]
        groups.setdefault(feature, []).append(column)
    alone = [0.5 + abs(_auc_of(column, right) - 0.5) for column in np.nan_to_num(rows, nan=-1.0).T]
    found = [(feature, columns, max(alone[n] for n in columns)) for feature, columns in groups.items()]
    return sorted(found, key=lambda one: -one[2])[:IMPORTANT]


def _auc_of(column: NDArray[np.float32], right: Flags) -> float:
    """As roc_auc_score, which takes ten times as long for one column of many."""
    wrong = np.sort(column[~right])
    below = np.searchsorted(wrong, column[right], "left") + np.searchsorted(wrong, column[right], "right")
    return float(below.mean() / (2 * len(wrong)))


def _judged(question: Question, earlier: Rows, later: Rows, right: Flags, likely: Scores) -> Query:
    better = int((likely > likely[right][0]).sum())
    ties = int((likely == likely[right][0]).sum())
    shares = [min(max(0, places - better) / ties, 1.0) for places in (1, 5)]
    return Query(question.gap_days(earlier, later), len(later), *shares)


def _auc(folds: Sequence[_Fold], name: str) -> float:
    """Mean over the folds, whose scores have no common scale."""
    return float(np.mean([roc_auc_score(fold.right, fold.scores[name]) for fold in folds]))
