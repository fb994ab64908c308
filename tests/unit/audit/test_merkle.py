"""The tree is that of RFC 6962/9162: published roots, proofs that hold, and none that holds for anything else."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.audit import merkle
from hub.crypto.hashes import HASHES, sm3

# The leaves and roots of the Certificate Transparency reference implementation (RFC 6962 §2.1).
BODIES = [bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")] + [
    bytes.fromhex("606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [merkle.leaf_hash(body) for body in BODIES]
# (index, size) -> the published proof.
INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
}
CONSISTENCY = {
    (1, 8): INCLUSION[0, 8],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}


def plain_root(leaves: list[bytes]) -> bytes:
    """Is the recursive definition of RFC 6962 §2.1, as it stands there."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + plain_root(leaves[:k]) + plain_root(leaves[k:])).digest()


@pytest.mark.parametrize("size", range(9))
def test_published_roots(size: int) -> None:
    assert merkle.root_of(LEAVES[:size]).hex() == ROOTS[size]


@pytest.mark.parametrize(("place", "proof"), INCLUSION.items())
def test_published_inclusion_proofs(place: tuple[int, int], proof: list[str]) -> None:
    index, size = place
    assert [node.hex() for node in merkle.inclusion_proof(LEAVES, index, size)] == proof


@pytest.mark.parametrize(("place", "proof"), CONSISTENCY.items())
def test_published_consistency_proofs(place: tuple[int, int], proof: list[str]) -> None:
    assert [node.hex() for node in merkle.consistency_proof(LEAVES, *place)] == proof


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 70), choice=st.randoms(use_true_random=False))
def test_every_proof_holds_and_no_other(size: int, choice: object) -> None:
    leaves = [merkle.leaf_hash(bytes([n])) for n in range(size)]
    root = plain_root(leaves)
    assert merkle.root_of(leaves) == root
    index, old = choice.randrange(size), choice.randint(1, size)  # type: ignore[attr-defined]
    proof = merkle.inclusion_proof(iter(leaves), index, size)
    assert merkle.verify_inclusion(leaves[index], index, size, proof, root)
    assert not merkle.verify_inclusion(merkle.leaf_hash(b"other"), index, size, proof, root)
    assert not merkle.verify_inclusion(leaves[index], index, size, [*proof, root], root)
    path = merkle.consistency_proof(iter(leaves), old, size)
    before = plain_root(leaves[:old])
    assert merkle.verify_consistency(old, size, before, root, path)
    assert not merkle.verify_consistency(old, size, bytes(32), root, path)
    assert not merkle.verify_consistency(old, size, before, bytes(32), path)
    for place in range(len(path)):
        broken = [*path[:place], bytes(32), *path[place + 1 :]]
        assert not merkle.verify_consistency(old, size, before, root, broken)


def test_a_frontier_goes_on_where_it_was_kept() -> None:
    grown = merkle.Frontier()
    for leaf in LEAVES[:5]:
        grown.append(leaf)
    kept = merkle.Frontier(grown.size, list(grown.peaks))
    for leaf in LEAVES[5:]:
        kept.append(leaf)
    assert (kept.size, kept.root().hex()) == (8, ROOTS[8])
    assert (grown.size, grown.root().hex()) == (5, ROOTS[5])
    with pytest.raises(ValueError, match="frontier"):
        merkle.Frontier(7, list(grown.peaks))


def test_sm3_is_that_of_the_standard_and_carries_a_tree() -> None:
    # GB/T 32905-2016, appendix A.1.
    assert sm3(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    leaves = [merkle.leaf_hash(body, HASHES["sm3"]) for body in BODIES]
    root = merkle.root_of(leaves, sm3)
    proof = merkle.inclusion_proof(leaves, 3, 8, sm3)
    assert merkle.verify_inclusion(leaves[3], 3, 8, proof, root, sm3)
    assert not merkle.verify_inclusion(leaves[3], 3, 8, proof, root)


@pytest.mark.parametrize("place", [(-1, 3), (3, 3), (0, 0)])
def test_no_proof_of_what_is_not_there(place: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no such leaf"):
        merkle.inclusion_ranges(*place)
    assert not merkle.verify_inclusion(LEAVES[0], *place, [], LEAVES[0])


def test_no_proof_over_a_log_that_ends_too_early() -> None:
    with pytest.raises(ValueError, match="ends before"):
        merkle.inclusion_proof(LEAVES[:5], 1, 8)
