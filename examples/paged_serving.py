"""Dynamic-YaRN in a paged cache: 16 requests of half to six times the original length, served together.

Each request has the scale of its own length, and takes its steps at its own ticks: its blocks are then re-rotated, in place,
or, where another request of another scale shares them, on the way into blocks of its own. Prompts come in chunks; a request
may be swapped out and come back in other blocks. At the end each request is decoded once more, alone, with a cache that is
neither paged nor rotated, and every tick's logits are compared.

Run: python examples/paged_serving.py
"""

from collections import Counter
from dataclasses import dataclass, field

import torch
from torch.nn.functional import scaled_dot_product_attention, silu

import yarncore as yc

L, BLOCK, BLOCKS, CHUNK = 32, 8, 120, 16  # original length; tokens of a block; blocks of the pool; tokens of a chunk
LAYERS, HEADS, KEY_HEADS, DIM, WORDS = 2, 4, 2, 16, 64
ROPE = yc.Rope(DIM, scaling=yc.DynamicYaRN(L, steps="doubling"))


class Decoder(torch.nn.Module):
    """A small decoder that leaves keys, values and attention to a cache."""

    def __init__(self):
        super().__init__()
        size = HEADS * DIM
        self.words = torch.nn.Embedding(WORDS, size)
        self.qkv = torch.nn.ModuleList(torch.nn.Linear(size, size + 2 * KEY_HEADS * DIM) for _ in range(LAYERS))
        self.out = torch.nn.ModuleList(torch.nn.Linear(size, size) for _ in range(LAYERS))

    def forward(self, ids, attend):
        """ids (rows, tokens); attend(layer, q, k, v) of (rows, tokens, heads, DIM)."""
        x = self.words(ids)
        for layer in range(LAYERS):
            heads = self.qkv[layer](x / x.norm(dim=-1, keepdim=True)).unflatten(-1, (-1, DIM))
            q, k, v = heads.split((HEADS, KEY_HEADS, KEY_HEADS), dim=-2)
            x = x + silu(self.out[layer](attend(layer, q, k, v).flatten(-2)))
        return x @ self.words.weight.T


def attention(q, keys, values, positions, lengths):
    """Queries (rows, tokens, heads, DIM) at their positions over the keys 0, 1, ... up to themselves."""
    seen = torch.arange(keys.shape[1])
    mask = (seen <= positions[..., None]) & (seen < lengths[:, None, None])
    q, keys, values = (x.transpose(1, 2) for x in (q, keys, values))
    return scaled_dot_product_attention(q, keys, values, mask[:, None], enable_gqa=True).transpose(1, 2)


@dataclass
class Request:
    """One request: its words, those that are given first, and how many there shall be."""

    ids: list[int]
    end: int
    blocks: list[int] = field(default_factory=list)
    cached: int = 0  # tokens whose keys are stored
    rotation: yc.Rotation = field(default_factory=ROPE.at)  # under which they are
    swapped: list[tuple[torch.Tensor, torch.Tensor]] | None = None
    seen: list[tuple[int, int, torch.Tensor]] = field(default_factory=list)  # first token, tokens, logits

    def next_tokens(self):
        """How many come next: a chunk of the prompt, or one."""
        return min(CHUNK, len(self.ids) - self.cached)


