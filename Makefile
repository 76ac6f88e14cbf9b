# Python 3.11 or later, git and make: nothing else is needed. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DATA ?= simulated
SERVICE ?= home

export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS := 90

.PHONY: help setup demo test coverage check lint docs bench inside criteria half-days steady scale load truth training tuning replications value-added ablation long browser fuzz chaos server mlflow lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: $(READY) ## Create .venv and install everything that is locked

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(None if sys.version_info >= (3, 11) else 'Vigie needs Python 3.11 or later: make setup PYTHON=python3.12')"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes requirements.lock --python $(BIN)/python
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable . --python $(BIN)/python
	touch $(READY)

demo: $(READY) ## A whole service on simulated data, ending with a list; DATA=oulad for real learners
	$(BIN)/vigie demo --data $(DATA)

test: $(READY) check ## Lint, types, import order, then all tests
	$(BIN)/pytest -n 3 --dist loadfile -q

coverage: $(READY) ## All tests again, a third slower, with the lines and branches they take: the table, and coverage.xml
	$(BIN)/pytest -n 3 --dist loadfile --cov --cov-report=term:skip-covered --cov-report=xml -q

check: $(READY) ## Lint, types, import order, dead code, dependencies
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy --no-error-summary
	$(BIN)/lint-imports --no-logo
	$(BIN)/vulture
	$(BIN)/deptry . --no-ansi

docs: $(READY) ## Write docs/generated again from the code
	$(BIN)/python -m pipelines.reference

bench: $(READY) ## OULAD on the project's ruler; SOURCE=folder of the original tables, RULER=oulad_metrics.py
	$(BIN)/python benchmarks/oulad.py $(SOURCE) $(RULER)

inside: $(READY) ## Beside the reference of 118 columns on 2013 alone; SERVICE=home that took 2013B and 2013J, SOURCE=original tables
	$(BIN)/python benchmarks/oulad_inside.py $(SERVICE) $(SOURCE)

criteria: $(READY) ## The twenty criteria on OULAD; SERVICE=home trained on 2013 alone, SOURCE=folder of the original tables
	$(BIN)/python benchmarks/criteria $(SERVICE) $(SOURCE)

half-days: $(READY) ## One more absence never lowers a risk: 10,000 half-days changed in the service in $(SERVICE), nothing written
	$(BIN)/python benchmarks/half_days.py $(SERVICE)

steady: $(READY) ## Do reasons stay while nothing new is known; in the service in $(SERVICE), nothing written
	$(BIN)/python benchmarks/steady.py $(SERVICE)

scale: $(READY) ## Seconds and memory of a night beside its floors; LEARNERS=10000 or 100000
	$(BIN)/python benchmarks/scale.py --learners $(or $(LEARNERS),10000)

load: $(READY) ## The inbox under load while nights publish: 2,000 advisors, 200,000 alerts; URL=address of an empty PostgreSQL database
	$(BIN)/python benchmarks/load.py $(if $(URL),--url "$(URL)")

truth: $(READY) ## Simulated territories of known risks: is the model as good as the truth allows; SEEDS=1,2,3 LEARNERS=10000
	$(BIN)/python benchmarks/truth.py $(if $(SEEDS),--seeds $(SEEDS)) --learners $(or $(LEARNERS),10000)

ablation: $(READY) ## What each part of the learner brings; SERVICE=home that took its deliveries, AS_OF=day
	$(BIN)/python benchmarks/ablation.py --home $(SERVICE) --as-of $(AS_OF)

tuning: $(READY) ## Would other LightGBM settings be better: Optuna inside the time folds; SERVICE=home AS_OF=2026-10-31 TRIALS=30
	$(BIN)/python benchmarks/tuning.py --home $(SERVICE) --as-of $(AS_OF) --trials $(or $(TRIALS),30) $(if $(FIGURE),--figure $(FIGURE))

training: $(READY) ## Seconds and memory of training beside their floors; LEARNERS=10000,100000
	$(BIN)/python benchmarks/training.py $(if $(LEARNERS),--learners $(LEARNERS))

value-added: $(READY) ## Value added on made-up providers of known quality, the raw rate beside it; REPLICATIONS=200
	$(BIN)/python benchmarks/value_added.py --replications $(or $(REPLICATIONS),200)

replications: $(READY) ## Experiments on simulated territories, thousands of times: bias, coverage, power; TIMES=4000
	$(BIN)/python benchmarks/replications.py --times $(or $(TIMES),4000)

long: $(READY) ## All tests with what make test leaves out, and many more of what is drawn at random
	$(BIN)/pytest -n 3 --dist loadfile -q -m "long or not long" --hypothesis-profile=long

browser: $(READY) ## What advisors see, in a real browser: every screen at every width
	$(BIN)/pytest -q -m "long or not long" tests/alerts/test_browser.py

fuzz: $(READY) ## Deliveries broken at random, 20,000 of them; NUMBER=1000 SEED=7 for others
	$(BIN)/python tests/data_contracts/fuzz.py $(or $(NUMBER),20000) $(or $(SEED),1)

chaos: $(READY) ## Nights killed at random instants and run again, compared with one never interrupted; NIGHTS=200 MAILS=500
	PYTHONPATH=. $(BIN)/python benchmarks/chaos.py --nights $(or $(NIGHTS),200) --mails $(or $(MAILS),500)

server: $(READY) ## Prefect's server and page, http://127.0.0.1:4200
	$(BIN)/prefect server start --host 127.0.0.1

mlflow: $(READY) ## MLflow's page for the service in $(SERVICE), http://127.0.0.1:5000
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow server --host 127.0.0.1 --port 5000 \
		--backend-store-uri sqlite:///$(SERVICE)/mlflow.db --default-artifact-root $(SERVICE)/mlruns

lock: ## Resolve the dependencies again
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-annotate --no-header --quiet --output-file requirements.lock

clean: ## Remove the environment and caches, never a service's home folder
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage coverage.xml
