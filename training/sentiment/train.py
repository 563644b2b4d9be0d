"""Holds the training of the embedded sentiment model, end to end.

    python training/sentiment/train.py --data ../shared/data --teacher DIR --out src/whence/models

Reads the training part of the two data sets, fine-tunes the teacher, distils a student of three
layers in 4-bit weights, and writes sentiment.onnx and tokenizer.json. Choices are made on the
validation part; the held-out part is read once, after the files are written, to be reported.
Knows nothing of whence.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from augment import subset, unlabelled
from export import Export, pruned_tokenizer, write_onnx
from network import Network, load_teacher, student_of
from splits import Example, normalise, read_contrast, read_rt, read_uci, select
from templates import Made, make
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own custom

TEACHER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
CONTRAST = Path(__file__).parents[2] / "benchmarks" / "data" / "negation_contrast.tsv"


@dataclass(frozen=True)
class Set:
    """Token ids with what is known of each text.

    Attributes:
        ids: a list of token ids per text.
        goal: (n, 2) target logits, nan where only `odds` is known.
        mean: (n, 384) the teacher's mean vectors, or an empty tensor.
        odds: (n,) target probability of "positive", nan where unknown.
    """

    ids: list[list[int]]
    goal: Tensor
    mean: Tensor
    odds: Tensor


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Token ids, at most 512 a text."""
    return [one.ids[:512] for one in tokenizer.encode_batch(list(texts))]


