"""Re-rotating, moving and comparing inside torch.compile: the bits of eager, and anew for other rotations."""

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

import yarncore as yc

STEPPED = yc.Rope(16, scaling=yc.DynamicYaRN(64, steps="doubling"))
CONTINUOUS = yc.Rope(16, rotary_dim=12, interleaved=True, scaling=yc.DynamicYaRN(64))
SECTIONED = yc.Rope(16, sections=(2, 3, 3), scaling=yc.DynamicYaRN(64))
POSITIONS = torch.tensor([0, 5, 1000, 70_000, -3])


@pytest.fixture(autouse=True)
def _fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def keys(tokens=5, dtype=torch.float32):
    return torch.randn(2, 3, tokens, 16).to(dtype)


def compiled(function):
    torch._dynamo.reset()  # what was compiled of the same code counts against a limit
    counter = CompileCounterWithBackend("aot_eager")
    return torch.compile(function, fullgraph=True, backend=counter), counter


def assert_as_eager(function, *arguments):
    """The same bits compiled and not; both work on copies."""
    copies = [[x.clone() if isinstance(x, torch.Tensor) else x for x in arguments] for _ in range(2)]
    assert torch.equal(compiled(function)[0](*copies[0]), function(*copies[1]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("rope", [STEPPED, CONTINUOUS, SECTIONED], ids=repr)
@pytest.mark.filterwarnings("ignore:re-rotating bfloat16 keys:yarncore.errors.ConfigWarning")
def test_re_rotation_by_rotations_made_outside(rope, dtype):
    old, new = rope.at(100), rope.at(1000)
    positions = POSITIONS if rope.sections is None else POSITIONS.expand(3, 2, 5)
    assert_as_eager(lambda k, p: yc.rerotate_(k, p, old, new, heads_axis=-3), keys(dtype=dtype), positions)


def test_keys_that_wear_away_are_warned_of_while_it_is_traced():
    old, new = CONTINUOUS.at(100), CONTINUOUS.at(1000)
    with pytest.warns(yc.ConfigWarning, match="re-rotating bfloat16 keys"):
        compiled(lambda k: yc.rerotate_(k, None, old, new, heads_axis=-3))[0](keys(dtype=torch.bfloat16))


@pytest.mark.parametrize("rope", [STEPPED, CONTINUOUS], ids=repr)
def test_re_rotation_by_rotations_of_known_lengths_made_inside(rope):
    def function(k, p):
        if rope.at(100) == rope.at(1000):
            return k
        return yc.rerotate_(k, p, rope.at(100), rope.at(1000), heads_axis=-3)

    assert_as_eager(function, keys(), POSITIONS)


def test_re_rotation_by_lengths_that_only_the_graph_knows():
    def function(k, p, before, now):
        return yc.rerotate_(k, p, STEPPED.at(before), STEPPED.at(now), heads_axis=-3)

    call, counter = compiled(function)
    for before, now in ((40, 60), (60, 100), (100, 5000), (70_000, 50)):
        k = keys()
        expected = yc.rerotate_(k.clone(), POSITIONS, STEPPED.at(before), STEPPED.at(now), heads_axis=-3)
        assert torch.equal(call(k, POSITIONS, torch.tensor(before), torch.tensor(now)), expected)
    assert counter.frame_count == 1


def test_re_rotation_of_rows_at_lengths_of_their_own():
    old, new = STEPPED.at([[64], [300]]), STEPPED.at([[70], [300]])
    assert_as_eager(lambda k, p: yc.rerotate_(k, p, old, new, heads_axis=-3), keys(), POSITIONS)
    one = STEPPED.at(5000)
    assert_as_eager(lambda k, p: yc.rerotate_(k, p, old, one, heads_axis=-3), keys(), POSITIONS)
    assert_as_eager(
        lambda k, p, n: yc.rerotate_(k, p, old, STEPPED.at(n), heads_axis=-3), keys(), POSITIONS, torch.tensor(99)
    )


def test_other_rotations_and_other_keys_are_not_those_of_the_first_call():
    call, counter = compiled(lambda k, p, old, new: yc.rerotate_(k, p, old, new, heads_axis=-3))
    rotations = [STEPPED.at(64), STEPPED.at(5000), yc.Rope(16).at().inverse]
    for old in rotations:
        for new in rotations[:2]:
            for tokens in (5, 9):
                k, p = keys(tokens), torch.randint(0, 90_000, (tokens,))
                expected = yc.rerotate_(k.clone(), p, old, new, heads_axis=-3)
                assert torch.equal(call(k, p, old, new), expected)
    before = counter.frame_count
    again = yc.Rope(16, scaling=yc.DynamicYaRN(64, steps="doubling"))
    call(keys(9), torch.arange(9), again.at(64), again.at(5000))
    assert counter.frame_count == before  # equal rotations are the same


def test_keys_move_by_numbers_and_arrays():
    rotation = CONTINUOUS.at(500)
    assert_as_eager(lambda k: yc.shift_(k, -7, rotation, heads_axis=-3), keys())
    assert_as_eager(lambda k, by: yc.shift_(k, by, rotation, heads_axis=-3), keys(), torch.tensor([3, 0, -2, 8, 1]))
    assert_as_eager(lambda k, n: yc.shift_(k, n, CONTINUOUS.at(n), heads_axis=-3), keys(), 12)
    call, _ = compiled(lambda k, by: yc.shift_(k, by, rotation, heads_axis=-3))
    for by in (2, 0, -5, 70):
        k = keys()
        assert torch.equal(call(k.clone(), by), yc.shift_(k, by, rotation, heads_axis=-3))


def test_what_is_derived_inside_is_what_is_derived_outside():
    rotation, other = CONTINUOUS.at(500), CONTINUOUS.at(90)

    def function(k, p):
        turned = rotation.inverse.rotate(k, None, p, heads_axis=-3)
        turned = rotation.adjoint.rotate(turned, None, p, heads_axis=-3)
        turned = rotation.without_factor().rotate(turned, None, p, heads_axis=-3)
        return rotation.after(other.inverse).rotate(turned, None, p, heads_axis=-3)

    assert_as_eager(function, keys(), POSITIONS)


def test_rotations_are_compared_inside_as_outside():
    a, b, rows = STEPPED.at(64), STEPPED.at(65), STEPPED.at([[64], [65]])
    same = yc.Rope(16, scaling=yc.DynamicYaRN(64, steps="doubling"))
    pairs = [
        (a, a),
        (a, b),
        (a, same.at(3)),
        (b, a.inverse),
        (a, a.inverse.inverse),
        (a, rows),
        (rows, same.at([[1], [80]])),
    ]
    pairs += [
        (SECTIONED.at(), yc.Rope(16).at()),
        (b, yc.Rotation(b.inverse_frequencies, b.attention_factor, head_dim=16)),
    ]
    for x, y in pairs:
        expected = 1 if x == y else 2
        call, _ = compiled(lambda k, x=x, y=y: k + (x == y) + 2 * (x != y))
        assert call(torch.zeros(1)) == expected
    new = STEPPED.at([[64], [65]])
    call, _ = compiled(lambda k: k + (new == rows))
    with pytest.raises(Exception, match="after it was once compared"):
        call(torch.zeros(1))
    call, _ = compiled(
        lambda k: k + (b.after(a.inverse) == b.after(same.at(2).inverse)) + 2 * (a.after(b.inverse) == b)
    )
    assert call(torch.zeros(1)) == 1
    call, _ = compiled(lambda k: k + (rows.after(a) == rows))
    with pytest.raises(Exception, match="after it was once compared"):
        call(torch.zeros(1))


def test_a_comparison_is_made_anew_for_other_rotations():
    call, _ = compiled(lambda k, x, y: k + 1 if x == y else k - 1)
    rotations = [STEPPED.at(64), STEPPED.at(5000), STEPPED.at(64).inverse]
    for x in rotations:
        for y in rotations:
            assert call(torch.zeros(1), x, y) == (1 if x == y else -1)


def test_rotations_that_do_not_fit_are_refused_inside_too():
    k = keys()
    for old, words in ((yc.Rope(8).at(), "rotary_dim is"), (SECTIONED.at(), "sections is"), ("no", "old is 'no'")):
        with pytest.raises(Exception, match=words):
            compiled(lambda k, old=old: yc.rerotate_(k, POSITIONS, old, STEPPED.at(), heads_axis=-3))[0](k)


@pytest.mark.parametrize("strict", [True, False])
def test_an_exported_graph_re_rotates_without_us(strict):
    class Cache(torch.nn.Module):
        def forward(self, k, p):
            turned = k.clone()
            return yc.rerotate_(turned, p, STEPPED.at(100), STEPPED.at(1000), heads_axis=-3)

    k = keys()
    program = torch.export.export(Cache(), (k, POSITIONS), strict=strict)
    assert not any("yarncore" in str(node.target) for node in program.graph.nodes)
    expected = yc.rerotate_(k.clone(), POSITIONS, STEPPED.at(100), STEPPED.at(1000), heads_axis=-3)
    assert torch.allclose(program.module()(k, POSITIONS), expected, rtol=2.0**-22, atol=2.0**-22)
