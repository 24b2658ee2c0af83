"""Damaged recordings through the commands: one line each, no lost frames, no partial files."""

import pandas as pd

PARAMS = """
dataset: {adapter: demo, name: tiny}
render: {subjects: 2, activities: 2, size: 160, seconds: [0.8, 1.0]}
ingest: {max_bad: 0.9}
seeds: [0]
device: cpu
threads: 1
crop: {detector: none, size: 40}
folds: {number: 2}
model: {name: clef-tiny, image_size: 32}
"""
RAW = "Größe 1, naïve 数据"
DAMAGES = {"T1": (b"", "the file is empty"), "T2": (bytes(5000), "expected a video file")}


def test_video_that_cannot_be_opened_loses_only_its_own_frames(clef_here, tmp_path, caplog):
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "tiny.yaml").write_text(PARAMS)

    def run(command: str, *options: str) -> str:
        ran = clef_here(command, "tiny", *options, folder=tmp_path)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    crops = run("params").splitlines()[0].removeprefix("# crops: ")

    def make_manifest(*changed: str) -> pd.DataFrame:
        for name in ("sequences", "manifest"):
            (tmp_path / f"made/{name}.parquet").unlink(missing_ok=True)
        run("ingest", "--raw", RAW, "--out", "made/sequences.parquet")
        for shard in changed:
            run("crop", "--crop", crops, "--raw", RAW, "--shard", shard, "--out", f"made/{crops}/{shard}.arrow")
        tables = ["--sequences", "made/sequences.parquet", "--labels", "made/labels.parquet"]
        run("manifest", "--crop", crops, *tables, "--crops", f"made/{crops}", "--out", "made/manifest.parquet")
        return pd.read_parquet(tmp_path / "made/manifest.parquet").set_index(["sequence", "frame"])

    run("render-demo", "--out", RAW)
    before = make_manifest("F001", "M001")
    for activity, (content, _) in DAMAGES.items():
        (tmp_path / RAW / "videos" / "F001" / f"{activity}.mp4").write_bytes(content)
    after = make_manifest("F001")
    for activity, (_, problem) in DAMAGES.items():
        assert [line for line in caplog.messages if f"videos/F001/{activity}.mp4 (" in line and problem in line]
        lost = after.loc[f"F001_{activity}"]
        assert set(lost["status"]) == {"undecodable"}
        assert lost["labelled"].sum() == before.loc[f"F001_{activity}", "labelled"].sum() > 0
    others = [table.drop(index=["F001_T1", "F001_T2"], level="sequence") for table in (after, before)]
    pd.testing.assert_frame_equal(*others)
