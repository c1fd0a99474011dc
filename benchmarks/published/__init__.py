"""Studies that reproduce published results through the HTTP API. `python -m benchmarks.published` runs them."""

from benchmarks.published import (
    atis,
    fourier_image,
    mnist,
    ngram,
    rotated_digits,
    shakespeare,
    tables,
    textcnn_mr,
    zh_reviews,
)
from benchmarks.published.study import Study

STUDIES: dict[str, Study] = {
    "mnist": mnist.STUDY,
    "rotated_digits": rotated_digits.STUDY,
    "fourier_image": fourier_image.STUDY,
    "tables": tables.STUDY,
    "textcnn_mr": textcnn_mr.STUDY,
    "zh_reviews": zh_reviews.STUDY,
    "atis": atis.STUDY,
    "shakespeare": shakespeare.STUDY,
    "ngram": ngram.STUDY,
}
