"""Perplexities are those of whole forwards written out, and the same tokens are asked at each length."""

import math

import pytest
import torch
from tiny_models import tiny_llama
from tokenizers_in_code import bytes_tokenizer, merging_tokenizer

from yarncore.evaluate.kept import KeptLosses
from yarncore.evaluate.perplexity import (
    Document,
    Windows,
    perplexities,
    position_losses,
    target_losses,
    window_loss,
)

TEXT = "".join(f"def f{n}(x):\n    return x + {n}\n" for n in range(60))


def written_out(model, tokens, begin, end, first):
    """The losses of tokens first to end by one plain forward over begin to end, in float64."""
    with torch.no_grad():
        logits = model(tokens[None, begin:end]).logits[0].double()
    chances = torch.log_softmax(logits, -1)
    return [-float(chances[n - 1 - begin, tokens[n]]) for n in range(first, end)]


@pytest.fixture(scope="module")
def model():
    return tiny_llama()


@pytest.fixture(scope="module")
def document():
    return Document.of("f.py", TEXT, bytes_tokenizer())


def test_windows_of_each_length_score_the_same_tokens(model, document):
    windows = Windows((48, 96, 200), stride=32, most=3)
    asked = list(windows.each([document]))
    assert [(length, end) for _, length, end in asked] == [
        (length, end) for length in (200, 96, 48) for end in (200, 232, 264)
    ]
    losses = {("f.py", n, end): window_loss(model, document, n, end, 32) for _, n, end in asked}
    found = perplexities(losses, 32)
    for length in (48, 96, 200):
        each = [
            loss for end in (200, 232, 264) for loss in written_out(model, document.tokens, end - length, end, end - 32)
        ]
        assert found[length] == pytest.approx(math.exp(sum(each) / len(each)), rel=1e-5)  # float32 logits, float64 sums


def test_the_loss_by_position_is_one_forward_in_buckets(model, document):
    buckets = position_losses(model, document, 200, 64)
    assert [(first, behind) for first, behind, _ in buckets] == [(1, 64), (64, 128), (128, 192), (192, 200)]
    each = written_out(model, document.tokens, 0, 200, 1)
    for first, behind, total in buckets:
        assert total == pytest.approx(sum(each[first - 1 : behind - 1]), rel=1e-5)


def test_a_model_that_cannot_leave_logits_out_gives_the_same(model, document):
    class Whole(torch.nn.Module):
        device = model.device

        def forward(self, input_ids, use_cache):
            return model(input_ids=input_ids, use_cache=use_cache)

    window = document.window(0, 100)
    assert torch.equal(target_losses(Whole(), window, 32), target_losses(model, window, 32))


def test_a_token_that_the_tokenizer_puts_before_a_text_begins_each_window():
    tokenizer = merging_tokenizer()
    document = Document.of("f.py", TEXT, tokenizer)
    assert document.start == tokenizer.bos_token_id
    assert document.window(10, 14)[0].tolist() == [tokenizer.bos_token_id, *document.tokens[11:14].tolist()]
    assert tokenizer.bos_token_id not in document.tokens


def test_texts_that_are_too_short_are_left_out_and_all_of_them_is_an_error(document):
    windows = Windows((64, 128), stride=32)
    short = Document.of("short", "too short", bytes_tokenizer())
    assert windows.long_enough([short, document]) == [document]
    with pytest.raises(ValueError, match=r"longest text has 9 tokens, and perplexity at length 128"):
        windows.long_enough([short])


@pytest.mark.parametrize(
    ("stride", "most", "says"), [(64, 1, "1 to 63"), (0, 1, "stride is 0"), (8, 0, "windows is 0")]
)
def test_windows_without_context_are_an_error(stride, most, says):
    with pytest.raises(ValueError, match=says):
        Windows((64, 128), stride, most)


def test_a_loss_that_is_no_number_stops_and_says_where(document):
    broken = tiny_llama()
    with torch.no_grad():
        broken.lm_head.weight[3] = float("nan")
    with pytest.raises(ValueError, match=r"the loss is nan in f\.py, window of 64 tokens that ends at token 128"):
        window_loss(broken, document, 64, 128, 32)
    with pytest.raises(ValueError, match=r"the loss is nan in f\.py between positions 1 and 31"):
        position_losses(broken, document, 64, 32)


def test_losses_that_are_kept_survive_a_kill_within_a_line(tmp_path):
    path = tmp_path / "losses.jsonl"
    places = [("perplexity", "a \u00e9", 64, end) for end in (64, 96)]
    with KeptLosses(path) as kept:
        for n, place in enumerate(places):
            kept[place] = 0.1 + n
    path.write_bytes(path.read_bytes()[:-3])
    with KeptLosses(path) as kept:
        assert places[0] in kept
        assert kept[places[0]] == 0.1
        assert places[1] not in kept
        kept[places[1]] = [[1, 2, 3.5]]
    with KeptLosses(path) as kept:
        assert kept[places[1]] == [[1, 2, 3.5]]
