"""The rule graph in README.md is current."""

import re
from pathlib import Path

from tests.workflow.conftest import snakemake

README = Path(__file__).parents[2] / "README.md"


def mermaid_block(printed: str) -> str:
    """Snakemake's mermaid-js output with edges by name, in the order of the chain, without colours."""
    names = dict(re.findall(r"^\s*(id\d+)\[(?:\"?)(\w+)", printed, re.MULTILINE))
    edges = {(names[a], names[b]) for a, b in re.findall(r"^\s*(id\d+) --> (id\d+)", printed, re.MULTILINE)}
    assert {name for edge in edges for name in edge} == set(names.values())
    rank = {name: depth(name, edges) for name in names.values()}
    ordered = sorted(edges, key=lambda edge: (rank[edge[0]], edge[0], rank[edge[1]], edge[1]))
    return "\n".join(["flowchart LR", *(f"    {a} --> {b}" for a, b in ordered)])


def depth(name: str, edges: set[tuple[str, str]]) -> int:
    return 1 + max((depth(a, edges) for a, b in edges if b == name), default=0)


def test_the_graph_in_the_readme_is_current(checkout):
    planned = mermaid_block(snakemake(checkout, "--rulegraph", "mermaid-js", "results/demo/summary.csv"))
    assert "finetune --> evaluate" in planned
    blocks = re.findall(r"^```mermaid\n(.*?)\n```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert blocks == [planned], f"README.md needs this block:\n```mermaid\n{planned}\n```"
