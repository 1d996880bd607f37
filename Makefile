# Each target makes .venv and whatever else it needs by itself.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo
DATA ?= $(DEMO)/data
SCREENSHOTS ?= $(DEMO)/screenshots
# What a bundle can do; empty: predict and serve, without torch.
BUNDLE_EXTRAS ?= train,tune,network,rest,remote,dicom,weights
# Tests wait for a browser, a process or a disk for a third of their time; each worker takes up to 2.5 GiB.
WORKERS ?= 3
# Processes that tests start are many, and each would compile our modules anew where no bytecode may be written.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

.PHONY: demo start quick test test-all check documents bench audit wheel bundle screenshots install page example browser clean

demo: install ## sample data -> train -> evaluate -> export, with figures at the end
	rm -rf $(DEMO)
	$(BIN)/breastai sample-data $(DATA)
	$(BIN)/breastai train --workspace $(DEMO) --data $(DATA) --preset quick --set 'evaluation.patient_id=^(P[0-9]+)_'
	$(BIN)/breastai evaluate latest --workspace $(DEMO) --data $(DATA) --split test
	$(BIN)/breastai export latest --workspace $(DEMO) --format onnx

start: install page ## server and page: http://localhost:8765/
	$(BIN)/python -m breastai.server

quick: install page ## tests without networks that learn and without a browser
	$(PYTEST) --tier quick

test: install page browser ## every test but kills, clusters, packages, further architectures, scenes and variants
	$(PYTEST) --tier test --durations=20

test-all: install page example browser ## every test
	$(PYTEST) --tier all --durations=20

check: install page ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	npm --prefix frontend run --silent check

documents: install ## docs/protocol.md, docs/reference.md, the page's types and the order of its scripts, made again
	$(BIN)/python -m breastai.domain.protocol_document > docs/protocol.md
	$(BIN)/python -m breastai.reference_document > docs/reference.md
	$(BIN)/python -m breastai.domain.page_types > frontend/js/wire.d.ts
	$(BIN)/python -m breastai.script_order

bench: install ## what this machine manages, model by model
	$(BIN)/breastai bench

audit: install page ## what it is made of (sbom.json, sbom-page.json, licences.csv), and what is known against it
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[audit]'
	$(BIN)/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml --of JSON -o sbom.json
	npm --prefix frontend sbom --package-lock-only --sbom-format cyclonedx > sbom-page.json
	@echo "Written: sbom.json, sbom-page.json"
	$(BIN)/python packaging/licences.py licences.csv
	$(BIN)/python packaging/known_faults.py
	@$(BIN)/pip-audit --vulnerability-service osv --skip-editable --progress-spinner off || { echo >&2 \
	  "NOT AUDITED CLEAN: something above has a known fault, or the OSV database could not be reached."; exit 1; }

wheel: install page ## one file that installs BreastAI with its page, where there is no Node: dist/breastai-*.whl
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w dist .
	@ls dist/*.whl

bundle: wheel ## one file that installs it all where there is no internet: dist/breastai-*.zip
	$(BIN)/python packaging/bundle.py "$$(ls -t dist/breastai-*.whl | head -n 1)" "$(BUNDLE_EXTRAS)"

screenshots: install page browser ## every view, language, theme and width, into SCREENSHOTS
	PYTHONPATH=tests/frontend $(BIN)/python tests/frontend/take_screenshots.py $(SCREENSHOTS)

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check -e '.[train,tune,network,rest,remote,dicom,test,check]'
	touch $@

page: frontend/node_modules/.package-lock.json ## the page's libraries and texts
	$(PYTHON) breastai/texts/page_script.py frontend

frontend/node_modules/.package-lock.json: frontend/package.json frontend/package-lock.json
	npm --prefix frontend ci --no-audit --no-fund
	touch $@

# What the browser example needs: 148 MB, of which a page loads 14.
example: examples/browser/node_modules/.package-lock.json

examples/browser/node_modules/.package-lock.json: examples/browser/package.json examples/browser/package-lock.json
	npm --prefix examples/browser ci --no-audit --no-fund
	touch $@

# The page's tests drive Debian's Chromium; elsewhere, without it, they are skipped and say so.
browser:
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	  && apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } \
	  || echo "No Chromium here: the page's tests will be skipped."

clean:
	rm -rf $(VENV) $(DEMO) dist frontend/node_modules examples/browser/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
