"""Texts as tokens for language modeling: encoding, windows for training, and generation.

Shape letters: n tokens of a stream, N windows, T tokens of a window, K tokens of the vocabulary.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Literal

import torch
from pydantic import Field
from torch.nn import functional as F

from models.data.preparation.roles import Roles
from models.data.table import Rows, Table
from models.errors import DataError
from models.parts.features.text import unknown_words
from models.parts.inputs import ONLY, UNKNOWN, Inputs, NamedInputs
from models.parts.learned import Learned
from models.parts.oddity import Oddity
from models.parts.split import Split
from models.parts.target import Language
from models.parts.tokenizer import TOKENIZERS

END, FIRST = 2, 3
"""Numbers of special tokens, beside PAD and UNKNOWN; FIRST is the number of the first token of the vocabulary."""


class TokenEncoder(Learned):
    """Tokens to numbers: 0 is padding, 1 is unknown, 2 ends a document and starts the next one.

    A token that is rarer in the training part than the tokenizer's `min_count` counts as unknown. From such tokens the
    network learns the probability of an unknown one. Perplexity is over this vocabulary.
    """

    form: Literal["stream"] = "stream"
    name: str
    tokens: str = Field(description="the tokenizer")
    documents: Literal["stream", "lines"]
    context: int
    vocabulary: list[str] = Field(description="the token numbered i + 3")

    @classmethod
    def learn(cls, name: str, language: Language, seen: Iterable[str]) -> "TokenEncoder":
        """Learn the vocabulary from the tokens of the training part."""
        counts, least = Counter(seen), TOKENIZERS[language.tokens].min_count
        known = sorted(token for token, times in counts.items() if times >= least)
        return cls(
            name=name, tokens=language.tokens, documents=language.documents, context=language.context, vocabulary=known
        )

    @classmethod
    def fit(cls, table: Table, name: str, language: Language, train: Rows) -> "TokenEncoder":
        rows = table.strings(name)
        return cls.learn(name, language, (token for row in train for token in cut(rows[row] or "", language.tokens)))

    @property
    def required_columns(self) -> list[str] | None:
        """None: the text of other data may have any name."""
        return None

    def inputs(self) -> Inputs:
        return Inputs("text", (self.context,), vocabulary=len(self.vocabulary) + FIRST, causal=True)

    def named_inputs(self) -> NamedInputs:
        return {ONLY: self.inputs()}

    def numbers(self, tokens: list[str]) -> torch.Tensor:
        place = {token: at for at, token in enumerate(self.vocabulary, FIRST)}
        return torch.tensor([place.get(token, UNKNOWN) for token in tokens], dtype=torch.int64)

    def encode(self, table: Table) -> torch.Tensor:
        """x_NT, int64: each row as a prompt, padded with 0 at its end."""
        prompts = [self.prompt(text or "") for text in table.strings(self.name)]
        x_NT = torch.zeros(len(prompts), self.context, dtype=torch.int64)
        for row, prompt_n in enumerate(prompts):
            x_NT[row, : len(prompt_n)] = prompt_n
        return x_NT

    def odd(self, table: Table) -> list[Oddity]:
        """The tokens of the prompts that are not in the vocabulary, if there are many."""
        prompts = [cut(text or "", self.tokens) for text in table.strings(self.name)]
        return [unknown_words(prompts, set(self.vocabulary), "tokens")]

    def prompt(self, text: str) -> torch.Tensor:
        """The last tokens of a prompt, at most `context`.

        If rows are documents, an end mark comes before the prompt. Otherwise an empty prompt is a line break.
        """
        numbers_n = self.numbers(cut(text, self.tokens))
        if self.documents == "lines":
            numbers_n = torch.cat([torch.tensor([END]), numbers_n])
        elif not len(numbers_n):
            numbers_n = self.numbers(["\n"])
        return numbers_n[-self.context :]

    def lines(self, table: Table, rows: Rows) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """x_NT and t_NT, where each row is a document, and tokens_n, all documents in one text.

        A document starts with an end mark and ends with one. Only in x_NT and t_NT it is cut at `context` tokens.
        """
        texts = table.strings(self.name)
        x_NT = torch.zeros(len(rows), self.context, dtype=torch.int64)
        t_NT = torch.full((len(rows), self.context), -1)
        place = {token: at for at, token in enumerate(self.vocabulary, FIRST)}
        whole = [torch.tensor([END])]
        for at, row in enumerate(rows):
            text = [place.get(token, UNKNOWN) for token in cut(texts[row] or "", self.tokens)]
            whole.append(torch.tensor([*text, END]))
            here = torch.tensor([END, *text, END][: self.context + 1])
            x_NT[at, : len(here) - 1], t_NT[at, : len(here) - 1] = here[:-1], here[1:]
        return x_NT, t_NT, torch.cat(whole)

    def spell(self, numbers: list[int]) -> str:
        """The text of these tokens. Special tokens are left out."""
        tokens = [self.vocabulary[number - FIRST] for number in numbers if number >= FIRST]
        return TOKENIZERS[self.tokens].model_validate({}).join(tokens)


def cut(text: str, tokens: str) -> list[str]:
    """The tokens of a text, from the tokenizer with the name `tokens`. A line break is a token."""
    return TOKENIZERS[tokens].model_validate({}).tokens_with_breaks(text)


def read(
    table: Table, roles: Roles, language: Language, split: Split, known: TokenEncoder | None = None
) -> tuple[TokenEncoder, torch.Tensor, torch.Tensor, torch.Tensor]:
    """An encoder, and the tokens of train, val and test.

    The split divides the text of all rows, joined by line breaks. Raises DataError if fewer than two tokens are left to
    train on.
    """
    name = roles.target.name
    texts = [text or "" for text in table.strings(name)]
    values = None if roles.part is None else table.strings(roles.part)
    train, val, test = split.divide_text(texts, values, lambda text: cut(text, language.tokens))
    if len(train) < 2:
        raise DataError(f"{len(train)} of {len(train + val + test)} tokens are left to train on; give more text")
    encoder = known or TokenEncoder.learn(name, language, train)
    return encoder, encoder.numbers(train), encoder.numbers(val), encoder.numbers(test)


def windows_of(tokens: int, context: int) -> int:
    """The number of windows in an epoch of training. It is the same for every offset."""
    return max(1, (tokens - 1) // context)


def windows(
    tokens_n: torch.Tensor, context: int, rows: int, offset: int = 0, reach: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """x_NT and the next tokens t_NT of `rows` consecutive windows, the first at `offset`.

    T is `reach` + `context`, because a window is preceded by the `reach` tokens before it. For these t is -1. Outside
    the text x is 0 and t is -1.
    """
    size = reach + context
    if not rows:
        empty_NT = tokens_n.new_zeros(0, size)
        return empty_NT, empty_NT
    end = offset + rows * context
    beyond = max(0, end - (len(tokens_n) - 1))
    x_n, t_n = F.pad(tokens_n[:-1], (reach, beyond)), F.pad(tokens_n[1:], (reach, beyond), value=-1)
    x_NT, t_NT = (all_n[offset : end + reach].unfold(0, size, context).contiguous() for all_n in (x_n, t_n))
    t_NT[:, :reach] = -1
    return x_NT, t_NT


Model = Callable[[torch.Tensor], torch.Tensor]


@torch.no_grad()
def generate(
    model: Model, encoder: TokenEncoder, prompt: str, tokens: int, temperature: float, top_k: int | None, seed: int
) -> str:
    """A continuation of `prompt`: at most `tokens` tokens, up to the end of the document.

    It is the same for the same seed. `top_k` = 1 always takes the most probable token. The unknown token is never
    generated.
    """
    generator = torch.Generator().manual_seed(seed)
    seen, generated = encoder.prompt(prompt).tolist(), []
    special = FIRST if encoder.documents == "stream" else END
    for _ in range(tokens if encoder.vocabulary else 0):
        y_K = model(torch.tensor([seen[-encoder.context :]]))[0, -1].double() / temperature
        y_K[:special] = -torch.inf
        if top_k is not None:
            kept = torch.topk(y_K, min(top_k, len(y_K)))
            y_K = torch.full_like(y_K, -torch.inf).scatter(0, kept.indices, kept.values)
        token = int(torch.multinomial(torch.softmax(y_K, 0), 1, generator=generator))
        if token == END:
            break
        seen.append(token)
        generated.append(token)
    return encoder.spell(generated)
