"""The Merkle tree beside the chain (RFC 6962, RFC 9162): roots of a growing log and proofs about it; pure.

leaf = H(0x00 || body), node = H(0x01 || left || right). Every function takes the hash of the log's epoch, SHA-256 by
default. Proofs are computed in one pass over the leaves, in memory that does not grow with the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from hub.crypto.hashes import Hash, sha256

Range = tuple[int, int]
"""The leaves from the first number on, before the second."""


def leaf_hash(body: bytes, hash_: Hash = sha256) -> bytes:
    """Returns H(0x00 || body)."""
    return hash_(b"\x00" + body)


def node_hash(left: bytes, right: bytes, hash_: Hash = sha256) -> bytes:
    """Returns H(0x01 || left || right)."""
    return hash_(b"\x01" + left + right)


@dataclass(slots=True)
class Frontier:
    """Is the right edge of a tree: the roots of its full subtrees, largest first; all that appending and a root need.

    The number of `peaks` is the number of ones in `size`, so a tree of any length fits into a few hundred bytes.
    """

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)
    hash_: Hash = field(default=sha256, repr=False)

    def __post_init__(self) -> None:
        if len(self.peaks) != self.size.bit_count():
            raise ValueError("a frontier has one subtree for every one in its size")

    def append(self, leaf: bytes) -> None:
        """Takes in the next leaf hash."""
        size, peaks, hash_ = self.size, self.peaks, self.hash_
        while size & 1:
            leaf = hash_(b"\x01" + peaks.pop() + leaf)
            size >>= 1
        peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Returns the root of the tree so far; that of an empty one is the hash of nothing."""
        if not self.peaks:
            return self.hash_(b"")
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root, self.hash_)
        return root

    def copy(self) -> Frontier:
        """Returns one of its own."""
        return Frontier(self.size, list(self.peaks), self.hash_)


def root_of(leaves: Iterable[bytes], hash_: Hash = sha256) -> bytes:
    """Returns the root over leaf hashes."""
    frontier = Frontier(hash_=hash_)
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Returns the leaves under each node of an inclusion proof, in the order of the proof. Raises ValueError."""
    if not 0 <= index < size:
        raise ValueError("no such leaf in a tree of this size")
    found: list[Range] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            found.append((middle, high))
            high = middle
        else:
            found.append((low, middle))
            low = middle
    return found[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """Returns the leaves under each node of a consistency proof, in the order of the proof. Raises ValueError."""
    if not 0 < old <= new:
        raise ValueError("a tree grows from a size of at least one")
    if old == new:
        return []
    found: list[Range] = []
    low, high, whole = 0, new, True
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            found.append((middle, high))
            high = middle
        else:
            found.append((low, middle))
            low, whole = middle, False
    if not whole:
        found.append((low, high))
    return found[::-1]


def roots_over(leaves: Iterable[bytes], ranges: Sequence[Range], hash_: Hash = sha256) -> list[bytes]:
    """Returns the root over each of some ranges that do not overlap, reading the leaves once, from the first one on.

    Raises ValueError where the leaves end too early.
    """
    roots: dict[Range, bytes] = {}
    stream, at = iter(leaves), 0
    for low, high in sorted(ranges):
        frontier = Frontier(hash_=hash_)
        for leaf in islice(stream, low - at, high - at):
            frontier.append(leaf)
        if frontier.size != high - low:
            raise ValueError("the log ends before the leaves that the proof needs")
        at, roots[low, high] = high, frontier.root()
    return [roots[each] for each in ranges]


def inclusion_proof(leaves: Iterable[bytes], index: int, size: int, hash_: Hash = sha256) -> list[bytes]:
    """Returns the proof that leaf `index` stands in the tree of the first `size` leaves."""
    return roots_over(leaves, inclusion_ranges(index, size), hash_)


def consistency_proof(leaves: Iterable[bytes], old: int, new: int, hash_: Hash = sha256) -> list[bytes]:
    """Returns the proof that the tree of `new` leaves continues that of the first `old`."""
    return roots_over(leaves, consistency_ranges(old, new), hash_)


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes, hash_: Hash = sha256
) -> bool:
    """Tells whether a leaf stands at `index` in the tree of a size and root (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for node in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(node, found, hash_)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, node, hash_)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes], hash_: Hash = sha256
) -> bool:
    """Tells whether the tree of size `new` continues that of size `old` (RFC 9162 §2.1.4.2)."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = path[0]
    for node in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            before, after = node_hash(node, before, hash_), node_hash(node, after, hash_)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            after = node_hash(after, node, hash_)
        place, last = place >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _split(number: int) -> int:
    """Returns the largest power of two below a number above one."""
    return 1 << (number - 1).bit_length() - 1
