from clef.messages import failed, finished, job_name, started


def test_a_job_is_named_by_its_wildcards_or_its_arguments():
    assert job_name("render_demo", {"dataset": "demo"}) == "render-demo demo"
    assert job_name("crop", {"dataset": "demo", "crop": "1ab4cd25", "shard": "F001"}) == "crop demo F001"
    assert job_name("finetune", {"run": "demo", "seed": 0, "fold": 1, "inner": False}) == "finetune demo seed 0 fold 1"
    assert job_name("finetune", {"run": "demo", "seed": 0, "fold": 1, "inner": True}).endswith("fold 1 inner")


def test_the_banner_says_what_where_and_that_it_can_be_stopped():
    text = started(["demo"], 31, 2, ["cpu"], ["about 1 GB needed"])
    for words in ("results/demo/summary.csv", "31, on 2 cores", "cpu", "about 1 GB needed", ".log", "ctrl-C is safe"):
        assert words in text
    assert "cores" not in started(["demo"], 31, None, [], [])


def test_the_farewell_names_commands_for_these_runs():
    assert "clef show demo " in finished(["demo"], 268)
    assert "4 min 28 s" in finished(["demo"], 268)
    assert "clef compare demo demo-linear " in finished(["demo", "demo-linear"], 1)
    assert "clef show" not in finished([], 1)


def test_each_failed_job_is_told_in_its_own_words(tmp_path):
    log = tmp_path / "crop.log"
    log.write_text("10:00:00 INFO    something\ncrop demo F001: error: F001_T1.mp4: broken; mend it (log: x)\n")
    text = failed({"crop demo F001": [str(log)], "crop demo F002": [str(tmp_path / "none.log")]}, 5)
    assert "2 jobs failed" in text
    assert "  crop demo F001: error: F001_T1.mp4: broken; mend it (log: x)" in text
    assert (
        f"  crop demo F002: ended without a word, as when it is killed or out of memory (log: {tmp_path}/none.log)"
        in text
    )


def test_being_stopped_is_no_failure(tmp_path):
    log = tmp_path / "log"
    log.write_text("crop demo F001: stopped by ctrl-C; nothing half-made is left\n")
    assert failed({"crop demo F001": [str(log)]}, 65).startswith("CLEF: stopped after 1 min 05 s;")
    assert failed({}, 65).startswith("CLEF: stopped")
