"""Open the MLflow store safely while other processes do the same."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from clef.errors import ClefError
from clef.runtime.files import atomic_write
from clef.tracking.location import URI_VARIABLE, without_secrets

SQLITE = "sqlite:///"
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}  # not of language-model applications


def local_uri(checkout: Path) -> str:
    """Address of the checkout's own store, a database in its results."""
    return f"{SQLITE}{(checkout / 'results' / 'mlflow.db').absolute()}"


class Store:
    """The store that `MLFLOW_TRACKING_URI` names, or the checkout's own database.

    Two processes that create an SQLite database at the same time break it. Two that create an experiment or a run of
    the same name may create it twice. A file lock lets one process of the checkout at a time create something.
    """

    def __init__(self, checkout: Path) -> None:
        self.uri = os.environ.get(URI_VARIABLE) or local_uri(checkout)
        self.local = self.uri.startswith(SQLITE)
        self.artifacts = (checkout / "results" / "mlartifacts").absolute() if self.local else None
        self._lock = FileLock(checkout / "results" / ".mlflow.lock")

    @contextmanager
    def creating(self) -> Iterator[MlflowClient]:
        """Yield the client while no other process of the checkout creates anything."""
        Path(self._lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        with self._lock.acquire(timeout=300):
            yield self.client

    @cached_property
    def client(self) -> MlflowClient:
        """The client. Its first use may create the database, so it must happen inside `creating`.

        MLflow takes seconds to create its tables, and cannot use a database in which a killed process left only some.
        """
        database = Path(self.uri.removeprefix(SQLITE))
        if self.local and not database.exists():
            from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # slow, and not for servers

            with atomic_write(database) as partial:
                created = SqlAlchemyStore(f"{SQLITE}{partial}", (database.parent / "mlartifacts").as_uri())
                created.engine.dispose()
        return MlflowClient(self.uri)

    def experiment(self, name: str) -> str:
        """Id of the experiment with this name; it is created, or restored from MLflow's bin, if needed."""
        found = self.client.get_experiment_by_name(name)
        if found is None:
            location = None if self.artifacts is None else (self.artifacts / name).as_uri()
            try:
                return self.client.create_experiment(name, location, EXPERIMENT_TAGS)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            found = self.client.get_experiment_by_name(name)  # another machine created it at the same moment
            assert found is not None
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        return found.experiment_id

    def require(self) -> None:
        """Raise ClefError if the store does not answer."""
        try:
            with self.creating() as client:
                client.search_experiments(max_results=1)
        except Exception as error:
            raise ClefError(
                f"{URI_VARIABLE}: no answer from {without_secrets(self.uri)} ({short_message(error)}); start that "
                "server, or unset the variable to use the checkout's own database"
            ) from error


def short_message(error: BaseException) -> str:
    """Shorten an error of MLflow or of the network, which can be pages long."""
    text = without_secrets(" ".join(str(error).split())) or type(error).__name__
    for known in ("Connection refused", "timed out", "Name or service not known", "too many 500 error responses"):
        if known.lower() in text.lower():
            return known.lower()
    return text if len(text) <= 120 else f"{text[:117]}..."
