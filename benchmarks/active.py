"""Which pairs to label first: labels until a model prefers rightly, by criterion, against random order.

    python benchmarks/active.py [--criteria likelihood,mixed] [--seeds 5] [--noise 0]
        [--pool mixed|even] [--limit 144] [--threads 1] [--json]

The embedded model learns by DPO from a pool of 400 pairs about charts, six labels at a time; a rule
that knows the charts answers (`--noise 0.15`: wrongly in 15 % of its labels; the loss is smoothed by
as much). `labels`: how many were needed until, on 300 pairs about other charts drawn alike, at least
95 % of the better answers are the likelier ones, twice in a row; the limit where that was not
reached. Every criterion, random order too, has the same first six labels and a random share of 20 %.

Seven of ten pairs of the pool `mixed` the model judges rightly before it is trained; the others set
its habit, a gap or a close miss against the truth. Most pairs of the pool `even` are of its habit.

It is made cheap: what the frozen layers make of each pair is computed once, LoRA adapters are on
the last decoder layer, and only the places that predict an answer go through it. Of the held-out
pairs, those that were wrong the last time are asked first, until too many are wrong. The first pairs
are compared with `studio.models.likelihood`. `ratio` is labels of the criterion by those of random
order, means over seeds, with a 95 % interval (jackknife of its logarithm over seeds, Student's t).
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from torch.nn.functional import linear, logsigmoid, scaled_dot_product_attention

POOL, HELD_OUT = 400, 300
MIXES = {
    "mixed": {"taught": 0.7, "evaded": 0.1, "habit": 0.1, "gap": 0.1},
    "even": {"taught": 0.4, "evaded": 0.6},
}
TARGET, IN_A_ROW = 0.95, 2
LABELS_AT_ONCE, LIMIT = 6, 144
STEPS, BATCH, RATE, BETA, RANK = 16, 16, 2e-3, 0.3, 16
RANDOM_SHARE = 0.2
CLOSEST = 4
"""A mixture takes so many times the pairs it needs by one criterion, and chooses among them."""
RECENT = 24
AT_ONCE = 64
TOO_FAR = -1e9


@dataclass(frozen=True)
class Pairs:
    """Pairs ready for the last layer.

    Attributes:
        hidden: (pairs, places, width), what the layers before it make of prompt and both answers.
        positions: (pairs, places).
        places, tokens, sides: (pairs, answer tokens): the place that predicts a token, the token,
            and which answer it is of; 2 for padding.
        seen: (pairs, answer tokens, places): what each of those places attends to.
        images: (pairs, width), the mean of the image's features.
        lengths: Places of each pair; what comes after them is padding.
    """

    hidden: torch.Tensor
    positions: torch.Tensor
    places: torch.Tensor
    tokens: torch.Tensor
    sides: torch.Tensor
    seen: torch.Tensor
    images: torch.Tensor
    lengths: torch.Tensor


@dataclass(frozen=True)
class Sight:
    """What a criterion can look at.

    Attributes:
        free, labelled: Pairs without and with a label.
        margin: How much likelier one answer is than the other, of each pair, in nats.
        before: The same in the base model; `earlier`, after each of the rounds so far.
        gradient: Of each margin, by the last hidden state.
    """

    free: np.ndarray
    labelled: list[int]
    margin: torch.Tensor
    before: torch.Tensor
    earlier: list[torch.Tensor]
    gradient: torch.Tensor
    images: torch.Tensor

    @property
    def implicit(self) -> torch.Tensor:
        """DPO's implicit margin: what training has changed of the margin."""
        return BETA * (self.margin - self.before)

    @property
    def direction(self) -> torch.Tensor:
        """Where a label would move the model, whatever its size."""
        return self.gradient / (self.gradient.norm(dim=1, keepdim=True) + 1e-6)


def lowest(sight: Sight, score: torch.Tensor, count: int) -> list[int]:
    """The free pairs with the lowest score."""
    order = np.argsort(score[sight.free].numpy(), kind="stable")
    return [int(pair) for pair in sight.free[order[:count]]]


