"""yarncore plan: a plan, printed for people."""

import json
import shlex
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from yarncore.reports.planning import LayerPlan, Plan
from yarncore.reports.prompt_lengths import Reach
from yarncore.reports.quoted import quoted


def print_plan(plan: Plan, console: Console) -> None:
    """Print what to write, what it does, and what it costs."""
    console.print(_summary(plan))
    for note in plan.notes:
        console.print(f"[yellow]note:[/] {quoted(note)}")
    if plan.prompts is not None:
        console.print(_reaches(plan.reaches, plan.prompts.prompts))
    console.print("\n[bold]Short prompts[/]")
    for line in _short(plan):
        console.print(f"  {quoted(line)}")
    console.print("\n[bold]Fine-tunes that were published[/], as a reference")
    for budget in plan.budgets:
        tokens = "" if budget.tokens is None else f", {budget.tokens:,} tokens"
        console.print(
            f"  {budget.model}: s = {budget.factor:g} from {budget.original_length:,}: {budget.steps} steps of {budget.rows} rows "
            f"of {budget.row_length:,}{tokens}, learning rate {budget.learning_rate:g} ({budget.source})"
        )
    console.print(f"\n[bold]To write[/], for {quoted(plan.engine)}")
    console.print(setting_text(plan), markup=False)


def _summary(plan: Plan) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, text in _rows(plan):
        table.add_row(name, quoted(text))
    return table


def _rows(plan: Plan) -> Iterator[tuple[str, str]]:
    yield "model", plan.model
    yield "evidence", plan.evidence
    yield "L (original)", f"{plan.original_length:,} tokens: {plan.original_from}"
    reached = "" if plan.present_length is None else f", it reaches {plan.present_length:,} as it is"
    yield "target", f"{plan.target_length:,} tokens{reached}"
    yield "s", f"{plan.factor:.10g}, the smallest sufficient is {plan.smallest_factor:.10g}"
    yield "method", plan.method
    for name, layer in plan.layers.items():
        label = "layers" if len(plan.layers) == 1 and not plan.unscaled_layers else name
        yield label, repr(layer.rope)
        yield "  temperature", _temperature(layer)
        pairs = layer.rope.rotary_dim // 2
        yield (
            "  unseen angles",
            f"without scaling {_pairs(layer.unseen_before, pairs)}; with it {_pairs(layer.unseen_after, pairs)}",
        )
    if plan.unscaled_layers:
        yield "stay as they are", ", ".join(plan.unscaled_layers)
    yield "KV cache", _cache(plan)


def _temperature(layer: LayerPlan) -> str:
    on_cos_sin, on_logits = layer.temperature_of_cos_sin, layer.temperature_of_logits
    where = [
        f"{number:.6g} by {place}"
        for number, place in ((on_cos_sin, "cos and sin of q and k"), (on_logits, "attention's own scale"))
        if number != 1
    ]
    return f"logits times {on_cos_sin * on_logits:.6g}" + (f": {', '.join(where)}" if where else "")


def _pairs(pairs: tuple[int, ...], of: int) -> str:
    if not pairs:
        return "no pair"
    return f"pairs {pairs[0]} to {pairs[-1]}, {len(pairs)} of {of}"


def _cache(plan: Plan) -> str:
    if plan.cache_bytes is None or plan.cache_bytes_within is None:
        return "not known: the file does not tell what each layer keeps"
    return (
        f"{_size(plan.cache_bytes)} a sequence at the target, {_size(plan.cache_bytes_within)} at {plan.original_length:,} tokens "
        f"({plan.cache_dtype})"
    )


def _size(number: int) -> str:
    return f"{number / 2**30:,.3f} GiB" if number >= 2**30 else f"{number / 2**20:,.1f} MiB"


def _reaches(reaches: tuple[Reach, ...], prompts: int) -> Table:
    table = Table(title=f"\nWhat a scale serves, of {prompts:,} prompts", title_justify="left")
    for name in ("s", "tokens", "prompts within"):
        table.add_column(name, justify="right")
    for reach in reaches:
        table.add_row(f"{reach.factor:.4g}", f"{reach.length:,}", f"{reach.share:.2%}")
    return table


def _short(plan: Plan) -> Iterator[str]:
    if plan.factor == 1:
        yield "nothing changes for them."
        return
    for name, layer in plan.layers.items():
        whose = "" if len(plan.layers) == 1 else f" of {name}"
        yield (
            f"Static: {layer.slowed} of {layer.rope.rotary_dim // 2} pairs{whose} turn slower and the logits are multiplied at "
            f"every length, also within {plan.original_length:,} tokens."
        )
    if plan.prompts is not None:
        share = plan.prompts.share_within(plan.original_length)
        yield f"{share:.2%} of the prompts are within it, and need none of this: a second instance without scaling serves them."
    cost = plan.short_cost
    yield (
        f"Published, {cost.what}, {cost.length:,} tokens: s = {cost.factor[1]:g} has perplexity {cost.perplexity[1]:g} where "
        f"s = {cost.factor[0]:g} has {cost.perplexity[0]:g} ({cost.share:+.1%}; {cost.source})."
    )
    yield "Dynamic-YaRN costs them nothing, where what runs the model follows the length (yarncore.transformers.extend)."


def setting_text(plan: Plan) -> str:
    """The setting as it is typed or written: flags in one line; of a configuration the keys that change."""
    if isinstance(plan.setting, list):
        return shlex.join(plan.setting)
    lines = [json.dumps(plan.changed_keys, indent=2)] if plan.changed_keys else ["nothing: the file says it already"]
    if plan.removed_keys:
        lines.append(f"in the place of {', '.join(plan.removed_keys)}")
    return "\n".join(lines)
