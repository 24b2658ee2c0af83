# From a fresh clone, run `make demo` or `make test`. Both set up .venv first.

python ?= python3
cores ?= 2
port ?= 5000
trials ?= $(if $(slurm),8,24)
seed ?= 0
table ?= core
renders := demo-r1 demo-r2 demo-r3
bin := .venv/bin

# Without a writable home folder, keep the caches of pip, uv and Snakemake in the checkout.
ifneq ($(filter-out help,$(MAKECMDGOALS)),)
ifndef XDG_CACHE_HOME
probe := exec 2> /dev/null; f="$$HOME/.cache/clef.$$$$"; mkdir -p "$${f%/*}" && echo ok > "$$f" && cat "$$f"; rm -f "$$f"
ifneq ($(shell test -n "$$HOME" && { $(probe); }),ok)
export XDG_CACHE_HOME := $(CURDIR)/.cache
$(info cannot write to ~/.cache; before `snakemake`, run: export XDG_CACHE_HOME=$(XDG_CACHE_HOME))
endif
endif
endif

.PHONY: help setup demo demo-short method ui docs test test-slow test-slurm test-cuda test-readme test-interruption bench bench-scale bench-gpu lint types

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup: .venv/installed  ## create .venv and install the project with the versions tested together

.venv/installed: pyproject.toml constraints.txt
	$(python) -m venv .venv
	$(bin)/python -m pip install --quiet uv
	$(bin)/uv pip install --quiet --python $(bin)/python --constraint constraints.txt --compile-bytecode --editable '.[dev]'
	touch $@

demo: setup  ## run the whole chain on rendered videos: results/demo/summary.csv
	PATH="$(CURDIR)/$(bin):$$PATH" snakemake --cores $(cores) results/demo/summary.csv --rerun-incomplete --quiet rules host reason

method: setup  ## run the frozen protocol of docs/method.md: results/method/core.csv, or table=controls or stage1 for other rows
	PATH="$(CURDIR)/$(bin):$$PATH" snakemake --cores $(cores) $(renders:%=results/%/$(table).csv) --rerun-incomplete --quiet rules host reason
	$(bin)/clef variants $(table) $(renders) --out results/method/$(table).csv

ui: setup  ## open MLflow on this machine: http://127.0.0.1:5000, or port=N
	$(bin)/python -m clef track ui --port $(port)

docs: setup  ## build the documentation as a site: site/index.html
	NO_MKDOCS_2_WARNING=1 $(bin)/python -m mkdocs build --quiet

test: setup  ## run the tests
	$(bin)/python -m pytest --numprocesses $(cores) --dist loadgroup

test-slow: setup  ## run the tests that take minutes
	$(bin)/python -m pytest -m slow $(only)

test-slurm: setup  ## run the tests on a real SLURM; its packages are in .ci/run
	$(bin)/python -m pytest -m slurm $(only)

test-cuda: setup  ## run the tests that need a GPU
	$(bin)/python -m pytest tests/test_on_cuda.py

test-readme: setup  ## run every command of README.md in a fresh clone
	$(bin)/python -m pytest -m readme

test-interruption: setup  ## interrupt 24 runs of the demo at random moments, or trials=N; seed=N; slurm=1 as its jobs
	$(bin)/python -m tests.interruption --trials $(trials) --seed $(seed) $(if $(slurm),--slurm)

bench: setup  ## measure the speed of each part on this machine's processor: benchmarks/figures
	PATH="$(CURDIR)/$(bin):$$PATH" snakemake --cores $(cores) results/demo-short/summary.csv --rerun-incomplete --quiet rules host reason
	for part in crop load train start_up; do \
		$(bin)/python -m benchmarks.$$part --out benchmarks/figures/$$part.json || exit 1; \
	done
	$(bin)/python -m benchmarks.prediction --video "$$(ls data/raw/demo-short/videos/*/* | head -1)" --model demo-short \
		--rounds 5 --seconds 30 300 --out benchmarks/figures/predict.json

bench-scale: setup  ## measure how cropping, manifest and planning grow with the data set: benchmarks/figures
	for part in scale planning; do \
		$(bin)/python -m benchmarks.$$part --out benchmarks/figures/$$part.json || exit 1; \
	done

bench-gpu: setup  ## measure cropping, loading and training on this machine's GPU: benchmarks/figures
	$(bin)/python -m benchmarks.crop --device cuda --frames 500 --detectors retinaface --out benchmarks/figures/gpu-crop.json
	$(bin)/python -m benchmarks.load --device cuda --out benchmarks/figures/gpu-load.json
	$(bin)/python -m benchmarks.gpu_training --out benchmarks/figures/gpu-training.json

lint: setup  ## check the style of code and workflow
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/snakefmt --check Snakefile workflow
	$(bin)/snakemake --lint > .snakemake.lint 2>&1 || true
	grep -q '^Lints for rule' .snakemake.lint
	! grep '^    \* ' .snakemake.lint | grep -v 'Specify a conda environment or container'
	rm .snakemake.lint

types: setup  ## check types
	$(bin)/mypy

demo-short: setup  ## run a short demo, as CI does
	PATH="$(CURDIR)/$(bin):$$PATH" snakemake --cores $(cores) results/demo-short/summary.csv --rerun-incomplete --quiet rules host reason
