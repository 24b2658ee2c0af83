"""Open the MLflow store safely while other processes do the same."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import LoggedModel
from mlflow.exceptions import MlflowException

from clef.errors import ClefError
from clef.runtime.files import atomic_write
from clef.tracking.location import SQLITE, URI_VARIABLE, store_uri, without_secrets

EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}  # not of language-model applications
ARTIFACTS = "mlflow-artifacts:"
"""Scheme of artifact locations that a server resolves. Its paths do not change when the checkout is moved."""


class Store:
    """The store that `MLFLOW_TRACKING_URI` names, or the checkout's own database.

    Two processes that create an SQLite database at the same time break it. Two that create an experiment or a run of
    the same name may create it twice. A file lock lets one process of the checkout at a time create something.

    Artifacts of a database are files in `mlartifacts` beside it, which `clef track ui` serves.
    """

    def __init__(self, checkout: Path) -> None:
        self.uri = store_uri(checkout)
        self.database = Path(self.uri.removeprefix(SQLITE).partition("?")[0]) if self.uri.startswith(SQLITE) else None
        self.artifacts = None if self.database is None else self.database.with_name("mlartifacts")
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
        if self.database is not None and not self.database.exists():
            from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # slow, and not for servers

            with atomic_write(self.database) as partial:
                created = SqlAlchemyStore(f"{SQLITE}{partial}", f"{ARTIFACTS}/")
                created.engine.dispose()
        return MlflowClient(self.uri)

    def experiment(self, name: str) -> str:
        """Id of the experiment with this name; it is created, or restored from MLflow's bin, if needed."""
        found = self.client.get_experiment_by_name(name)
        if found is None:
            location = None if self.artifacts is None else f"{ARTIFACTS}/{name}"
            try:
                return self.client.create_experiment(name, location, EXPERIMENT_TAGS)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            found = self.client.get_experiment_by_name(name)  # another machine created it at the same moment
            assert found is not None
        if self.artifacts is not None and not found.artifact_location.startswith(ARTIFACTS):
            raise ClefError(
                f"{self.database}: keeps the artifacts of {name} at {found.artifact_location}, which is wrong once the "
                "checkout is moved; to make a new database, rename this one and run `clef track sync`"
            )
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        return found.experiment_id

    def log_artifact(self, run: str, file: Path, name: str) -> None:
        """Add a copy of a file to a run; `name` is its path among the run's artifacts."""
        if self.artifacts is None:
            self.client.log_artifact(run, str(file), str(Path(name).parent) if "/" in name else None)
            return
        with atomic_write(self._local_folder(self.client.get_run(run).info.artifact_uri) / name) as partial:
            shutil.copyfile(file, partial)

    def log_model(self, model: LoggedModel, folder: Path) -> None:
        """Add a copy of a saved model's folder to a new logged model."""
        if self.artifacts is None:
            self.client.log_model_artifacts(model.model_id, str(folder))
        else:
            shutil.copytree(folder, self._local_folder(model.artifact_location))

    def _local_folder(self, location: str) -> Path:
        """Folder of an artifact location, which MLflow itself resolves only with a server."""
        assert self.artifacts is not None
        return self.artifacts / location.removeprefix(f"{ARTIFACTS}/")

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
    if len(text) <= 120 or isinstance(error, ClefError):
        return text
    sentence = text.split(". ")[0]
    return sentence if len(sentence) <= 240 else f"{text[:117]}..."
