"""YAML that a user writes: no key twice, and one line that names the place of what is not right."""

from pathlib import Path
from typing import Any

import yaml

from clef.params.schema import ParamsError

LONGEST_SHOWN = 40
"""Characters of a mistaken value that a message repeats."""


class _Loader(yaml.SafeLoader):
    """Takes no key twice: YAML would let the last one win without a word. Every error of it has a line."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, TypeError, AttributeError):  # as of a date in month 13
            kind = node.tag.rpartition(":")[2]
            problem = f"{str(node.value)[:LONGEST_SHOWN]!r} is no {kind}; put text in quotes"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                found = "a list" if isinstance(key, yaml.SequenceNode) else "a section"
                problem = f"{found} stands where a key is expected, such as epochs"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def parse_yaml(text: bytes, path: Path) -> Any:
    """Plain data of a file's contents, UTF-8.

    Args:
        text: The contents.
        path: Of the file, for the message.

    Raises:
        ParamsError: It is no YAML, names a key twice, or holds what is no value of its kind.
    """
    try:
        return yaml.load(text.decode("utf-8"), _Loader)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark is not None else ""
        hint = "; indent with spaces" if "'\\t'" in str(error.problem) else ""
        raise ParamsError(f"{path}: not valid YAML: {line}{error.problem}{hint}") from None
    except RecursionError:
        raise ParamsError(f"{path}: not valid YAML: nested too deeply; expected sections of keys and values") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
