"""Fields and BCH codes against their definitions, by enumeration on small codes."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence._kernels.bch import code, correct, parity_bits, syndromes
from whence._kernels.bch_chase import chase, patterns
from whence._kernels.gf2 import PRIMITIVE, field, numbers

SMALL = [(1, 1), (4, 1), (11, 1), (7, 2), (6, 2), (5, 3), (3, 3), (2, 5)]


def slow_product(a, b, mu):
    """Product of two field elements: multiply the polynomials, then take the remainder."""
    total = 0
    for i in range(mu):
        total ^= (a << i) * (b >> i & 1)
    for i in range(2 * mu, mu - 1, -1):
        if total >> i & 1:
            total ^= PRIMITIVE[mu] << (i - mu)
    return total


def codewords(c):
    """Every codeword, message bits first: `(2^n, n + p)`."""
    messages = np.array(list(itertools.product([0, 1], repeat=c.n)))
    return np.concatenate([messages, messages @ c.parity.T % 2], axis=1)


def as_sets(found, n):
    """Word -> (units, errors)."""
    return {
        int(w): (tuple(u for u in units if u < n), int(e))
        for w, units, e in zip(found.word, found.units.tolist(), found.errors, strict=True)
    }


@given(st.integers(2, 14), st.integers(0, 2**14), st.integers(0, 2**14))
def test_products_are_those_of_polynomials(mu, a, b):
    """A product by tables is the product of polynomials modulo the primitive one."""
    a, b = a % 2**mu, b % 2**mu
    assert field(mu).times(np.array([a]), np.array([b])) == slow_product(a, b, mu)


@pytest.mark.parametrize("mu", PRIMITIVE)
def test_the_generator_makes_every_element(mu):
    """Powers of the generator run through all elements but zero: the polynomials are primitive."""
    f = field(mu)
    assert sorted(f.exp[: f.order].tolist()) == list(range(1, 2**mu))


@pytest.mark.parametrize(("n", "t"), [*SMALL, (64, 5), (1000, 5), (300, 2)])
def test_codewords_have_no_syndromes(n, t):
    """Every message with its parity bits is zero at the first 2t powers of the generator."""
    c = code(n, t)
    rows = np.concatenate([c.parity.T, np.eye(n, dtype=np.uint8)], axis=1).astype(bool)
    for j in range(1, 2 * t + 1):
        powers = c.field.power(j * np.arange(c.p + n))
        assert not np.bitwise_xor.reduce(np.where(rows, powers, 0), axis=1).any()


@pytest.mark.parametrize(("n", "t"), SMALL)
def test_codewords_are_far_apart(n, t):
    """Any two codewords differ in at least 2t + 1 bits."""
    weights = codewords(code(n, t)).sum(axis=1)
    assert weights[weights > 0].min() >= 2 * t + 1


@pytest.mark.parametrize(
    ("n", "p"),
    [(8, 20), (16, 27), (36, 27), (64, 35), (100, 40), (128, 40), (256, 45), (1000, 55)],
)
def test_parity_bits_are_those_of_the_shortest_code(n, p):
    """Parity bits at t = 5 are those in the tables of BCH codes."""
    assert parity_bits(n, 5) == p == code(n, 5).p


@pytest.mark.parametrize(("n", "t"), SMALL)
def test_decoding_finds_the_nearest_codeword(n, t):
    """Of all parity words exactly those within t bits of a codeword are decoded, and to it."""
    c = code(n, t)
    words = np.array(list(itertools.product([0, 1], repeat=min(c.p, 10))))
    words = np.pad(words, ((0, 0), (0, c.p - words.shape[1]))).astype(bool)
    full = np.concatenate([np.zeros((len(words), n), dtype=bool), words], axis=1)
    every = codewords(c).astype(bool)
    truth = {}
    for i, word in enumerate(full):
        errors = (every ^ word).sum(axis=1)
        best = int(errors.argmin())
        if errors[best] <= t:
            truth[i] = (tuple(np.flatnonzero(every[best, :n]).tolist()), int(errors[best]))
    assert as_sets(correct(c, syndromes(c, words)), n) == truth


@given(st.sampled_from([(20, 2), (64, 3), (64, 5), (300, 6)]), st.integers(0, 10**6))
def test_errors_up_to_t_are_corrected(case, seed):
    """A set of units with wrong parity bits, t in all, is found with its number of errors."""
    c, rng = code(*case), np.random.default_rng(seed)
    units = np.sort(rng.choice(c.n, rng.integers(0, c.t + 1), replace=False))
    wrong = rng.choice(c.p, rng.integers(0, c.t - len(units) + 1), replace=False)
    word = c.parity[:, units].sum(axis=1) % 2
    word[wrong] ^= 1
    found = as_sets(correct(c, syndromes(c, word[None])), c.n)
    assert found == {0: (tuple(units.tolist()), len(units) + len(wrong))}


def test_words_are_decoded_independently():
    """Many words at once, over several chunks, give what each gives alone."""
    c, rng = code(500, 2), np.random.default_rng(0)
    words = rng.random((3000, c.p)) < 0.5
    together = as_sets(correct(c, syndromes(c, words)), c.n)
    assert 0 < len(together) < 3000
    for i in range(0, 3000, 100):
        alone = as_sets(correct(c, syndromes(c, words[i : i + 1])), c.n)
        assert alone.get(0) == together.get(i)


@pytest.mark.parametrize("t", [1, 2, 3, 4])
def test_flip_patterns_hold_the_least_sums(t):
    """The kept patterns hold the t (2t + 1) least sums of any reliabilities, as all subsets do."""
    rng = np.random.default_rng(t)
    every = np.array(list(itertools.product([0.0, 1.0], repeat=2 * t)))
    for _ in range(20):
        reliability = np.sort(rng.exponential(size=2 * t) ** 2)
        count = min(t * (2 * t + 1), 4**t)
        best, kept = (np.sort(s @ reliability)[:count] for s in (every, patterns(t)))
        np.testing.assert_allclose(kept, best)


def test_soft_decoding_is_plain_decoding_of_each_flip():
    """Each answer is the plain decoding of its flip pattern, patterns in order of their sums."""
    c, rng = code(16, 2), np.random.default_rng(0)
    words, reliability = rng.random((30, c.p)) < 0.5, rng.random((30, c.p))
    chased = chase(c, words, reliability)
    got = {
        (int(w), int(r)): (tuple(u), int(e))
        for (w, u, e), r in zip(
            zip(chased.found.word, chased.found.units.tolist(), chased.found.errors, strict=True),
            chased.rank,
            strict=True,
        )
    }
    truth = {}
    for i, (word, weight) in enumerate(zip(words, reliability, strict=True)):
        weak = np.argsort(weight)[:4]
        flips = [f for r in range(5) for f in itertools.combinations(weak, r)]
        flips.sort(key=lambda f: weight[list(f)].sum())
        for rank, flip in enumerate(flips[:10]):
            flipped = word.copy()
            flipped[list(flip)] ^= True
            plain = correct(c, syndromes(c, flipped[None]))
            if len(plain.word):
                truth[i, rank] = (tuple(plain.units[0].tolist()), int(plain.errors[0]))
    assert got == truth
    assert len(truth) > 10


def test_numbers_are_read_lowest_bit_first():
    """Bits become a number, the first bit the lowest."""
    assert numbers([[1, 0, 1], [0, 1, 0]]).tolist() == [5, 2]
