"""The MLflow store: where it is, and opening it so that many processes may do so at one moment."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from clef.errors import ClefError
from clef.tracking.desk import URI_VARIABLE
from clef.tracking.place import shown_uri

LOCK_SECONDS = 60.0
SQLITE = "sqlite:///"
CLASSICAL = {"mlflow.experimentKind": "custom_model_development"}
"""What MLflow's list of experiments says of each."""


def local_uri(checkout: Path) -> str:
    """The store of a checkout: a database below its results."""
    return f"{SQLITE}{(checkout / 'results' / 'mlflow.db').absolute()}"


def local_artifacts(checkout: Path) -> Path:
    """Folder of the artifacts of that store."""
    return (checkout / "results" / "mlartifacts").absolute()


class Store:
    """Access to the store that `MLFLOW_TRACKING_URI` names, or to that of the checkout.

    Two processes that create a sqlite database at the same time break it, and two that create an experiment or a run
    of one name make two of them: within a checkout, a file lock lets one at a time do so.

    Args:
        checkout: The folder that the project runs in.
    """

    def __init__(self, checkout: Path) -> None:
        self.uri = os.environ.get(URI_VARIABLE) or local_uri(checkout)
        self.local = self.uri.startswith(SQLITE)
        if self.local:
            # MLflow would import it at the first use, which is under the lock, and takes seconds.
            import_module("mlflow.store.tracking.sqlalchemy_store")
        self.artifacts = local_artifacts(checkout) if self.local else None
        self._lock = FileLock(checkout / "results" / ".mlflow.lock")
        self._client: MlflowClient | None = None
        self._experiments: dict[str, str] = {}

    @contextmanager
    def creating(self) -> Iterator[MlflowClient]:
        """The client, while no other process of the checkout creates anything."""
        Path(self._lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        with self._lock.acquire(timeout=LOCK_SECONDS):
            yield self.client

    @property
    def client(self) -> MlflowClient:
        """The client. The first use creates a sqlite database that is not there, so it is to be `creating`."""
        if self._client is None:
            if self.local:
                Path(self.uri.removeprefix(SQLITE)).parent.mkdir(parents=True, exist_ok=True)
            self._client = MlflowClient(self.uri)
        return self._client

    def experiment(self, name: str) -> str:
        """Id of the experiment of this name, which is made, or taken out of the bin, where needed."""
        if name not in self._experiments:
            found = self.client.get_experiment_by_name(name)
            if found is None:
                self._experiments[name] = self._create_experiment(name)
            else:
                if found.lifecycle_stage == "deleted":
                    self.client.restore_experiment(found.experiment_id)
                self._experiments[name] = found.experiment_id
        return self._experiments[name]

    def _create_experiment(self, name: str) -> str:
        location = None if self.artifacts is None else (self.artifacts / name).as_uri()
        try:
            return self.client.create_experiment(name, location, CLASSICAL)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        # Another machine was faster.
        found = self.client.get_experiment_by_name(name)
        assert found is not None
        return found.experiment_id

    def require(self) -> None:
        """Make sure that the store answers.

        Raises:
            ClefError: It does not.
        """
        try:
            with self.creating() as client:
                client.search_experiments(max_results=1)
        except Exception as error:
            raise ClefError(
                f"{URI_VARIABLE}: no answer from {shown_uri(self.uri)} ({brief(error)}); start that server, or "
                "unset the variable for the checkout's own database"
            ) from error


def brief(error: BaseException) -> str:
    """An error of MLflow or of the network, which can be pages long, as a few words."""
    text = shown_uri(" ".join(str(error).split())) or type(error).__name__
    for known in ("Connection refused", "timed out", "Name or service not known", "too many 500 error responses"):
        if known.lower() in text.lower():
            return known.lower()
    return text if len(text) <= 120 else f"{text[:117]}..."