class PagedCache:
    """Pools of blocks, which requests share where their prefixes are the same."""

    def __init__(self, dtype):
        pools = torch.zeros(LAYERS, 2, BLOCKS, BLOCK, KEY_HEADS, DIM, dtype=dtype)
        self.keys, self.values = pools[:, 0], pools[:, 1]
        self.free = list(range(BLOCKS))
        self.users = Counter()
        self.ever_used = set()
        self.events = Counter()
        self.tick = 0
        self.ticks_of_steps = set()

    def take(self, count):
        """Blocks that nobody uses."""
        taken, self.free = self.free[:count], self.free[count:]
        self.events["blocks reused"] += len(self.ever_used & set(taken))
        self.ever_used |= set(taken)
        self.users.update(taken)
        return taken

    def drop(self, request):
        """Its blocks are free again, unless others use them."""
        self.users.subtract(request.blocks)
        self.free += [block for block in request.blocks if not self.users[block]]
        request.blocks = []

    def share(self, request, other, tokens):
        """A request begins with the blocks of another one's prefix."""
        request.blocks, request.cached = other.blocks[: tokens // BLOCK], tokens
        request.rotation = other.rotation
        self.users.update(request.blocks)
        self.events["prefixes shared"] += 1

    def grow(self, request, length):
        """Blocks for so many tokens."""
        request.blocks += self.take(-(-length // BLOCK) - len(request.blocks))

    def needs(self, request):
        """How many free blocks its next forward takes: for new tokens, and for copies of shared blocks at a step."""
        length = request.cached + request.next_tokens()
        grown = -(-length // BLOCK) - len(request.blocks)
        if request.swapped is not None or ROPE.at(length) == request.rotation:
            return grown
        return grown + sum(self.users[block] > 1 for block in request.blocks)

    def make_room(self, running):
        """The requests that fit: the last ones are swapped out, and come back when there is room."""
        present = [request for request in running if request.swapped is None]
        while sum(map(self.needs, present)) > len(self.free):
            self.swap_out(present.pop())
        for request in running:
            if request.swapped is not None and sum(map(self.needs, [*present, request])) <= len(self.free):
                self.swap_in(request)
                present.append(request)
        return present

    def step(self, request, length):
        """Bring the stored keys of a request to the scale of a length."""
        new, old = ROPE.at(length), request.rotation
        request.rotation = new
        if new == old or not request.cached:
            return
        self.events["steps"] += 1
        self.ticks_of_steps.add(self.tick)
        shared = [i for i, block in enumerate(request.blocks) if self.users[block] > 1]
        if shared:  # others read these blocks at their own scale
            self._turn_into_own(request, shared, old, new)
        positions = torch.arange(request.cached)
        positions = positions[[i for i in positions.tolist() if i // BLOCK not in shared]]
        for keys in self.keys:
            yc.rerotate_(keys, positions, old, new, heads_axis=-2, slots=slots_of(request, positions))

    def _turn_into_own(self, request, shared, old, new):
        places = torch.tensor([i * BLOCK + j for i in shared for j in range(BLOCK)])
        source = slots_of(request, places)
        theirs = [request.blocks[i] for i in shared]
        self.users.subtract(theirs)
        for i, block in zip(shared, self.take(len(shared)), strict=True):
            request.blocks[i] = block
        target = slots_of(request, places)
        for keys, values in zip(self.keys, self.values, strict=True):
            yc.move_(keys, source, target, old, new=new, positions=places, values=values, values_into=values, into=keys)
        self.events["blocks copied on a step"] += len(shared)

    def swap_out(self, request):
        """Put its keys aside, rotated as they are, and free its blocks."""
        slots = slots_of(request, torch.arange(request.cached))
        flat = ((keys.flatten(0, 1), values.flatten(0, 1)) for keys, values in zip(self.keys, self.values, strict=True))
        request.swapped = [(keys[slots].clone(), values[slots].clone()) for keys, values in flat]
        self.drop(request)
        self.events["requests swapped out"] += 1

    def swap_in(self, request):
        """Put them into other blocks."""
        self.grow(request, request.cached)
        slots = slots_of(request, torch.arange(request.cached))
        for layer, (keys, values) in enumerate(request.swapped):
            self.keys[layer].flatten(0, 1)[slots] = keys
            self.values[layer].flatten(0, 1)[slots] = values
        request.swapped = None


def slots_of(request, positions):
    """Where tokens lie: block * BLOCK + place in the block."""
    return torch.tensor(request.blocks)[positions // BLOCK] * BLOCK + positions % BLOCK


def run_together(model, cache, requests):
    """One forward of requests that have equally many new tokens; each at the scale of its own length."""
    count = requests[0].next_tokens()
    lengths = torch.tensor([request.cached + count for request in requests])
    for request, length in zip(requests, lengths.tolist(), strict=True):
        cache.step(request, length)
        cache.grow(request, length)
    positions = lengths[:, None] - count + torch.arange(count)
    slots = torch.stack([slots_of(r, p) for r, p in zip(requests, positions, strict=True)])
    most = max(len(request.blocks) for request in requests)
    tables = torch.tensor([request.blocks + [0] * (most - len(request.blocks)) for request in requests])
    rotation = ROPE.at(lengths[:, None])

    def attend(layer, q, k, v):
        keys, values = cache.keys[layer], cache.values[layer]
        where = {"key_cache": keys, "value_cache": values, "slots": slots, "heads_axis": -2}
        q = yc.append_(rotation, q, k, v, positions, **where)
        return attention(q, keys[tables].flatten(1, 2), values[tables].flatten(1, 2), positions, lengths)

    ids = torch.tensor([request.ids[request.cached : request.cached + count] for request in requests])
    for request, logits in zip(requests, model(ids, attend), strict=True):
        take_note(request, count, logits)


def take_note(request, count, logits):
    """Keep the logits, and the word that follows."""
    request.seen.append((request.cached, count, logits))
    request.cached += count
    if request.cached == len(request.ids) < request.end:
        request.ids.append(int(logits[-1].argmax()))


def run_alone(model, ids, chunks):
    """The same chunks of one request, with a cache of unrotated keys that are rotated as they are read."""
    stored = [(torch.zeros(1, 0, KEY_HEADS, DIM), torch.zeros(1, 0, KEY_HEADS, DIM)) for _ in range(LAYERS)]
    for start, count in chunks:
        rotation, positions = ROPE.at(start + count), torch.arange(start, start + count)

        def attend(layer, q, k, v, rotation=rotation, positions=positions):
            stored[layer] = tuple(
                torch.cat((old.to(new), new), 1) for old, new in zip(stored[layer], (k, v), strict=True)
            )
            keys = rotation.rotate(stored[layer][0], None, None, heads_axis=-2)
            q = rotation.rotate(q, None, positions, heads_axis=-2)
            return attention(q, keys, stored[layer][1], positions[None], positions[-1:] + 1)

        yield model(torch.tensor(ids[start : start + count])[None], attend)[0]


@torch.no_grad()
def serve(dtype=torch.float64):
    """Serve 16 requests; returns the cache, and the largest difference of any logit from the request alone."""
    torch.manual_seed(0)
    model, cache = Decoder().to(dtype), PagedCache(dtype)
    ends = [L // 2 + i * (11 * L // 2) // 15 for i in range(16)]  # 0.5 L to 6 L
    requests = [Request(torch.randint(WORDS, (max(8, end // 2),)).tolist(), end) for end in ends]
    for other in (requests[5], requests[15]):  # the same first 32 words, in requests that end at different scales
        other.ids[:L] = requests[10].ids[:L]
    run_together(model, cache, [requests[10]])
    run_together(model, cache, [requests[10]])
    for other in (requests[5], requests[15]):
        cache.share(other, requests[10], L)
        other.seen = list(requests[10].seen)
    running = list(requests)
    while running:
        cache.tick += 1
        present = cache.make_room(running)
        for count in sorted({request.next_tokens() for request in present}):
            run_together(model, cache, [request for request in present if request.next_tokens() == count])
        for request in [request for request in present if request.cached >= request.end]:
            cache.drop(request)
            running.remove(request)
    difference = 0.0
    for request in requests:
        alone = run_alone(model, request.ids, [(start, count) for start, count, _ in request.seen])
        for (_, _, logits), expected in zip(request.seen, alone, strict=True):
            difference = max(difference, float((logits - expected).abs().max()))
    return cache, difference


if __name__ == "__main__":
    cache, difference = serve()
    print(f"16 requests of {L // 2} to {6 * L} tokens in {cache.tick} ticks: {dict(cache.events)}")
    print(f"steps were taken at {len(cache.ticks_of_steps)} different ticks")
    print(f"largest difference of a logit from the request alone: {difference:.1e}")
