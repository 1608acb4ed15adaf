# Two commands do everything: `make demo` and `make test`. Each creates the environment if it is not there.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
MATRIX := build/matrix-venv
RESULTS := benchmarks/results
TODAY   = $(shell date +%F)

.PHONY: demo test pytest lint types gpu soak matrix bench clean

demo: $(READY)
	$(BIN)/lemmata conform attention torch.nn.functional:scaled_dot_product_attention

# Types are checked on one core, beside the first tests.
test: $(READY) lint
	$(MAKE) --no-print-directory -j 2 types pytest

pytest: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -q

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

# What only a CUDA device can show; NOT RUN, line by line, where there is none.
gpu: $(READY)
	$(BIN)/python -m pytest -q -rs -m cuda tests/gpu
	$(BIN)/python examples/train_tiny.py
	$(BIN)/python -m lemmata.benchmarks.accuracy --json $(RESULTS)/accuracy-$(TODAY).json
	$(BIN)/python -m lemmata.benchmarks.gpu --json $(RESULTS)/gpu-$(TODAY).json --plot $(RESULTS)/gpu-$(TODAY).svg

# Hours: correct implementations at the default number of cases in every dtype, for false alarms; and runs that are killed.
soak: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python tests/conformance/soak.py
	$(BIN)/python tests/conformance/killing.py

# Libraries that others wrote, held to the contracts: writes docs/matrix.md. They are installed apart from the rest.
matrix: $(MATRIX)/.ready
	OMP_NUM_THREADS=1 $(MATRIX)/bin/python tests/matrix/run.py

bench: $(READY)
	$(BIN)/python -m lemmata.benchmarks.attention
	$(BIN)/python -m lemmata.benchmarks.derive
	$(BIN)/python -m lemmata.benchmarks.conformance

# mypy wants a package directory whose name is an identifier, whatever the checkout is called.
types: $(READY)
	MYPYPATH=$(VENV)/typing $(BIN)/mypy -p lemmata

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[torch,triton,dev]'
	mkdir -p $(VENV)/typing && ln -sfn $(CURDIR) $(VENV)/typing/lemmata
	touch $(READY)

$(MATRIX)/.ready: pyproject.toml constraints.txt constraints-matrix.txt
	test -x $(MATRIX)/bin/python || $(PYTHON) -m venv $(MATRIX)
	$(MATRIX)/bin/python -m pip install --quiet --disable-pip-version-check \
		-c constraints.txt -c constraints-matrix.txt -e '.[torch,triton,matrix]'
	touch $(MATRIX)/.ready

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