def spread(space: torch.Tensor, near: Sequence[int], among: Sequence[int], count: int) -> list[int]:
    """Greedy k-center: each time the pair that is farthest from all chosen before."""
    candidates = space[list(among)]
    if near:
        far = torch.cdist(candidates, space[list(near)]).min(1).values
    else:
        far = (candidates - candidates.mean(0)).norm(dim=1)
    chosen = []
    for _ in range(min(count, len(among))):
        best = int(far.argmax())
        chosen.append(int(among[best]))
        far = torch.minimum(far, torch.cdist(candidates, candidates[best][None])[:, 0])
        far[best] = TOO_FAR
    return chosen


def disagreement(sight: Sight, count: int) -> list[int]:
    """Pairs whose preference differs most between the last three checkpoints."""
    last = torch.stack([torch.sigmoid(one) for one in sight.earlier[-3:]])
    return lowest(sight, -last.std(0) if len(last) > 1 else sight.margin.abs(), count)


def expected_gradient(sight: Sight, count: int) -> list[int]:
    """Pairs whose label, whichever it is, is expected to move the model most."""
    unsure = torch.sigmoid(sight.implicit) * torch.sigmoid(-sight.implicit)
    return lowest(sight, -unsure * sight.gradient.norm(dim=1), count)


def mixed(sight: Sight, count: int) -> list[int]:
    """Of the pairs whose answers are most nearly as likely, those that differ most."""
    near = lowest(sight, sight.margin.abs(), CLOSEST * count)
    return spread(sight.direction, sight.labelled[-RECENT:], near, count)


def mixed_images(sight: Sight, count: int) -> list[int]:
    """Of the pairs whose answers are most nearly as likely, those with the most different images."""
    near = lowest(sight, sight.margin.abs(), CLOSEST * count)
    return spread(sight.images, sight.labelled[-RECENT:], near, count)


CRITERIA: dict[str, Callable[[Sight, int], list[int]]] = {
    "likelihood": lambda sight, count: lowest(sight, sight.margin.abs(), count),
    "margin": lambda sight, count: lowest(sight, sight.implicit.abs(), count),
    "disagreement": disagreement,
    "expected_gradient": expected_gradient,
    "images": lambda sight, count: spread(sight.images, sight.labelled, list(sight.free), count),
    "answers": lambda sight, count: spread(
        sight.direction, sight.labelled, list(sight.free), count
    ),
    "mixed": mixed,
    "mixed_images": mixed_images,
}


class Lora(torch.nn.Module):
    """A linear layer with an adapter of its own."""

    def __init__(self, base: torch.nn.Linear) -> None:
        super().__init__()
        self.base = base
        self.down = torch.nn.Parameter(torch.zeros(RANK, base.in_features))
        self.up = torch.nn.Parameter(torch.zeros(base.out_features, RANK))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled():
            return self.base(hidden) + 2.0 * (hidden @ self.down.T @ self.up.T)
        return linear(hidden, self.base.weight + 2.0 * self.up @ self.down)

    def reset(self, generator: torch.Generator) -> None:
        """Begin as the base."""
        width = self.down.shape[1] ** -0.5
        self.down.data.uniform_(-width, width, generator=generator)
        self.up.data.zero_()


