"""YAML files that users write: duplicate keys are errors, and every error is one line with its line number."""

from pathlib import Path
from typing import Any

import yaml

from clef.params.schema import ParamsError


class _Loader(yaml.SafeLoader):
    """Rejects duplicate keys, of which YAML would use the last. Every error has a line number."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, TypeError, AttributeError):  # such as a date in month 13
            kind = node.tag.rpartition(":")[2]
            raise _error(f"invalid {kind} {str(node.value)[:40]!r}; put text in quotes", node) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise _error(f"duplicate key {key.value}", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def parse_yaml(text: bytes, path: Path) -> Any:
    """Parse a file's contents, in UTF-8.

    Raises:
        ParamsError: It is not valid YAML, or has a duplicate key or an invalid value.
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


def _error(problem: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