def batches(ids: list[list[int]], size: int, rng: np.random.Generator | None) -> list[np.ndarray]:
    """Index batches of near-equal length, about `size` x 32 tokens each, shuffled by `rng`."""
    lengths = np.array([len(one) for one in ids])
    noise = rng.random(len(ids)) * 4 if rng is not None else np.zeros(len(ids))
    order = np.argsort(lengths + noise, kind="stable")
    found, start = [], 0
    while start < len(order):
        # Short texts go in larger batches: a step then costs much the same at every length.
        longest = lengths[order[min(start + size, len(order)) - 1]]
        count = int(np.clip(size * 32 // max(longest, 1), max(size // 8, 1), size * 2))
        found.append(order[start : start + count])
        start += count
    return [found[i] for i in rng.permutation(len(found))] if rng is not None else found


def padded(ids: list[list[int]], rows: np.ndarray) -> tuple[Tensor, Tensor]:
    """(b, t) ids padded with 0, and True where there is a token."""
    longest = max(len(ids[i]) for i in rows)
    out = torch.zeros(len(rows), longest, dtype=torch.long)
    for j, i in enumerate(rows):
        out[j, : len(ids[i])] = torch.tensor(ids[i])
    present = torch.arange(longest)[None] < torch.tensor([len(ids[i]) for i in rows])[:, None]
    return out, present


@torch.no_grad()
def outputs(net: Network, ids: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Logits (n, 2) and mean vectors (n, 384)."""
    net.eval()
    logits, means = torch.zeros(len(ids), 2), torch.zeros(len(ids), 384)
    for rows in batches(ids, 64, None):
        logits[rows], means[rows] = net(*padded(ids, rows))
    return logits, means


def accuracy(net: Network, tokenizer: Tokenizer, examples: Sequence[Example]) -> float:
    """Share of `examples` whose larger logit is the label's."""
    logits, _ = outputs(net, encode(tokenizer, [one.text for one in examples]))
    labels = torch.tensor([one.label for one in examples])
    return float((logits.argmax(1) == labels).float().mean())


def loss_of(net: Network, data: Set, rows: np.ndarray) -> Tensor:
    """Cross entropy to known odds, and, where the teacher spoke, to its odds and its vector."""
    logits, mean = net(*padded(data.ids, rows))
    logp = F.log_softmax(logits, 1)
    odds, goal = data.odds[rows], data.goal[rows]
    told, taught = ~odds.isnan(), ~goal[:, 0].isnan()
    both = torch.stack([1 - odds, odds], 1)[told]
    total = -(both * logp[told]).sum() * (0.3 if taught.any() else 1.0)
    if taught.any():
        soft = F.softmax(goal[taught], 1)
        total = total - (soft * logp[taught]).sum()
        # The logits' distance minds texts the teacher is sure of, where odds saturate.
        total = total + 0.05 * (logits[taught] - goal[taught]).square().sum()
        total = total + 3.0 * (mean[taught] - data.mean[rows][taught]).square().mean(1).sum()
    return total / len(rows)


def fit(
    net: Network, data: Sequence[Set], rate: float, size: int, rng: np.random.Generator,
    check: tuple[Tokenizer, Sequence[Example]], round_from: int | None = None,
) -> None:  # fmt: skip
    """One pass over each of `data` in turn, by AdamW with a warm-up and a linear decay.

    The last state is kept: no early stopping. Validation accuracy is printed after every pass.
    """
    plans = [batches(one.ids, size, rng) for one in data]
    total, done, begun = sum(map(len, plans)), 0, time.time()
    free = [one for one in net.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(free, lr=rate, weight_decay=0.01, fused=True)
    for turn, (one, plan) in enumerate(zip(data, plans, strict=True)):
        if round_from is not None and turn >= round_from:
            net.round_to(4)
        net.train()
        for rows in plan:
            factor = min(1.0, (done + 1) / (0.06 * total)) * (1 - done / total)
            for group in optimiser.param_groups:
                group["lr"] = rate * factor
            optimiser.zero_grad(set_to_none=True)
            loss = loss_of(net, one, rows)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(free, 1.0)
            optimiser.step()
            done += 1
            if done % 50 == 0:
                print(
                    f"  step {done}/{total} loss {loss.item():.3f} {time.time() - begun:.0f} s",
                    flush=True,
                )
        print(f"pass {turn}: validation {accuracy(net, *check):.4f}, {time.time() - begun:.0f} s",
              flush=True)  # fmt: skip


def labelled(
    examples: Sequence[Example], made: Sequence[Made], tokenizer: Tokenizer,
    rng: np.random.Generator,
) -> Set:  # fmt: skip
    """The teacher's set for one pass: texts, a third again with words dropped, and templates."""
    texts = [(one.text, 0.96 if one.label else 0.04) for one in examples]
    some = rng.permutation(len(examples))[: len(examples) // 3]
    short = [(subset(texts[i][0], rng, keep_negators=True), texts[i][1]) for i in some]
    extra = [(one.text, one.positive) for one in made] + [("", 0.5)] * 20
    everything = texts + short + extra
    odds = torch.tensor([value for _, value in everything])
    ids = encode(tokenizer, [text for text, _ in everything])
    return Set(ids, torch.full((len(ids), 2), torch.nan), torch.empty(0), odds)


def taught(
    texts: Sequence[str], odds: Sequence[float], teacher: Network, full: Tokenizer, small: Tokenizer
) -> Set:
    """The student's set: the teacher's logits and vectors for `texts`, centred on equal odds.

    Logits are centred (they matter only by their difference), and the empty text is neutral.
    """
    goal, mean = outputs(teacher, encode(full, texts))
    goal = goal - goal.mean(1, keepdim=True)
    goal[[i for i, text in enumerate(texts) if not text]] = 0.0
    return Set(encode(small, texts), goal, mean, torch.tensor(odds))


def train_teacher(args: argparse.Namespace) -> Network:
    """The teacher, fine-tuned; cycles that an earlier run left in `--work` are read, not run."""
    weights = args.teacher / "model.safetensors"
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    if found != TEACHER_SHA256:
        raise SystemExit(f"{weights} has sha256 {found}; {TEACHER_SHA256} is the public teacher's.")
    teacher, tokenizer = load_teacher(weights), open_tokenizer(args.teacher)
    # The lower part is left as it came: tuning it costs most of the time and gains little.
    for part in (teacher.words, teacher.norm, *list(teacher.layers)[: args.frozen]):
        part.requires_grad_(False)
    teacher.places.requires_grad_(False)
    data = read_rt(args.data) + read_uci(args.data)
    examples, check = fresh(select(data, "train")), select(read_rt(args.data), "validation")
    for cycle, passes in enumerate(args.teacher_cycles):
        kept = args.work / f"teacher{cycle}.pt" if args.work else None
        if kept is not None and kept.exists():
            teacher.load_state_dict(torch.load(kept))
            continue
        # Seeded anew, so that a run which reads its first cycles goes on as a whole run does.
        torch.manual_seed(args.seed)
        rng = np.random.default_rng([args.seed, 1, cycle])
        sets = []
        for _ in range(passes):
            sets.append(labelled(examples, made_texts(args.made // 2, rng), tokenizer, rng))
        fit(teacher, sets, args.teacher_rate, 32, rng, (tokenizer, check))
        if kept is not None:
            torch.save(teacher.state_dict(), kept)
    return teacher


def open_tokenizer(folder: Path) -> Tokenizer:
    """The teacher's tokenizer, without its cutting and padding."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def fresh(examples: Sequence[Example]) -> list[Example]:
    """`examples` without the texts of the contrast set."""
    barred = {normalise(row["text"]) for row in read_contrast(CONTRAST)}
    return [one for one in examples if normalise(one.text) not in barred]


def made_texts(count: int, rng: np.random.Generator) -> list[Made]:
    """Template sentences without the texts of the contrast set."""
    barred = {normalise(row["text"]) for row in read_contrast(CONTRAST)}
    return [one for one in make(count, rng) if normalise(one.text) not in barred]


def train_student(args: argparse.Namespace, teacher: Network, rng: np.random.Generator) -> None:
    """Trains the student and writes it, in 4-bit weights and with its tokenizer, to `--out`."""
    full = open_tokenizer(args.teacher)
    data = read_rt(args.data) + read_uci(args.data)
    examples, check = fresh(select(data, "train")), select(read_rt(args.data), "validation")
    texts = [one.text for one in examples]
    small, pieces, counts = pruned_tokenizer(full, texts, args.pieces)
    made = made_texts(args.made, rng)
    known = texts + [one.text for one in made]
    odds = [0.97 if one.label else 0.03 for one in examples] + [one.positive for one in made]
    base = taught(known, odds, teacher, full, small)
    more = unlabelled(texts, known[len(texts) :], rng)
    begun = time.time()
    extra = taught(more, [float("nan")] * len(more), teacher, full, small)
    print(f"{len(known)} + {len(more)} texts, taught in {time.time() - begun:.0f} s", flush=True)
    whole = Set(
        base.ids + extra.ids, torch.cat([base.goal, extra.goal]),
        torch.cat([base.mean, extra.mean]), torch.cat([base.odds, extra.odds]),
    )  # fmt: skip
    torch.manual_seed(args.seed)
    student = student_of(teacher, pieces, counts, tuple(args.take), args.rank)
    small.save(str(args.out / "tokenizer.json"), pretty=False)
    for cycle, passes in enumerate(args.cycles):
        # Later cycles begin with half the rate, and in rounded weights from the first step.
        round_from = args.round_from if cycle == 0 else 0
        fit(student, [whole] * passes, args.rate / 2**cycle, 32, rng, (small, check), round_from)
        student.round_to(4)
        write_onnx(student, args.out / "sentiment.onnx")


def report(args: argparse.Namespace) -> None:
    """Prints what the written files score on every part, held out included."""
    run = Export(args.out / "sentiment.onnx", args.out / "tokenizer.json")
    for name, data in (("rt_polarity", read_rt(args.data)), ("uci_sentences", read_uci(args.data))):
        for part in ("validation", "heldout") if args.report_heldout else ("validation",):
            chosen = select(data, part)
            right = sum(
                int(logits[1] > logits[0]) == one.label
                for one, logits in zip(chosen, run([one.text for one in chosen]), strict=True)
            )
            print(f"{name} {part}: {right}/{len(chosen)} = {right / len(chosen):.4f}")
    print(f"bytes: {run.bytes}")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="holds rt_polarity, uci_sentences")
    parser.add_argument("--teacher", type=Path, required=True, help="all-MiniLM-L6-v2's folder")
    parser.add_argument("--out", type=Path, required=True, help="where the two files go")
    parser.add_argument("--work", type=Path, help="keeps the fine-tuned teacher between runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--made", type=int, default=5000, help="template sentences")
    parser.add_argument("--frozen", type=int, default=2, help="teacher layers left as they came")
    parser.add_argument("--teacher-cycles", type=int, nargs="+", default=[2, 1])
    parser.add_argument("--teacher-rate", type=float, default=6e-5)
    parser.add_argument("--take", type=int, nargs="+", default=[0, 2, 5])
    parser.add_argument("--pieces", type=int, default=14000)
    parser.add_argument("--rank", type=int, default=96)
    parser.add_argument("--cycles", type=int, nargs="+", default=[2], help="passes of each")
    parser.add_argument("--rate", type=float, default=2.5e-4)
    parser.add_argument("--round-from", type=int, default=1, help="pass that 4-bit rounding begins")
    parser.add_argument("--report-heldout", action="store_true", help="score the held-out part too")
    return parser.parse_args()


def main() -> None:
    """Trains, writes and reports."""
    args = arguments()
    torch.set_num_threads(args.threads)
    begun = time.time()
    print(json.dumps({k: str(v) for k, v in vars(args).items()}))
    for folder in (args.out, args.work):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    # The teacher's fresh head is drawn when it is loaded.
    torch.manual_seed(args.seed)
    teacher = train_teacher(args)
    train_student(args, teacher, np.random.default_rng([args.seed, 2]))
    print(f"trained in {(time.time() - begun) / 60:.1f} minutes")
    report(args)


if __name__ == "__main__":
    main()