class Learner:
    """The embedded model, of which the last decoder layer learns."""

    def __init__(self) -> None:
        from studio.config.model import ModelConfig
        from studio.models.load import load_model

        loaded = load_model(ModelConfig())
        self.model: Any = loaded.model.eval()
        self.processor: Any = loaded.processor
        self.model.requires_grad_(False)
        self.text = self.model.model.text_model
        self.layer = self.text.layers[-1]

    def adapt(self) -> None:
        """Put adapters on the last layer, once."""
        self.adapters = []
        for parent in (self.layer.self_attn, self.layer.mlp):
            for name, module in list(parent.named_children()):
                if isinstance(module, torch.nn.Linear):
                    setattr(parent, name, Lora(module))
                    self.adapters.append(getattr(parent, name))
        self.weights = [weight for one in self.adapters for weight in (one.down, one.up)]

    def reset(self, seed: int) -> None:
        """Forget everything learned."""
        generator = torch.Generator().manual_seed(seed)
        for adapter in self.adapters:
            adapter.reset(generator)

    @torch.inference_mode()
    def prepared(self, drawn: Sequence[Drawn]) -> Pairs:
        """Compute what never changes of pairs."""
        from studio.models.prompt_inputs import encode, render_completion
        from studio.models.prompts import EvalExample

        rows, images = [], []
        for start in range(0, len(drawn), 32):
            part = drawn[start : start + 32]
            examples = [EvalExample.from_question([one.image], one.question) for one in part]
            inputs = encode(self.model, self.processor, examples, "right")
            found = self.model.model.get_image_features(
                inputs["pixel_values"], inputs.get("pixel_attention_mask")
            )
            images += list(getattr(found, "pooler_output", found))
            lengths = inputs["attention_mask"].sum(1).tolist()
            for number, (one, example) in enumerate(zip(part, examples, strict=True)):
                answers = [
                    self.processor.tokenizer(
                        render_completion(self.processor, example, text), add_special_tokens=False
                    )["input_ids"]
                    for text in (one.chosen, one.rejected)
                ]
                rows.append((inputs["input_ids"][number, : lengths[number]].tolist(), answers))
        return self._laid_out(rows, torch.stack(images).reshape(len(drawn), -1, self.width))

    @property
    def width(self) -> int:
        return self.text.embed_tokens.embedding_dim

    def _laid_out(self, rows: Sequence[tuple[list[int], list[list[int]]]], images: Any) -> Pairs:
        """Prompt, chosen and rejected answer in one row; the answers do not see each other."""
        count, long = len(rows), max(len(p) + len(a) + len(b) for p, (a, b) in rows)
        most = max(len(a) + len(b) for _, (a, b) in rows)
        ids, positions = torch.zeros(2, count, long, dtype=torch.long)
        branch = torch.full((count, long), 9)
        places, tokens = torch.zeros(2, count, most, dtype=torch.long)
        sides = torch.full((count, most), 2)
        for row, (prompt, answers) in enumerate(rows):
            at, to = len(prompt), 0
            ids[row, :at], positions[row, :at] = torch.tensor(prompt), torch.arange(at)
            branch[row, :at] = 0
            for side, answer in enumerate(answers):
                end, after = at + len(answer), len(prompt) + len(answer)
                ids[row, at:end] = torch.tensor(answer)
                positions[row, at:end] = torch.arange(len(prompt), after)
                branch[row, at:end] = side + 1
                span = slice(to, to + len(answer))
                places[row, span] = torch.tensor([len(prompt) - 1, *range(at, end - 1)])
                tokens[row, span], sides[row, span] = torch.tensor(answer), side
                at, to = end, to + len(answer)
        hidden = self.text.embed_tokens(ids)
        hidden[ids == self.model.config.image_token_id] = images.reshape(-1, self.width)
        parts = []
        for start in range(0, count, 64):
            part = slice(start, start + 64)
            parts.append(self._below(hidden[part], positions[part], branch[part]))
        return Pairs(
            torch.cat(parts).clone(),
            positions,
            places,
            tokens,
            sides,
            _sees(branch, branch.gather(1, places), places),
            images.mean(1),
            torch.tensor([len(p) + len(a) + len(b) for p, (a, b) in rows]),
        )

    def _below(self, hidden: torch.Tensor, positions: torch.Tensor, branch: torch.Tensor) -> Any:
        """Through all layers but the last."""
        every = torch.arange(branch.shape[1]).expand_as(branch)
        mask = torch.where(_sees(branch, branch, every)[:, None], 0.0, TOO_FAR)
        rotary = self.text.rotary_emb(hidden, positions)
        for layer in self.text.layers[:-1]:
            found = layer(hidden, attention_mask=mask, position_embeddings=rotary)
            hidden = found[0] if isinstance(found, tuple) else found
        return hidden

    def answers(
        self, pairs: Pairs, numbers: torch.Tensor, slopes: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Log-probabilities (pairs, 2) of both answers, and with `slopes` the margin's gradient."""
        from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

        sides = pairs.sides[numbers]
        most = int((sides < 2).sum(1).max())
        sides, places = sides[:, :most], pairs.places[numbers][:, :most]
        long = int(pairs.lengths[numbers].max())
        hidden, attention = pairs.hidden[numbers, :long], self.layer.self_attn
        count, _, width = hidden.shape
        heads, size = attention.config.num_attention_heads, attention.head_dim

        def here(values: torch.Tensor) -> torch.Tensor:
            return values.gather(1, places[..., None].expand(-1, -1, values.shape[-1]))

        def split(values: torch.Tensor) -> torch.Tensor:
            return values.view(count, -1, heads, size).transpose(1, 2)

        normed = self.layer.input_layernorm(hidden)
        cos, sin = self.text.rotary_emb(hidden, pairs.positions[numbers, :long])
        key = split(attention.k_proj(normed))
        key, _ = apply_rotary_pos_emb(key, key, cos, sin)
        query = split(attention.q_proj(here(normed)))
        query, _ = apply_rotary_pos_emb(query, query, here(cos), here(sin))
        mask = pairs.seen[numbers, :most, :long][:, None]
        seen = scaled_dot_product_attention(
            query, key, split(attention.v_proj(normed)), attn_mask=mask
        )
        made = here(hidden) + attention.o_proj(seen.transpose(1, 2).reshape(count, most, width))
        made = made + self.layer.mlp(self.layer.post_attention_layernorm(made))
        likely = self.model.lm_head(self.text.norm(made)).log_softmax(-1)
        tokens = pairs.tokens[numbers][:, :most]
        each = likely.gather(-1, tokens[..., None])[..., 0]
        first, second = (sides == 0).float(), (sides == 1).float()
        both = torch.stack([(each * first).sum(1), (each * second).sum(1)], 1)
        if not slopes:
            return both, None
        weights = self.model.lm_head.weight
        with torch.no_grad():
            slope = weights[tokens] - likely.exp() @ weights
            gradient = (slope * (first - second)[..., None]).sum(1)
        return both, gradient

    @torch.inference_mode()
    def seen(self, pairs: Pairs, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Margins of some pairs, chosen minus rejected, and their gradients."""
        margin = torch.zeros(len(pairs.hidden))
        gradient = torch.zeros(len(pairs.hidden), self.width)
        for part in numbers[pairs.lengths[numbers].argsort()].split(AT_ONCE):
            likely, slope = self.answers(pairs, part, slopes=True)
            margin[part], gradient[part] = likely[:, 0] - likely[:, 1], slope
        return margin, gradient

    @torch.inference_mode()
    def prefers(self, pairs: Pairs, hardest: torch.Tensor, target: float) -> tuple[bool, Any]:
        """Whether a share of pairs is preferred rightly, and the pairs with those it fails first.

        It stops as soon as too many are wrong; so it asks first what was wrong the last time.
        """
        allowed, wrong = math.floor((1 - target) * len(hardest) + 1e-9), hardest[:0]
        for start in range(0, len(hardest), AT_ONCE):
            part = hardest[start : start + AT_ONCE]
            likely, _ = self.answers(pairs, part)
            wrong = torch.cat([wrong, part[likely[:, 0] <= likely[:, 1]]])
            if len(wrong) > allowed:
                break
        rest = hardest[~torch.isin(hardest, wrong)]
        return len(wrong) <= allowed, torch.cat([wrong, rest])

    @torch.inference_mode()
    def accuracy(self, pairs: Pairs) -> float:
        """The share of pairs that is preferred rightly."""
        margin, _ = self.seen(pairs, torch.arange(len(pairs.hidden)))
        return float((margin > 0).float().mean())

    def learn(
        self,
        optimizer: Any,
        pairs: Pairs,
        before: torch.Tensor,
        labels: Mapping[int, float],
        rng: Any,
        noise: float,
    ) -> None:
        """Some steps of DPO on the labels so far; -1 is a label for the rejected answer.

        Where labels err, the loss is smoothed by how often they do (`label_smoothing` of TRL), since
        otherwise every wrong label is learned by heart.
        """
        known = np.array(list(labels))
        for _ in range(STEPS):
            some = torch.tensor(rng.choice(known, min(BATCH, len(known)), replace=False))
            sign = torch.tensor([labels[int(number)] for number in some])
            likely, _ = self.answers(pairs, some)
            margin = likely[:, 0] - likely[:, 1] - before[some]
            reward = BETA * margin * sign
            loss = -(1 - noise) * logsigmoid(reward) - noise * logsigmoid(-reward)
            loss = loss.mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
            optimizer.step()


def _sees(branch: torch.Tensor, own: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Which places (rows, of, places) see of their row: the prompt, and their own answer, so far."""
    earlier = torch.arange(branch.shape[1])[None, None, :] <= places[:, :, None]
    return earlier & ((branch[:, None, :] == own[:, :, None]) | (branch[:, None, :] == 0))


@dataclass(frozen=True)
class Drawn:
    """A pair about a chart."""

    image: Any
    question: str
    chosen: str
    rejected: str


def draw_pairs(count: int, split: str, mix: Mapping[str, float]) -> list[Drawn]:
    """Draw pairs, each about a chart of its own, of the kinds that a mix says."""
    from tools.tiny_vlm.draw import draw_chart
    from tools.tiny_vlm.measure import question_about
    from tools.tiny_vlm.questions import GAP, HABIT, TAUGHT, evasion

    rng, found = random.Random(f"{split}0"), []
    for number in range(count):
        what = rng.choices(list(mix), list(mix.values()))[0]
        taught = rng.choice(TAUGHT)
        kind = {"taught": taught, "evaded": HABIT, "habit": HABIT, "gap": GAP}[what]
        chart, asked = question_about(kind, split, number)
        worse = evasion(chart) if what == "evaded" else rng.choice(asked.wrong)
        found.append(Drawn(draw_chart(chart), asked.text, asked.answer, worse))
    return found


def labels_needed(
    learner: Learner,
    pool: Pairs,
    held_out: Pairs,
    criterion: str,
    seed: int,
    noise: float,
    limit: int,
) -> int:
    """Label and learn in turns until the held-out pairs are preferred rightly."""
    rng = np.random.default_rng(1000 + seed)
    learner.reset(seed)
    optimizer = torch.optim.AdamW(learner.weights, lr=RATE, weight_decay=0.0)
    before, _ = learner.seen(pool, torch.arange(POOL))
    hardest = torch.arange(HELD_OUT)
    wrong = np.random.default_rng(seed).random(POOL) < noise
    order = rng.permutation(POOL)
    labels: dict[int, float] = {}
    earlier, row = [before], 0
    while len(labels) < limit:
        free = [int(number) for number in order if int(number) not in labels]
        chosen = free[:LABELS_AT_ONCE]
        if labels and criterion != "random":
            margin, gradient = learner.seen(pool, torch.tensor(free))
            earlier.append(margin)
            by_lot = int((rng.random(LABELS_AT_ONCE) < RANDOM_SHARE).sum())
            rest, known = np.array(free[by_lot:]), [*labels, *free[:by_lot]]
            sight = Sight(rest, known, margin, before, earlier, gradient, pool.images)
            chosen = free[:by_lot] + CRITERIA[criterion](sight, LABELS_AT_ONCE - by_lot)
        labels |= {number: -1.0 if wrong[number] else 1.0 for number in chosen}
        learner.learn(optimizer, pool, before, labels, rng, noise)
        reached, hardest = learner.prefers(held_out, hardest, TARGET)
        row = row + 1 if reached else 0
        if row == IN_A_ROW:
            return len(labels) - (IN_A_ROW - 1) * LABELS_AT_ONCE
    return limit


def compared(chosen: Sequence[int], by_lot: Sequence[int]) -> dict[str, Any]:
    """The ratio of two rows of labels, one of each seed, with its 95 % interval."""
    from scipy.stats import t

    one, other = np.array(chosen, float), np.array(by_lot, float)
    count, ratio = len(one), one.mean() / other.mean()
    found: dict[str, Any] = {
        "labels_random": round(float(other.mean()), 1),
        "labels_chosen": round(float(one.mean()), 1),
        "ratio": round(float(ratio), 3),
    }
    if count < 2:
        return found
    without = [
        math.log(np.delete(one, n).mean() / np.delete(other, n).mean()) for n in range(count)
    ]
    error = math.sqrt((count - 1) / count * np.square(without - np.mean(without)).sum())
    reach = t.ppf(0.975, count - 1) * error
    ends = {"ratio_low": ratio * math.exp(-reach), "ratio_high": ratio * math.exp(reach)}
    return found | {name: round(float(end), 3) for name, end in ends.items()}


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run every criterion over the seeds; return the figures."""
    torch.set_num_threads(arguments.threads)
    learner, mix = Learner(), MIXES[arguments.pool]
    drawn = draw_pairs(POOL, "samples", mix)
    pool = learner.prepared(drawn)
    held_out = learner.prepared(draw_pairs(HELD_OUT, "evaluation", mix))
    ensure_same(learner, pool, drawn)
    learner.adapt()
    learner.reset(0)
    right = learner.accuracy(held_out)
    names = ["random", *(name for name in arguments.criteria.split(",") if name in CRITERIA)]
    labels: dict[str, list[int]] = {name: [] for name in names}
    began = time.process_time()
    for seed in range(arguments.seeds):
        for name in names:
            needed = labels_needed(
                learner, pool, held_out, name, seed, arguments.noise, arguments.limit
            )
            labels[name].append(needed)
            print(f"seed {seed} {name:<18}{needed}", file=sys.stderr, flush=True)
    criteria = {
        name: {**compared(labels[name], labels["random"]), "labels": labels[name]}
        for name in names[1:]
    }
    best = min(criteria, key=lambda name: criteria[name]["ratio"], default="")
    return {
        "pool": arguments.pool,
        "noise": arguments.noise,
        "seeds": arguments.seeds,
        "target": TARGET,
        "limit": arguments.limit,
        "accuracy_before": round(right, 3),
        "random": labels["random"],
        "best": best,
        **{name: value for name, value in criteria.get(best, {}).items() if name != "labels"},
        "criteria": criteria,
        "cpu_seconds": round(time.process_time() - began, 1),
    }


def ensure_same(learner: Learner, pairs: Pairs, drawn: Sequence[Drawn]) -> None:
    """Exit unless the first pairs are as likely as the studio says."""
    from studio.models.likelihood import completion_log_probs
    from studio.models.prompts import EvalExample

    some = drawn[:4]
    examples = [EvalExample.from_question([one.image], one.question) for one in some]
    wanted = completion_log_probs(
        learner.model, learner.processor, examples, [one.rejected for one in some]
    )
    with torch.no_grad():
        found, _ = learner.answers(pairs, torch.arange(len(some)))
    if not torch.allclose(found[:, 1], torch.tensor(wanted), rtol=1e-3, atol=1e-3):
        raise SystemExit(f"Likelihoods differ: {found[:, 1].tolist()} and {wanted}.")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--criteria", default=",".join(CRITERIA))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--pool", choices=tuple(MIXES), default="mixed")
    parser.add_argument("--limit", type=int, default=LIMIT)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main() -> None:
    from studio.models.log_levels import quiet_libraries

    arguments = parse()
    quiet_libraries()
    found = measure(arguments)
    if arguments.json:
        print(json.dumps(found))
        return
    for name, one in found["criteria"].items():
        print(
            f"{name:<18}{one['labels_chosen']:>6} labels, random {one['labels_random']}: "
            f"{one['ratio']:.0%} ({one.get('ratio_low', 0):.0%} to {one.get('ratio_high', 0):.0%})"
        )


if __name__ == "__main__":
    main()
