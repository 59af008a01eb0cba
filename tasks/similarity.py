"""Texts as vectors, by which alike texts are found without a language model."""

import re
from collections.abc import Sequence
from typing import Any

# The same in every run: a partition is a part of the setting that runs with different seeds have in common.
_SEED = 0
_STARTS = 10  # k-means is begun so often, and the tightest clusters are kept

# Numbers, and not the digits of a name (x1, utf8).
_NUMBER = re.compile(r"(?<![^\W\d_])(?<!\d)\d+")


def plain(text: str) -> str:
    """A text in lower case with every number made 0: numbers tell instances apart and not skills."""
    return _NUMBER.sub("0", text).lower()


def fit_vectors(texts: Sequence[str]) -> tuple[Any, Any]:
    """TF-IDF vectors of plain texts' character runs, which see symbols as well as words.

    Gives the fitted scikit-learn vectoriser, and the matrix of these texts with one row of length 1 each.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer  # takes a second to import

    vectorizer = TfidfVectorizer(preprocessor=plain, analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
    return vectorizer, vectorizer.fit_transform(texts)


def clusters(texts: Sequence[str], number: int) -> list[int]:
    """The cluster of each text, 0 to ``number`` - 1, by k-means on its vector; the same in every run.

    At least ``number`` of the texts must differ, numbers aside.
    """
    from sklearn.cluster import KMeans  # takes a second to import
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    _, vectors = fit_vectors(texts)
    # One thread: the order in which several sum up is not fixed, and a last digit can move a text.
    with threadpool_limits(limits=1):
        labels = KMeans(number, n_init=_STARTS, random_state=_SEED).fit(vectors).labels_
    return [int(label) for label in labels]
